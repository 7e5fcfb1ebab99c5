"""All that a worker stores in MongoDB: checkpoints, and its own notes in the application's form.

A note is written together with the checkpoint that strikes it off `pending`, so that nobody writes it a
second time: in one transaction where MongoDB has them. A single server has none. There the command that
writes a note has the server look whether it is still pending in the writer's epoch, and the next one strikes
it off; between the two a worker can die.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel, ReadPreference, UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import NetworkTimeout, OperationFailure

from gather_clients.mongodb.refusals import is_on_own_id
from gather_clients.notes.note_reading import id_of, id_text
from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.services.checkpoint_store import CheckpointStore, fenced, fields_of
from gather_worker.services.mongodb import FOLLOWED, Document
from gather_worker.services.notes import NoteReader

INDEXES: Final = (
    IndexModel([("projectId", ASCENDING)]),
    IndexModel([("lastUpdated", DESCENDING)]),
    IndexModel([("createdAt", DESCENDING)]),
    IndexModel([("summary", TEXT), ("context", TEXT), ("content", TEXT)]),
    IndexModel([("isAutomated", ASCENDING)]),
    IndexModel([("automationMetadata.department", ASCENDING)]),
    IndexModel([("automationMetadata.taskId", ASCENDING)]),
)
"""The application's own; it finds them made where Gather is first."""

NO_TRANSACTIONS: Final = frozenset({20, 263})
"""IllegalOperation, of a single server; OperationNotSupportedInTransaction, of a capped collection."""

_LOGGER = logging.getLogger(__name__)


def document_of(item: GatherItem) -> Document:
    """Return the document that is written for an item; what has no value is left out."""
    return item.model_dump(by_alias=True, exclude_none=True) | {"_id": id_of(item.id)}


def without_id(document: Document) -> Document:
    """Return what else a document holds."""
    return {name: value for name, value in document.items() if name != "_id"}


def codes_of(error: OperationFailure) -> set[int]:
    """Return the codes of an error and of its writes' errors."""
    details = error.details or {}
    return {each.get("code", 0) for each in (details, *details.get("writeErrors", ()))} | {error.code or 0}


