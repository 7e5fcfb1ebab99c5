"""All notes of a project as nodes, in the order of their ids, page by page: what the brain has to be like.

Unlike `NoteReader`, whose bounds are those of a prompt, this reads every document, one page at a time.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from bson.errors import BSONError
from pymongo import ReadPreference
from pymongo.collation import Collation
from pymongo.errors import OperationFailure

from gather_clients.mongodb.refusals import UNAUTHORIZED
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import FIELDS, ID_MAX, ID_TEXT, RAW, Unread, id_text, ids_of, note_of
from gather_contracts import names
from gather_contracts.brain import NodeIn
from gather_worker.documents.note_node import node_of
from gather_worker.services.mongodb import ProjectDatabase
from gather_worker.services.notes import BATCH, READ_TIMEOUT_S

IDS_PAGE: Final = 10_000
"""A megabyte of ids; a project of a million notes is sorted a hundred times, a second each."""
NOTES_PAGE: Final = 250
"""Notes that are held as nodes: 10 MB if all are as long as they may be."""
BY_CODE_POINTS: Final = Collation("simple")
"""The order of the brain and of Python, whatever the collection's own collation."""

IS_SHORT: Final[Mapping[str, Any]] = {"$lte": [{"$strLenCP": {"$ifNull": ["$text", ""]}}, ID_MAX]}
ID_TYPES: Final = ["objectId", "string", "int", "long", "double"]


class NotePages:
    """Reads one project's notes for comparing."""

    def __init__(self, store: ProjectDatabase) -> None:
        self._store = store
        # A secondary may not have yet what the brain has already, and that would be deleted.
        self._raw = store.items.with_options(codec_options=RAW, read_preference=ReadPreference.PRIMARY)
        self.unread: Counter[Unread] = Counter()
        """How many documents of the pages read so far are no notes, by reason."""

    async def has_collection(self) -> bool:
        """Return whether the collection exists; one that is empty does, after people deleted all notes."""

        async def look() -> bool:
            if await self._raw.find_one({}, {"_id": 1}) is not None:
                return True
            try:
                listed = await self._store.database.list_collection_names(
                    filter={"name": names.ITEMS_COLLECTION}
                )
            except OperationFailure as error:
                if error.code != UNAUTHORIZED:
                    raise
                return False
            return bool(listed)

        return await self._store.persist(look)

    async def pages(self) -> AsyncIterator[Sequence[NodeIn]]:
        """Yield every note as a node, page by page, in the order of the ids' code points.

        Of documents whose ids read the same (an ObjectId and its digits as text) the ObjectId's is the note.
        Raises StoreUnavailable.
        """
        after = ""
        while ids := await self._ids_after(after):
            after = ids[-1]["text"]
            by_text = {each["text"]: each["_id"] for each in reversed(ids)}
            wanted = [by_text[text] for text in sorted(by_text) if id_text(by_text[text]) == text]
            for start in range(0, len(wanted), NOTES_PAGE):
                page = await self._notes(wanted[start : start + NOTES_PAGE], self.unread)
                yield [page[note_id] for note_id in sorted(page)]

    async def present(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids that are of notes now."""
        wanted = [form for each in ids for form in ids_of(each)]
        return frozenset(await self._notes(wanted, Counter()))

    async def _ids_after(self, after: str) -> list[dict[str, Any]]:
        """Return the next ids as they are and as texts; an index is read, not one document."""
        stages: list[dict[str, Any]] = [
            {"$match": {"_id": {"$type": ID_TYPES}}},
            {"$project": {"text": ID_TEXT}},
            {"$match": {"text": {"$gt": after}, "$expr": IS_SHORT}},
            {"$sort": {"text": 1, "_id": -1}},
            {"$limit": IDS_PAGE},
        ]
        items = self._store.items.with_options(read_preference=ReadPreference.PRIMARY)

        async def find() -> list[dict[str, Any]]:
            async with await items.aggregate(
                stages, hint={"_id": 1}, allowDiskUse=True, collation=BY_CODE_POINTS, batchSize=IDS_PAGE
            ) as cursor:
                return await cursor.to_list()

        return await self._store.persist(find, timeout_s=READ_TIMEOUT_S)

    async def _notes(self, wanted: Sequence[Any], unread: Counter[Unread]) -> Mapping[str, NodeIn]:
        """Return the notes of these `_id`s as nodes, by their ids; only one document is opened at a time."""

        async def find() -> tuple[dict[str, NodeIn], Counter[Unread]]:
            found: dict[str, NodeIn] = {}
            failed: Counter[Unread] = Counter()
            cursor = self._raw.find({"_id": {"$in": list(wanted)}}, FIELDS, batch_size=BATCH)
            async with cursor.collation(BY_CODE_POINTS) as documents:
                async for document in documents:
                    try:
                        note = note_of(document, self._store.project_id)
                    except BSONError:
                        note = Unread.DAMAGED
                    if not isinstance(note, Note):
                        failed[note] += 1
                    else:
                        found[note.id] = node_of(note)
            return found, failed

        found, failed = await self._store.persist(find, timeout_s=READ_TIMEOUT_S)
        unread.update(failed)
        return found
