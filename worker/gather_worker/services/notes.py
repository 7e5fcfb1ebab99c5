"""Reading a project's notes out of MongoDB: every document of `gather`, whoever wrote it, in whatever form.

People's notes come first: however many Gather has written, they crowd out none of them. Memory is bounded all
the same. Only this process's strings count: each document is opened on its own and dropped at once.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from bson.errors import BSONError

from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import FIELDS, RAW, Unread, id_text, ids_of, note_of
from gather_worker.services.mongodb import ProjectDatabase

PEOPLE_READ_MAX: Final = 20_000
"""The notes of people that were changed last."""
OURS_READ_MAX: Final = 5_000
"""The newest of Gather's; older ones are compared by the brain alone."""
READ_CHARS: Final = 8_000_000
"""Of all notes: 5,000 of 250 words. Strings of so many letters take up to 32 MB of the pod's memory."""
PEOPLE_WHOLE_CHARS: Final = 4_000_000
"""Of people's; what is beyond is read shortened, each note to `PEOPLE_BRIEF_CHARS`, and none is left out."""
PEOPLE_BRIEF_CHARS: Final = 100
CHANGED_READ_MAX: Final = 500
"""Between two looks, the last changed."""
CHANGED_CHARS: Final = 500_000
EXCLUDED_READ_MAX: Final = 10_000
BATCH: Final = 250
IDS_BATCH: Final = 10_000
KEY_BYTES: Final = 16
READ_TIMEOUT_S: Final = 60.0

PEOPLES: Final[Mapping[str, Any]] = {"isAutomated": {"$ne": True}, "canon": {"$ne": False}}
OURS: Final[Mapping[str, Any]] = {"isAutomated": True, "canon": {"$ne": False}}
NOT_CANON: Final[Mapping[str, Any]] = {"canon": False}

_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class ProjectRead:
    """What stands in `gather`."""

    notes: list[Note] = field(default_factory=list)
    """The oldest first."""
    excluded_ids: frozenset[str] = frozenset()
    """Of notes that people marked as not canon: no prompt may show them, wherever they come from."""
    unread: Counter[Unread] = field(default_factory=Counter)
    """How many documents are no notes, by reason."""
    is_cut: bool = False
    """Whether there are more notes than are read."""
    shortened: int = 0
    """Of people's notes, those of which only the beginning is read."""


