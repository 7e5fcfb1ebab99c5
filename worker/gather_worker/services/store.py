"""All that a worker stores in MongoDB: checkpoints, and its own notes in the application's form."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, NetworkTimeout, OperationFailure

from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_worker.documents.note_reading import id_of
from gather_worker.errors import WriteRefused
from gather_worker.services.checkpoint_store import CheckpointStore
from gather_worker.services.mongodb import Document
from gather_worker.services.notes import NoteReader
from gather_worker.services.refusals import is_on_own_id, refusal_in

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

_LOGGER = logging.getLogger(__name__)


def document_of(item: GatherItem) -> Document:
    """Return the document that is written for an item; what has no value is left out."""
    return item.model_dump(by_alias=True, exclude_none=True) | {"_id": id_of(item.id)}


class Store(CheckpointStore, NoteReader):
    """One project's database, as one worker uses it."""

    _is_prepared = False

    async def save_items(self, items: Sequence[GatherItem]) -> None:
        """Write the notes that are not there yet; one that is stays as it is.

        Raises WriteRefused, with the others written, if the collection does not take one of them.
        """
        if not items:
            return
        if not self._is_prepared:
            await self.persist(self._prepare)
            self._is_prepared = True
        documents = [document_of(item) for item in items]
        writes = [UpdateOne({"_id": d.pop("_id")}, {"$setOnInsert": d}, upsert=True) for d in documents]
        await self.persist(lambda: self._write_all(writes))

    async def set_scores(self, ids: Sequence[str], score: float) -> None:
        """Give the notes their department's score (0-100), where they have none yet.

        That is a change of the document, so `lastUpdated` says so, as for every change by the application:
        whoever looks for what is new by it finds the score.
        """
        if not ids:
            return
        own = [id_of(note_id) for note_id in ids]
        writes = [_scoring("automationMetadata", own, score)]
        if older := [note_id for note_id in own if isinstance(note_id, str)]:
            # An older version's notes have texts for ids, and most of them their metadata elsewhere.
            writes.append(_scoring("automation", older, score))
        await self.persist(lambda: self._write_all(writes))

    async def _write_all(self, writes: Sequence[UpdateOne | UpdateMany]) -> None:
        try:
            await self.items.bulk_write(list(writes), ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors") or []
            # Two workers inserting one note at once: the other was faster, with the same text.
            others = [failure for failure in failures if not is_on_own_id(failure)]
            if refused := [refusal for failure in others if (refusal := refusal_in(failure))]:
                raise self._refused(refused, len(writes)) from None
            if others or not failures:
                raise

    def _refused(self, refused: Sequence[str], written: int) -> WriteRefused:
        many = f" ({len(refused)} of {written} writes)" if written > 1 else ""
        return WriteRefused(f"{self.database.name}.{names.ITEMS_COLLECTION}: {refused[0]}{many}")

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
    change: dict[str, Any] = {"$set": {f"{field}.qualityScore": score}}
    if field == "automationMetadata":
        change["$currentDate"] = {"lastUpdated": True}
    return UpdateMany(found, change)
