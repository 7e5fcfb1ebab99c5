"""The checkpoints of one project: `gather_checkpoints`, one document for each run and department.

How an old pod is fenced: every write of a checkpoint is conditional on its epoch and revision, and notes are
written only together with such a write (`Store.publish`).
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from pymongo import ReadPreference, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure
from pymongo.results import UpdateResult

from gather_contracts import names
from gather_worker.department.checkpoint import Checkpoint, Evaluation
from gather_worker.errors import Fenced
from gather_worker.llm.ledger import Ledger
from gather_worker.services.mongodb import FOLLOWED, OPERATION_TIMEOUT_S, Document, ProjectDatabase

T = TypeVar("T")

LEFTOVERS_MAX: Final = 20
IDLE: Final = timedelta(minutes=20)
"""A department whose checkpoint was not written for so long is not at work: a model's answer has its time
limit, and a Job's next pod comes after 10 minutes at most."""
TAKE_TIMEOUT_MS: Final = int(OPERATION_TIMEOUT_S * 800)
"""Below the operation's own timeout."""

_LOGGER = logging.getLogger(__name__)


def fields_of(checkpoint: Checkpoint) -> tuple[Document, Document]:
    """Return what a write of the checkpoint looks for, id and epoch, and what it sets."""
    fields = checkpoint.model_dump(by_alias=True) | {"updatedAt": datetime.now(UTC)}
    return {"_id": fields.pop("_id"), "epoch": fields.pop("epoch")}, fields


def fenced(checkpoint: Checkpoint) -> Fenced:
    """Return the error of a write that found another epoch, or a later write."""
    return Fenced(f"a newer worker than epoch {checkpoint.epoch} has the department")


class CheckpointStore(ProjectDatabase):
    """One project's checkpoints, as one worker uses them."""

    _session: AsyncClientSession | None = None

    @property
    def session(self) -> AsyncClientSession:
        """Return the one session of this worker's transactions, by whose id a successor can end them."""
        if self._session is None:
            self._session = self._client.start_session()
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.end_session()
        await super().close()

    async def persist_checkpoint(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call about checkpoints; raises as `persist` does."""
        return await self.persist(operation, names.CHECKPOINTS_COLLECTION)

    async def take_epoch(self, fresh: Checkpoint) -> Checkpoint:
        """Return the department's checkpoint under the next epoch; `fresh` is stored where there is none."""
        await self.persist_checkpoint(lambda: self._end_predecessor(fresh.id))
        first = fresh.model_dump(by_alias=True)
        for key in ("_id", "epoch", "revision"):
            first.pop(key)
        change = {
            "$inc": {"epoch": 1, "revision": 1},
            "$set": {"session": self.session.session_id["id"]},
            "$setOnInsert": first,
        }
        taken = await self.persist_checkpoint(
            lambda: self.checkpoints.find_one_and_update(
                {"_id": fresh.id},
                change,
                upsert=True,
                return_document=ReturnDocument.AFTER,
                # Where a predecessor's transaction holds it up, it must not come after it was given up here.
                maxTimeMS=TAKE_TIMEOUT_MS,
            )
        )
        return Checkpoint.model_validate(taken)

    async def _end_predecessor(self, checkpoint_id: str) -> None:
        """End the transaction in which a predecessor was killed; else it would hold us up for a minute."""
        found = await self.checkpoints.find_one({"_id": checkpoint_id}, {"session": 1})
        if session_id := (found or {}).get("session"):
            try:
                await self._client.admin.command("killSessions", [{"id": session_id}])
            except OperationFailure as error:
                _LOGGER.debug("the predecessor's session is not ended: %s", error.code)

    async def write_lost_notes(self, changed: Checkpoint) -> None:
        """Write again what a killed server may have lost of the notes that `changed` has as written."""

    def confirmed(self) -> None:
        """Note that what was written until now cannot be lost any more."""

    async def write(self, checkpoint: Checkpoint, *, is_followed: bool = False) -> None:
        """Store the checkpoint if its epoch is still the newest; raises Fenced if it is not.

        `is_followed`: another write comes at once, whose confirmation is awaited for both.

        Written again after an answer that was lost, it changes nothing; arriving after a later one, neither.
        """
        identity, fields = fields_of(checkpoint)
        mine = identity | {"revision": {"$lte": checkpoint.revision}}
        concern = FOLLOWED if is_followed else None
        checkpoints = self.checkpoints.with_options(write_concern=concern)

        async def store() -> UpdateResult:
            await self.write_lost_notes(checkpoint)
            return await checkpoints.update_one(mine, {"$set": fields})

        if (await self.persist_checkpoint(store)).matched_count == 0:
            raise fenced(checkpoint)
        if not is_followed:
            self.confirmed()

    async def other_ledgers(self, own: Checkpoint) -> list[Ledger]:
        """Return the ledgers of the run's other departments."""
        query = {"runUid": own.run_uid, "_id": {"$ne": own.id}}
        # Whatever the connection string prefers: a secondary may not have the reserve of a second ago.
        checkpoints = self.checkpoints.with_options(read_preference=ReadPreference.PRIMARY)
        found = await self.persist_checkpoint(lambda: checkpoints.find(query, {"ledger": 1}).to_list())
        return [Ledger.model_validate(document.get("ledger") or {}) for document in found]

    async def leftovers(self, own: Checkpoint, *, is_beside_others: bool = False) -> list[Checkpoint]:
        """Return the project's other checkpoints with notes that are not everywhere yet, the oldest first.

        `is_beside_others`: without those of the run's departments that may be at work. Publishing for them
        would fence their workers.
        """
        query: Document = {
            "_id": {"$ne": own.id},
            "$or": [{"pending.0": {"$exists": True}}, {"unindexed.0": {"$exists": True}}],
        }
        if is_beside_others:
            idle = {"updatedAt": {"$lt": datetime.now(UTC) - IDLE}}
            over = [{"runUid": {"$ne": own.run_uid}}, {"finished": {"$ne": None}}, idle]
            query["$and"] = [{"$or": over}]
        found = await self.persist_checkpoint(
            lambda: self.checkpoints.find(query).sort("updatedAt", 1).limit(LEFTOVERS_MAX).to_list()
        )
        return [Checkpoint.model_validate(document) for document in found]

    async def clear_leftover(self, other: Checkpoint) -> None:
        """Note that the brain has another department's notes, unless its worker has written since."""
        same = {"_id": other.id, "epoch": other.epoch, "revision": other.revision}
        cleared = {"unindexed": [], "updatedAt": datetime.now(UTC)}
        await self.persist_checkpoint(lambda: self.checkpoints.update_one(same, {"$set": cleared}))

    async def unsent_evaluations(self, own_id: str) -> list[Checkpoint]:
        """Return the project's other checkpoints whose evaluation message may not have been sent."""
        query = {"_id": {"$ne": own_id}, "evaluation": Evaluation.SENDING.value}
        found = await self.persist_checkpoint(
            lambda: self.checkpoints.find(query).sort("updatedAt", 1).limit(LEFTOVERS_MAX).to_list()
        )
        return [Checkpoint.model_validate(document) for document in found]

    async def note_evaluation_sent(self, other: Checkpoint) -> None:
        """Note that another department's evaluation message is at the broker; any worker may write that."""
        due = {"_id": other.id, "evaluation": Evaluation.SENDING.value}
        sent = {"evaluation": Evaluation.SENT.value, "updatedAt": datetime.now(UTC)}
        await self.persist_checkpoint(lambda: self.checkpoints.update_one(due, {"$set": sent}))