class NoteReader(ProjectDatabase):
    """One project's notes, for reading."""

    _seen: Mapping[bytes, Note] = {}
    """What the last look has read of the notes that changed last, by a hash of the document."""

    async def read_notes(self) -> ProjectRead:
        """Return the project's notes within the bounds, and log in one line what cannot be read."""
        read = await self.persist(self._read_all, timeout_s=READ_TIMEOUT_S)
        if read.unread:
            counted = ", ".join(f"{count} {reason}" for reason, count in read.unread.most_common())
            _LOGGER.warning("documents in `gather` that are no notes: %s", counted)
        if read.shortened:
            _LOGGER.warning(
                "people's notes are longer than can be kept: of %d only the first %d characters are read",
                read.shortened, PEOPLE_BRIEF_CHARS,
            )  # fmt: skip
        if read.is_cut:
            _LOGGER.warning(
                "the project has more notes than are read: the newest %d are used", len(read.notes)
            )
        return read

    async def notes_by_id(self, ids: Sequence[str]) -> list[Note]:
        """Return those of the notes that exist and count."""
        wanted = [form for note_id in ids for form in ids_of(note_id)]

        async def find() -> list[Note]:
            return [note async for note in self._notes({"_id": {"$in": wanted}}, Counter())]

        return await self.persist(find)

    async def counting_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids whose notes still exist and are not taken out of the film."""
        forms = {form: note_id for note_id in ids for form in ids_of(note_id)}
        query = {"_id": {"$in": list(forms)}, "canon": {"$ne": False}}

        async def find() -> frozenset[str]:
            found = await self.items.find(query, {"_id": 1}, batch_size=IDS_BATCH).to_list()
            return frozenset(forms[each["_id"]] for each in found if each["_id"] in forms)

        return await self.persist(find)

    async def changed_since(self, since: datetime) -> tuple[list[Note], frozenset[str]]:
        """Return what was changed since: the notes, and the ids of documents that are no notes any more.

        Of many the last changed; the longest are shortened. Two looks mostly find the same documents, which
        are opened once.
        """
        query = {"lastUpdated": {"$gte": since}}

        async def find() -> tuple[list[Note], frozenset[str]]:
            unread, seen = Counter[Unread](), dict[bytes, Note]()
            found, chars = list[Note](), 0
            async for note in self._notes(query, unread, CHANGED_READ_MAX, seen):
                kept = note if chars + note.size <= CHANGED_CHARS else _shortened(note)
                chars += kept.size
                found.append(kept)
            self._keep(seen, found)
            if not unread:
                return found, frozenset()
            ids = self.items.find(query, {"_id": 1}).sort("lastUpdated", -1).limit(CHANGED_READ_MAX)
            changed = frozenset(id_text(document["_id"]) for document in await ids.to_list())
            return found, changed - {note.id for note in found}

        return await self.persist(find)

    async def _read_all(self) -> ProjectRead:
        read = ProjectRead()
        peoples, ours_seen = dict[bytes, Note](), dict[bytes, Note]()
        chars = 0
        # One more than is used tells whether there are more.
        async for note in self._notes(PEOPLES, read.unread, PEOPLE_READ_MAX + 1, peoples):
            if len(read.notes) == PEOPLE_READ_MAX:
                read.is_cut = True
                break
            if chars + note.size > PEOPLE_WHOLE_CHARS:
                note = _shortened(note)  # noqa: PLW2901
                read.shortened += 1
            chars += note.size
            read.notes.append(note)
        ours = 0
        async for note in self._notes(OURS, read.unread, OURS_READ_MAX + 1, ours_seen):
            chars += note.size
            if ours == OURS_READ_MAX or chars > READ_CHARS:
                read.is_cut = True
                break
            ours += 1
            read.notes.append(note)
        self._keep(peoples | ours_seen, read.notes)
        read.notes.sort(key=lambda note: (note.created_at, note.id))
        excluded = self.items.find(NOT_CANON, {"_id": 1}).limit(EXCLUDED_READ_MAX)
        read.excluded_ids = frozenset([id_text(document["_id"]) async for document in excluded])
        return read

    def _keep(self, seen: Mapping[bytes, Note], found: Sequence[Note]) -> None:
        """Keep for the next look what was read whole."""
        whole = {id(note) for note in found}
        self._seen = {key: note for key, note in seen.items() if id(note) in whole}

    async def _notes(
        self,
        query: Mapping[str, Any],
        unread: Counter[Unread],
        limit: int = 0,
        seen: dict[bytes, Note] | None = None,
    ) -> AsyncIterator[Note]:
        """Yield the notes that a query finds, the last changed first; count in `unread` what is none.

        What the last look has kept is not opened again; `seen` gets the first that this one reads.
        """
        raw = self.items.with_options(codec_options=RAW)
        # By the application's index; an ObjectId of ours says nothing about when it was made.
        cursor = raw.find(query, FIELDS, batch_size=BATCH).sort("lastUpdated", -1).limit(limit)
        async with cursor.allow_disk_use(True) as documents:
            async for document in documents:
                is_kept = seen is not None and len(seen) < CHANGED_READ_MAX
                key = blake2b(document.raw, digest_size=KEY_BYTES).digest() if is_kept else b""
                note = self._seen.get(key) or self._note_of(document)
                if not isinstance(note, Note):
                    unread[note] += 1
                    continue
                if seen is not None and is_kept:
                    seen[key] = note
                yield note

    def _note_of(self, document: Mapping[str, Any]) -> Note | Unread:
        try:
            return note_of(document, self.project_id)
        except BSONError:
            return Unread.DAMAGED


def _shortened(note: Note) -> Note:
    return replace(note, content=note.content[:PEOPLE_BRIEF_CHARS], summary="", context="")
