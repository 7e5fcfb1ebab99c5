"""The outbox: events on their way to webhooks, in a MongoDB database of Gather's own, until they are there.

Workers and the operator write each event of a run that has a webhook, by its identity, so that writing twice
writes once; the bridge takes them out in order. Redis may be lost meanwhile. Importing this module costs
memory for the MongoDB driver: only who is configured to use it does.
"""

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pymongo import IndexModel, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from gather_clients.mongodb.opened_client import MongoConnection
from gather_clients.mongodb.refusals import refusal_of, trouble_of
from gather_clients.outbox.event_insert import KEPT, insert_event
from gather_clients.outbox.outbox_entries import GivenUp, OutboxUnavailable, Waiting
from gather_contracts import names
from gather_contracts.events import Event

T = TypeVar("T")
Document = dict[str, Any]

POOL_MAX: Final = 8
LEASE: Final = "webhooks"
REPORTS_MAX: Final = 100

INDEXES: Final = (
    IndexModel(
        [("waiting", 1), ("run", 1), ("order", 1)],
        name="waiting",
        partialFilterExpression={"waiting": True},
    ),
    IndexModel(
        [("givenUp.at", 1)], name="givenUp", partialFilterExpression={"givenUp.at": {"$exists": True}}
    ),
    IndexModel([("expireAt", 1)], name="expiry", expireAfterSeconds=0),
)
"""An event that was delivered is in the last of them alone."""


