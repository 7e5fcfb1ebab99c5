"""Runs' snapshots in MongoDB, where they outlive Redis, and what a project's own database adds to them.

Importing this module costs memory for the MongoDB driver: only who is configured to use it does.
"""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from gather_clients.mongodb.opened_client import MongoConnection
from gather_clients.mongodb.refusals import trouble_of
from gather_clients.snapshots.checkpoint_readings import CHECKPOINT_FIELDS, Measured, measured_of
from gather_clients.snapshots.opening import SnapshotsUnavailable
from gather_clients.snapshots.redis_snapshots import RunPlace, read_state
from gather_contracts import names
from gather_contracts.snapshots.run_state import RunState

T = TypeVar("T")
Document = dict[str, Any]

KEPT: Final = timedelta(days=90)
SUMMARY_MAX: Final = 500
"""Characters of a note's summary."""
INDEXES: Final = (
    IndexModel([("project", 1), ("createdS", -1)], name="newest"),
    IndexModel([("namespace", 1), ("run", 1), ("createdS", -1)], name="named"),
    IndexModel([("expireAt", 1)], name="expiry", expireAfterSeconds=0),
)
NOTE_FIELDS: Final = (
    "summary", "createdAt", "automationMetadata.department", "automationMetadata.departmentName",
    "automationMetadata.iteration",
)  # fmt: skip


class MongoSnapshots:
    """Writes and reads; each call raises SnapshotsUnavailable."""

    def __init__(self, uri: str, timeout_s: float) -> None:
        """`timeout_s` is for each call. Raises ValueError if `uri` is no address, without any part of it."""
        self._connection = MongoConnection(uri, timeout_s, "gather-snapshots")
        self._timeout_s = timeout_s
        self._is_prepared = False

    async def put(self, state: RunState, created_s: float) -> None:
        """Keep the state, joined with what is there; `created_s` is the run's age as Unix time."""
        if not self._is_prepared:
            await self._call(self._snapshots.create_indexes(list(INDEXES)))
            self._is_prepared = True
        stored = await self._call(self._snapshots.find_one({"_id": state.run_uid}, {"state": 1}))
        if stored is not None and (known := read_state(str(stored.get("state")))) is not None:
            state = known.joined(state)
        fields = {
            "project": state.project_id,
            "run": state.run,
            "namespace": state.namespace,
            "createdS": created_s,
            "state": state.model_dump_json(),
            "expireAt": datetime.now(UTC) + KEPT,
        }
        await self._call(self._snapshots.replace_one({"_id": state.run_uid}, fields, upsert=True))

    async def newest(self, project_id: str, limit: int, run: str | None = None) -> list[RunState]:
        """Return a project's newest snapshots, the newest first; only those of one name if `run` is given."""
        wanted = {"project": project_id.lower(), **({} if run is None else {"run": run})}
        cursor = self._snapshots.find(wanted, {"state": 1}).sort("createdS", -1).limit(limit)
        found = await self._call(cursor.to_list(limit))
        return [state for each in found if (state := read_state(str(each.get("state")))) is not None]

    async def place(self, namespace: str, run: str) -> RunPlace | None:
        """Return the newest run of that name in that namespace."""
        wanted = {"namespace": namespace, "run": run}
        found = await self._call(self._snapshots.find_one(wanted, {"project": 1}, sort=[("createdS", -1)]))
        return None if found is None else RunPlace(str(found["project"]), str(found["_id"]))

    async def measured(self, project_id: str, run_uid: str) -> dict[str, Measured]:
        """Return what each department's checkpoint has measured, by its slug."""
        checkpoints = self._project(project_id)[names.CHECKPOINTS_COLLECTION]
        # By the id's beginning, which has an index.
        wanted = {"_id": {"$gte": f"{run_uid}/", "$lt": f"{run_uid}0"}}
        cursor = checkpoints.find(wanted, dict.fromkeys(CHECKPOINT_FIELDS, 1)).limit(64)
        found = await self._call(cursor.to_list(64))
        return {str(each["department"]): measured_of(each) for each in found if each.get("department")}

    async def notes(self, project_id: str, run_uid: str, limit: int) -> list[Document]:
        """Return a run's newest notes, the newest first, without their content."""
        notes = self._project(project_id)[names.ITEMS_COLLECTION]
        cursor = notes.find({"automationMetadata.runUid": run_uid}, dict.fromkeys(NOTE_FIELDS, 1))
        # By the application's own index; none has the run, whose notes are among the newest of the project.
        ordered = cursor.sort([("createdAt", -1)]).limit(limit)
        found = await self._call(ordered.max_time_ms(int(self._timeout_s * 1000)).to_list(limit))
        return [_note(each) for each in found]

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    @property
    def _snapshots(self) -> AsyncCollection[Document]:
        return self._connection.client[names.OUTBOX_DATABASE][names.OUTBOX_SNAPSHOTS]

    def _project(self, project_id: str) -> AsyncDatabase[Document]:
        return self._connection.client[names.gather_database(project_id)]

    async def _call(self, work: Awaitable[T]) -> T:
        try:
            return await self._connection.call(work, 2 * self._timeout_s)
        except (PyMongoError, TimeoutError) as error:
            # Not the driver's own words: they can name the address.
            raise SnapshotsUnavailable(trouble_of(error)) from error


def _note(document: Document) -> Document:
    about = document.get("automationMetadata") or {}
    created = document.get("createdAt")
    return {
        "id": str(document["_id"]),
        "department": about.get("department", ""),
        "department_name": about.get("departmentName", ""),
        "iteration": about.get("iteration", 0),
        "summary": str(document.get("summary") or "")[:SUMMARY_MAX],
        "created_at": created.isoformat() if isinstance(created, datetime) else "",
    }
