"""The checkpoints of one project: `gather_checkpoints`, one document for each run and department.

How an old pod is fenced, though the epoch and the notes are different documents: a note is written only
after the conditional checkpoint write that put it into `pending`, under an `_id` that follows from its
place, and with $setOnInsert. A pod whose epoch is old gets no further note into `pending`, and writing
again what it already put there changes nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from pymongo import ReturnDocument

from gather_contracts import names
from gather_worker.department.checkpoint import Checkpoint, Evaluation
from gather_worker.errors import Fenced
from gather_worker.llm.ledger import Ledger
from gather_worker.services.mongodb import ProjectDatabase

T = TypeVar("T")

LEFTOVERS_MAX: Final = 20


class CheckpointStore(ProjectDatabase):
    """One project's checkpoints, as one worker uses them."""

    async def persist_checkpoint(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call about checkpoints; raises as `persist` does."""
        return await self.persist(operation, names.CHECKPOINTS_COLLECTION)

    async def take_epoch(self, fresh: Checkpoint) -> Checkpoint:
        """Return the department's checkpoint under the next epoch; `fresh` is stored where there is none."""
        first = fresh.model_dump(by_alias=True)
        for key in ("_id", "epoch", "revision"):
            first.pop(key)
        taken = await self.persist_checkpoint(
            lambda: self.checkpoints.find_one_and_update(
                {"_id": fresh.id},
                {"$inc": {"epoch": 1, "revision": 1}, "$setOnInsert": first},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        )
        return Checkpoint.model_validate(taken)

    async def write(self, checkpoint: Checkpoint) -> None:
        """Store the checkpoint if its epoch is still the newest; raises Fenced if it is not.

        Written again after an answer that was lost, it changes nothing; arriving after a later one, neither.
        """
        fields = checkpoint.model_dump(by_alias=True) | {"updatedAt": datetime.now(UTC)}
        mine = {
            "_id": fields.pop("_id"),
            "epoch": fields.pop("epoch"),
            "revision": {"$lte": checkpoint.revision},
        }
        result = await self.persist_checkpoint(lambda: self.checkpoints.update_one(mine, {"$set": fields}))
        if result.matched_count == 0:
            raise Fenced(f"a newer worker than epoch {checkpoint.epoch} has the department")

    async def other_ledgers(self, own: Checkpoint) -> list[Ledger]:
        """Return the ledgers of the run's other departments."""
        query = {"runUid": own.run_uid, "_id": {"$ne": own.id}}
        found = await self.persist_checkpoint(lambda: self.checkpoints.find(query, {"ledger": 1}).to_list())
        return [Ledger.model_validate(document.get("ledger") or {}) for document in found]

    async def leftovers(self, own_id: str) -> list[Checkpoint]:
        """Return the project's other checkpoints with notes that are not everywhere yet, the oldest first."""
        query = {
            "_id": {"$ne": own_id},
            "$or": [{"pending.0": {"$exists": True}}, {"unindexed.0": {"$exists": True}}],
        }
        found = await self.persist_checkpoint(
            lambda: self.checkpoints.find(query).sort("updatedAt", 1).limit(LEFTOVERS_MAX).to_list()
        )
        return [Checkpoint.model_validate(document) for document in found]

    async def clear_leftover(self, other: Checkpoint) -> None:
        """Note that another department's notes are everywhere, unless its worker has written since."""
        same = {"_id": other.id, "epoch": other.epoch, "revision": other.revision}
        cleared = {
            "pending": [],
            "unindexed": [],
            # The sum and not the difference: this may be written twice.
            "itemsCreated": other.items_created + len(other.pending),
            "updatedAt": datetime.now(UTC),
        }
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