class Store(CheckpointStore, NoteReader):
    """One project's database, as one worker uses it."""

    _has_transactions: bool | None = None
    """None until the first notes are written."""
    _unconfirmed: tuple[Document, ...] = ()
    """Notes that a single server has, but has not confirmed: the last of their batch does it for all."""
    _failures_seen = 0
    """How many failures there had been when it last confirmed."""

    async def batch_of(self, pending: Sequence[GatherItem]) -> list[GatherItem]:
        """Return the first of the notes, those that `publish` can write at once."""
        if self._has_transactions is None:
            await self.persist(self._prepare)
            hello = await self.persist(lambda: self._client.admin.command("hello"))
            self._has_transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
        return list(pending if self._has_transactions else pending[:1])

    async def publish(self, changed: Checkpoint, items: Sequence[GatherItem]) -> None:
        """Write pending notes, and the checkpoint in which they are no longer pending.

        A note that the stored checkpoint no longer has among its pending ones was written before: it is not
        written again, be it there or deleted. Raises Fenced, with nothing written, if a newer worker has the
        department, and WriteRefused if the collection does not take one of them; it stays pending then.
        """
        documents = [document_of(item) for item in items]
        if self._has_transactions and await self.persist(lambda: self._commit(changed, documents)):
            return
        self._unconfirmed += tuple(documents)
        for document in documents:
            await self.persist(partial(self._merge, changed, document))
        await self.write(changed, is_followed=bool(changed.pending))

    async def write_lost_notes(self, changed: Checkpoint) -> None:
        """After a failure write again what was not confirmed: the notes that a killed server has lost are
        pending in the checkpoint that it still has.
        """
        if self.failures != self._failures_seen:
            for document in self._unconfirmed:
                await self._merge(changed, document)

    def confirmed(self) -> None:
        """Note that what was written until now cannot be lost any more."""
        self._unconfirmed, self._failures_seen = (), self.failures

    async def _commit(self, changed: Checkpoint, documents: Sequence[Document]) -> bool:
        """Write both or neither; return whether MongoDB can."""
        try:
            await self.session.with_transaction(
                partial(self._write_both, changed, documents), read_preference=ReadPreference.PRIMARY
            )
        except OperationFailure as error:
            if NO_TRANSACTIONS.isdisjoint(codes_of(error)):
                raise
            self._has_transactions = False
        return bool(self._has_transactions)

    async def _write_both(
        self, changed: Checkpoint, documents: Sequence[Document], session: AsyncClientSession
    ) -> None:
        identity, fields = fields_of(changed)
        before = await self.checkpoints.find_one_and_update(
            identity | {"revision": {"$lt": changed.revision}}, {"$set": fields},
            projection={"pending._id": 1}, session=session,
        )  # fmt: skip
        if before is None:
            # The transaction of an earlier try may have been committed, and only its answer lost.
            same = identity | {"revision": changed.revision}
            if await self.checkpoints.find_one(same, {"_id": 1}, session=session) is None:
                raise fenced(changed)
            return
        pending = {id_of(note["_id"]) for note in before.get("pending") or ()}
        # Upserts, since a version without transactions may have been ended between note and checkpoint.
        if writes := [
            UpdateOne({"_id": d["_id"]}, {"$setOnInsert": without_id(d)}, upsert=True)
            for d in documents
            if d["_id"] in pending
        ]:
            await self.items.bulk_write(writes, ordered=True, session=session)

    async def _merge(self, changed: Checkpoint, document: Document) -> None:
        """Write a note if it is pending in the checkpoint as MongoDB has it when it gets to this command."""
        stages: list[Mapping[str, Any]] = [
            {"$match": {
                "_id": changed.id, "epoch": changed.epoch, "revision": {"$lt": changed.revision},
                "pending._id": id_text(document["_id"]),
            }},
            {"$replaceWith": {"$literal": document}},
            {"$merge": {"into": names.ITEMS_COLLECTION, "whenMatched": "keepExisting"}},
        ]  # fmt: skip
        checkpoints = self.checkpoints.with_options(write_concern=FOLLOWED)
        try:
            async with await checkpoints.aggregate(stages) as cursor:
                await cursor.to_list()
        except OperationFailure as error:
            # Another worker was writing it in the same moment.
            if not is_on_own_id({**(error.details or {}), "code": error.code}):
                raise

    async def set_scores(self, ids: Sequence[str], score: float) -> None:
        """Give the notes their department's score (0-100), where they have none yet.

        That is a change of the document, so `lastUpdated` says so, as for every change by the application:
        whoever looks for what is new by it finds the score. It never goes back, whatever the clocks say: a
        node's revision follows from it, and the brain would refuse the score. The notes stay a millisecond
        apart: MongoDB gives what is equal in a page's order in any order, so that pages would show one note
        twice and another never.
        """
        if not ids:
            return
        own = [id_of(note_id) for note_id in ids]
        writes = [_scoring("automationMetadata", own, score)]
        if older := [note_id for note_id in own if isinstance(note_id, str)]:
            # An older version's notes have texts for ids, and most of them their metadata elsewhere.
            writes.append(_scoring("automation", older, score))
        await self.persist(lambda: self.items.bulk_write(writes, ordered=False))

    async def _prepare(self) -> None:
        """Make the application's indexes if nobody has made the collection's; whatever is there is respected.

        A worker that may not do so works without them.
        """
        try:
            if await self._has_indexes():
                return
            await self.items.create_indexes(list(INDEXES))
        except (OperationFailure, NetworkTimeout) as error:
            reason = error.code if isinstance(error, OperationFailure) else "they take long"
            _LOGGER.warning("the indexes of `gather` are not made, the work goes on: %s", reason)

    async def _has_indexes(self) -> bool:
        """Return whether there is an index besides that of `_id`, or a program is about to make them."""
        return len(await self.items.index_information()) > 1


def _scoring(field: str, ids: Sequence[Any], score: float) -> UpdateMany:
    found: Mapping[str, Any] = {
        "_id": {"$in": list(ids)}, field: {"$type": "object"}, f"{field}.qualityScore": None
    }  # fmt: skip
    change: dict[str, Any] = {f"{field}.qualityScore": score}
    if field == "automationMetadata":
        # The last one has MongoDB's time: a person's edit that comes next is later than all of them.
        before_last_ms = {"$subtract": [len(ids) - 1, {"$indexOfArray": [{"$literal": list(ids)}, "$_id"]}]}
        change["lastUpdated"] = {"$max": [{"$subtract": ["$$NOW", before_last_ms]}, "$lastUpdated"]}
    return UpdateMany(found, [{"$set": change}])
