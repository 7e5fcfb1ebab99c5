"""MongoDB: the project's notes and the checkpoints; the only module that knows pymongo.

How an old pod is fenced, though the epoch and the notes are different documents: a note is written only
after the conditional checkpoint write that put it into `pending`, under an `_id` that follows from its
place, and with $setOnInsert. A pod whose epoch is old gets no further note into `pending`, and writing
again what it already put there changes nothing.

While MongoDB is unavailable every call is repeated with growing waits for `patience_s`, after SIGTERM for
what is left of the grace period, and then raises StoreUnavailable.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from bson.errors import BSONError
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, InvalidOperation, PyMongoError

from gather_clients.backoff import Backoff
from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint, Evaluation
from gather_worker.errors import Fenced, StoreUnavailable
from gather_worker.llm.ledger import Ledger
from gather_worker.metrics import METER

T = TypeVar("T")
Document = dict[str, Any]

SELECT_TIMEOUT_MS: Final = 2_000
OPERATION_TIMEOUT_S: Final = 10.0
BACKOFF: Final = Backoff(0.2, 5.0)
ITEMS_READ_MAX: Final = 5_000
"""The newest notes of a project; older ones are compared by the brain alone."""
ITEMS_READ_CHARS: Final = 8_000_000
"""Likewise: 5,000 notes of 250 words. Strings of so many letters take up to 32 MB of the pod's memory."""
ITEMS_BATCH: Final = 250
ITEM_FIELDS: Final = [field.alias or to_camel(name) for name, field in GatherItem.model_fields.items()]
"""Documents of other programs may hold anything else, of any size."""
LEFTOVERS_MAX: Final = 20
DUPLICATE_KEY: Final = 11000

_LOGGER = logging.getLogger(__name__)