class Outbox:
    """The collection of events, and the lease on delivering them."""

    def __init__(self, uri: str, timeout_s: float) -> None:
        """A call takes twice `timeout_s` at most. Raises ValueError if `uri` is no address."""
        # What is acknowledged survives a mongod that is killed, and a change of primaries.
        confirmed: dict[str, Any] = {"w": "majority", "journal": True}
        self._connection = MongoConnection(uri, timeout_s, "gather-outbox", maxPoolSize=POOL_MAX, **confirmed)
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    @property
    def _events(self) -> AsyncCollection[Document]:
        return self._connection.client[names.OUTBOX_DATABASE][names.OUTBOX_EVENTS]

    @property
    def _leases(self) -> AsyncCollection[Document]:
        return self._connection.client[names.OUTBOX_DATABASE][names.OUTBOX_LEASES]

    # --- writers

    async def put(self, event: Event, url: str) -> bool:
        """Write as `insert_event` does, within the time limit; raises OutboxUnavailable."""
        return await self._call(insert_event(self._connection.client, event, url))

    # --- the bridge

    async def prepare(self) -> None:
        """Make the indexes, unless they are there; raises OutboxUnavailable."""
        await self._call(self._events.create_indexes(list(INDEXES)))

    async def runs(self) -> list[str]:
        """Return the UIDs of the runs that something waits for; raises OutboxUnavailable."""
        stages: list[Document] = [
            {"$match": {"waiting": True}},
            {"$sort": {"waiting": 1, "run": 1, "order": 1}},
            {"$group": {"_id": "$run", "order": {"$first": "$order"}}},
        ]

        async def read() -> list[str]:
            async with await self._events.aggregate(stages) as cursor:
                return [str(found["_id"]) async for found in cursor]

        return await self._call(read())

    async def waiting(self, run_uid: str, limit: int) -> list[Waiting]:
        """Return the run's next events, oldest first; raises OutboxUnavailable."""
        query = {"waiting": True, "run": run_uid}
        cursor = self._events.find(query).sort("order", 1).limit(limit)
        return [_waiting(found) for found in await self._call(cursor.to_list())]

    async def delivered(self, event_id: str) -> None:
        """Note that the webhook has the event; its text goes. Raises OutboxUnavailable."""
        change = {
            "$set": {"expireAt": datetime.now(UTC) + KEPT},
            "$unset": dict.fromkeys(("waiting", "text", "failingSince", "dueAt", "reason"), ""),
        }
        await self._call(self._events.update_one({"_id": event_id, "waiting": True}, change))

    async def failed(self, event: Waiting, reason: str) -> None:
        """Note an attempt that failed, from the fields of `event`; raises OutboxUnavailable."""
        fields = {
            "failures": event.failures,
            "failingSince": _moment(event.failing_since_s or event.written_s),
            "dueAt": _moment(event.due_s),
            "reason": reason,
        }
        await self._call(self._events.update_one({"_id": event.id, "waiting": True}, {"$set": fields}))

    async def give_up(self, run_uid: str, reason: str, written_before_s: float) -> None:
        """Note that what was written up to then will not be delivered; raises OutboxUnavailable."""
        query = {"waiting": True, "run": run_uid, "writtenAt": {"$lte": _moment(written_before_s)}}
        change = {
            "$set": {"givenUp": {"at": datetime.now(UTC), "reason": reason}},
            "$unset": dict.fromkeys(("waiting", "text"), ""),
        }
        await self._call(self._events.update_many(query, change))

    # --- the operator

    async def given_up(self) -> list[GivenUp]:
        """Return what was given up, of runs that do not say all of it yet; raises OutboxUnavailable."""
        stages: list[Document] = [
            {"$match": {"givenUp.at": {"$exists": True}}},
            {"$sort": {"givenUp.at": 1}},
            {
                "$group": {
                    "_id": "$run",
                    "name": {"$last": "$runName"},
                    "events": {"$sum": 1},
                    "reason": {"$last": "$givenUp.reason"},
                    "at": {"$last": "$givenUp.at"},
                    "reported": {"$sum": {"$cond": [{"$eq": ["$givenUp.isReported", True]}, 1, 0]}},
                }
            },
            {"$match": {"$expr": {"$lt": ["$reported", "$events"]}}},
            {"$limit": REPORTS_MAX},
        ]

        async def read() -> list[GivenUp]:
            async with await self._events.aggregate(stages) as cursor:
                return [
                    GivenUp(str(f["_id"]), str(f["name"]), int(f["events"]), str(f["reason"]), f["at"])
                    async for f in cursor
                ]

        return await self._call(read())

    async def report(self, told: GivenUp) -> None:
        """Note that the run says so; raises OutboxUnavailable."""
        query = {"run": told.run_uid, "givenUp.at": {"$lte": told.at}}
        await self._call(self._events.update_many(query, {"$set": {"givenUp.isReported": True}}))

    # --- who delivers

    async def hold(self, holder: str, duration_s: float) -> bool:
        """Take or renew the lease, by the server's clock; return whether it is held.

        Raises OutboxUnavailable.
        """
        may = {"$or": [{"$eq": ["$holder", holder]}, {"$lt": [{"$ifNull": ["$until", 0]}, "$$NOW"]}]}
        until = {"$add": ["$$NOW", int(duration_s * 1000)]}
        taken: Sequence[Document] = [
            {
                "$set": {
                    "until": {"$cond": [may, until, "$until"]},
                    "holder": {"$cond": [may, holder, "$holder"]},
                }
            }
        ]
        try:
            lease = await self._call(
                self._leases.find_one_and_update(
                    {"_id": LEASE}, taken, upsert=True, return_document=ReturnDocument.AFTER
                )
            )
        except DuplicateKeyError:  # two made it at the same moment
            return False
        return lease is not None and bool(lease["holder"] == holder)

    async def release(self, holder: str) -> None:
        """Let another take the lease at once; raises OutboxUnavailable."""
        await self._call(self._leases.delete_one({"_id": LEASE, "holder": holder}))

    async def _call(self, operation: Awaitable[T]) -> T:
        try:
            # The driver's own limits come first: a call that is cancelled leaves its socket open.
            return await self._connection.call(operation, 2 * self._timeout_s)
        except DuplicateKeyError:
            raise
        except (PyMongoError, TimeoutError) as error:
            # Not chained: MongoDB's own message can hold what was written.
            raise OutboxUnavailable(_trouble(error)) from None


def _trouble(error: Exception) -> str:
    if refusal := refusal_of(error):
        return f"MongoDB refuses the database {names.OUTBOX_DATABASE}: {refusal}"
    return trouble_of(error)


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _waiting(found: Document) -> Waiting:
    since, due = found.get("failingSince"), found.get("dueAt")
    return Waiting(
        id=str(found["_id"]),
        run_uid=str(found["run"]),
        project_id=str(found["project"]),
        url=str(found["url"]),
        type=str(found["type"]),
        text=str(found["text"]),
        written_s=found["writtenAt"].timestamp(),
        failures=int(found.get("failures", 0)),
        failing_since_s=since.timestamp() if since else None,
        due_s=due.timestamp() if due else 0.0,
    )