class Store:
    """One project's database, as one worker uses it."""

    def __init__(self, uri: str, project_id: str, attempt: Attempt, patience_s: float) -> None:
        self._attempt = attempt
        self._patience_s = patience_s
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=SELECT_TIMEOUT_MS,
            connectTimeoutMS=SELECT_TIMEOUT_MS,
            socketTimeoutMS=int(OPERATION_TIMEOUT_S * 1000),
            maxPoolSize=4,
            # What is acknowledged survives a mongod that is killed, and a change of primaries.
            w="majority",
            journal=True,
            tz_aware=True,
            appname=names.WORKER_NAME,
        )
        database = self._client[names.gather_database(project_id)]
        self._items = database[names.ITEMS_COLLECTION]
        self._checkpoints = database[names.CHECKPOINTS_COLLECTION]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    # --- checkpoints

    async def take_epoch(self, fresh: Checkpoint) -> Checkpoint:
        """Return the department's checkpoint under the next epoch; `fresh` is stored where there is none."""
        first = fresh.model_dump(by_alias=True)
        for key in ("_id", "epoch", "revision"):
            first.pop(key)
        taken = await self._persist(
            lambda: self._checkpoints.find_one_and_update(
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
        result = await self._persist(lambda: self._checkpoints.update_one(mine, {"$set": fields}))
        if result.matched_count == 0:
            raise Fenced(f"a newer worker than epoch {checkpoint.epoch} has the department")

    async def other_ledgers(self, own: Checkpoint) -> list[Ledger]:
        """Return the ledgers of the run's other departments."""
        query = {"runUid": own.run_uid, "_id": {"$ne": own.id}}
        found = await self._persist(lambda: self._checkpoints.find(query, {"ledger": 1}).to_list())
        return [Ledger.model_validate(document.get("ledger") or {}) for document in found]

    async def leftovers(self, own_id: str) -> list[Checkpoint]:
        """Return the project's other checkpoints with notes that are not everywhere yet, the oldest first."""
        query = {
            "_id": {"$ne": own_id},
            "$or": [{"pending.0": {"$exists": True}}, {"unindexed.0": {"$exists": True}}],
        }
        found = await self._persist(
            lambda: self._checkpoints.find(query).sort("updatedAt", 1).limit(LEFTOVERS_MAX).to_list()
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
        await self._persist(lambda: self._checkpoints.update_one(same, {"$set": cleared}))

    async def unsent_evaluations(self, own_id: str) -> list[Checkpoint]:
        """Return the project's other checkpoints whose evaluation message may not have been sent."""
        query = {"_id": {"$ne": own_id}, "evaluation": Evaluation.SENDING.value}
        found = await self._persist(
            lambda: self._checkpoints.find(query).sort("updatedAt", 1).limit(LEFTOVERS_MAX).to_list()
        )
        return [Checkpoint.model_validate(document) for document in found]

    async def note_evaluation_sent(self, other: Checkpoint) -> None:
        """Note that another department's evaluation message is at the broker; any worker may write that."""
        due = {"_id": other.id, "evaluation": Evaluation.SENDING.value}
        sent = {"evaluation": Evaluation.SENT.value, "updatedAt": datetime.now(UTC)}
        await self._persist(lambda: self._checkpoints.update_one(due, {"$set": sent}))

    # --- notes

    async def save_items(self, items: Sequence[GatherItem]) -> None:
        """Write the notes that are not there yet; one that is stays as it is."""
        documents = [item.model_dump(by_alias=True) for item in items]
        writes = [UpdateOne({"_id": d.pop("_id")}, {"$setOnInsert": d}, upsert=True) for d in documents]
        if writes:
            await self._persist(lambda: self._write_all(writes))

    async def _write_all(self, writes: list[UpdateOne]) -> None:
        try:
            await self._items.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # Two workers inserting one note at once: the other was faster, with the same text.
            failures = (error.details or {}).get("writeErrors", [])
            if not failures or any(failure.get("code") != DUPLICATE_KEY for failure in failures):
                raise

    async def set_scores(self, ids: Sequence[str], score: float) -> None:
        """Give the notes their department's score (0-100), where they have none yet."""
        query = {"_id": {"$in": list(ids)}, "automation.qualityScore": None}
        change = {"$set": {"automation.qualityScore": score}}
        await self._persist(lambda: self._items.update_many(query, change))

    async def read_items(self) -> list[GatherItem]:
        """Return the newest notes up to `ITEMS_READ_MAX` and `ITEMS_READ_CHARS`, the oldest of them first."""
        newest, is_cut = await self._persist(self._read_newest)
        if is_cut:
            _LOGGER.warning("the project has more notes than are read: the newest %d are used", len(newest))
        return newest[::-1]

    async def _read_newest(self) -> tuple[list[GatherItem], bool]:
        """Return the newest notes, the newest first, and whether there are more; parsed one by one."""
        items: list[GatherItem] = []
        chars = 0
        cursor = self._items.find({}, ITEM_FIELDS).sort("$natural", -1).limit(ITEMS_READ_MAX + 1)
        async with cursor.batch_size(ITEMS_BATCH):
            async for document in cursor:
                for item in _parse_items([document]):
                    chars += len(item.content) + len(item.summary) + len(item.context)
                    if chars > ITEMS_READ_CHARS or len(items) == ITEMS_READ_MAX:
                        return items, True
                    items.append(item)
        return items, False

    async def items_by_id(self, ids: Sequence[str]) -> list[GatherItem]:
        """Return those of the notes that exist."""
        found = await self._persist(lambda: self._items.find({"_id": {"$in": list(ids)}}).to_list())
        return _parse_items(found)

    # --- patience

    async def _persist(self, operation: Callable[[], Awaitable[T]]) -> T:
        ends_at = time.monotonic() + self._patience_s
        failures = 0
        while True:
            try:
                with METER.timing(Timer.STORE):
                    async with asyncio.timeout(OPERATION_TIMEOUT_S):
                        return await operation()
            except (PyMongoError, TimeoutError) as error:
                if isinstance(error, BSONError | InvalidOperation):
                    raise
                failures += 1
                wait_s = BACKOFF.wait_s(failures)
                left_s = min(ends_at - time.monotonic(), self._attempt.saving_remaining_s)
                if left_s <= wait_s:
                    raise StoreUnavailable(f"MongoDB is unavailable: {type(error).__name__}") from error
                level = logging.ERROR if failures == 1 else logging.WARNING
                _LOGGER.log(level, "MongoDB is unavailable; retrying: %s", type(error).__name__)
            await self._attempt.back_off(wait_s)


def _parse_items(documents: Iterable[Document]) -> list[GatherItem]:
    """Return the documents that are notes; ids of notes that other programs wrote may be ObjectIds."""
    items: list[GatherItem] = []
    for document in documents:
        try:
            items.append(GatherItem.model_validate({**document, "_id": str(document["_id"])}))
        except ValidationError:
            _LOGGER.warning("skipping a document in `gather` that is not a gather item")
    return items
