"""The application's people: they write, edit and delete notes, Gather's too, between runs and during them.

What they do is kept in a ledger, so that afterwards each document can be compared with what its author left.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.collection import Collection

from gather_clients.notes.note_reading import Unread
from gather_contracts import names
from tests.support.application.film_notes import BAD_ID, FilmNotes, Written, stored_form
from tests.support.application_documents import Document

APPLICATION: Final = "application"
"""The name under which people's writes stand in MongoDB's profile."""
BATCH: Final = 500
PAUSE_MAX_S: Final = 0.3
"""Between two acts while a run is at work."""

_LOGGER = logging.getLogger(__name__)


@dataclass
class Ledger:
    """What people have left; ids as the brain has them."""

    notes: dict[str, Written] = field(default_factory=dict)
    """Theirs, as they stand."""
    deleted: set[str] = field(default_factory=set)
    """Whatever was deleted, theirs and Gather's."""
    edited: dict[str, str] = field(default_factory=dict)
    """Gather's notes that they have edited, and what stands there now."""
    outcasts: set[str] = field(default_factory=set)
    """Gather's notes that are not canon any more."""
    acts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    """Notes that somebody else has deleted or changed."""

    def readable(self) -> dict[str, Written]:
        """Return people's notes that must be read."""
        return {i: n for i, n in self.notes.items() if n.unread is None and n.is_canon}

    def unread(self) -> Counter[str]:
        """Return how many of people's canon notes cannot be read, by reason."""
        return Counter(n.unread for n in self.notes.values() if n.unread is not None and n.is_canon)

    def no_notes(self) -> Counter[str]:
        """Return how many documents a sync meets that are no notes, by reason.

        It goes by the ids, and does not meet documents whose id it cannot use.
        """
        met = [note for note in self.notes.values() if note.unread != BAD_ID]
        outcasts = sum(not note.is_canon for note in met) + len(self.outcasts - self.deleted)
        unread = Counter(n.unread for n in met if n.unread is not None and n.is_canon)
        return +(unread + Counter({Unread.NOT_CANON.value: outcasts}))

    def gone(self) -> frozenset[str]:
        """Return the ids of all that was deleted or taken out of the film, theirs and Gather's."""
        return frozenset(
            self.deleted | self.outcasts | {i for i, n in self.notes.items() if not n.is_canon}
        )  # fmt: skip


class People:
    """Everybody who works on one project; what they do next follows from the seed."""

    def __init__(self, uri: str, project_id: str, seed: int) -> None:
        self._client = MongoClient[Document](uri, tz_aware=True, appname=APPLICATION)
        codec = CodecOptions[Document](tz_aware=True, unicode_decode_error_handler="replace")
        database = self._client[names.gather_database(project_id)]
        self.gather: Collection[Document] = database.get_collection(names.ITEMS_COLLECTION, codec)
        self.ledger = Ledger()
        self._notes = FilmNotes(project_id, seed)
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        acts: dict[Callable[[], str | None], int] = {
            self._add: 5, self._edit: 5, self._edit_ours: 2, self._delete: 4, self._delete_ours: 1,
            self._mark: 2, self._mark_ours: 1,
        }  # fmt: skip
        self._acts = [act for act, weight in acts.items() for _ in range(weight)]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def write(self, count: int) -> None:
        """Write so many notes, of all forms, as they have come to stand there over the years."""
        notes = list(self._notes.some(count))
        for start in range(0, count, BATCH):
            self._insert(notes[start : start + BATCH])
            _LOGGER.debug("%d notes of people are written", min(start + BATCH, count))

    def work(self, acts: int) -> None:
        """Do so much, one thing after the other."""
        for _ in range(acts):
            self._act()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Work all the time while the block lasts; what went wrong is raised at its end."""
        over = threading.Event()
        failures: list[BaseException] = []

        def act() -> None:
            try:
                while not over.wait(self._random.uniform(0, PAUSE_MAX_S)):
                    self._act()
            except BaseException as error:  # noqa: BLE001 - raised where the block ends
                failures.append(error)

        thread = threading.Thread(target=act, name="people")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if failures:
            raise failures[0]

    def delete(self, note_id: Any) -> None:
        """Delete one of Gather's notes."""
        self.ledger.edited.pop(str(note_id), None)
        self._remove(note_id)

    # --- what they do

    def _act(self) -> None:
        kind = self._random.choice(self._acts)()
        if kind is not None:
            self.ledger.acts[kind] += 1

    def _insert(self, notes: Iterable[Written]) -> None:
        known = {note.node_id: note for note in notes}
        self.gather.insert_many(
            [stored_form(note.document) for note in known.values()], bypass_document_validation=True
        )
        self.ledger.notes |= known

    def _add(self) -> str:
        self._insert([self._notes.note()])
        return "added"

    def _edit(self) -> str | None:
        note = self._one_of_theirs()
        return None if note is None else self._replace(note, self._notes.rewritten(note, _now()), "edited")

    def _mark(self) -> str | None:
        """Settle a note, or take it out of the film, or back into it."""
        note = self._one_of_theirs()
        if note is None:
            return None
        marks = self._random.choice(({"locked": True}, {"canon": False}, {"canon": True}))
        marked = Written(note.document | marks | {"lastUpdated": _now()}, note.form, note.words, note.unread)
        return self._replace(note, marked, "marked")

    def _replace(self, note: Written, other: Written, what: str) -> str:
        written = self.gather.replace_one(
            {"_id": note.document["_id"]}, stored_form(other.document), bypass_document_validation=True
        )  # fmt: skip
        if written.matched_count:
            self.ledger.notes[note.node_id] = other
        else:
            self.ledger.lost.append(note.node_id)
        return what

    def _delete(self) -> str | None:
        note = self._one_of_theirs()
        if note is None:
            return None
        del self.ledger.notes[note.node_id]
        self._remove(note.document["_id"])
        return "deleted"

    def _edit_ours(self) -> str | None:
        note_id = self._one_of_ours()
        if note_id is None:
            return None
        words = self._notes.sentence()
        edited = self.gather.update_one(
            {"_id": note_id, "isAutomated": True}, {"$set": {"content": words, "lastUpdated": _now()}}
        )
        if not edited.matched_count:
            self.ledger.lost.append(str(note_id))
        self.ledger.edited[str(note_id)] = words
        return "Gather's edited"

    def _mark_ours(self) -> str | None:
        note_id = self._one_of_ours()
        if note_id is None:
            return None
        self.gather.update_one({"_id": note_id}, {"$set": {"canon": False, "lastUpdated": _now()}})
        self.ledger.outcasts.add(str(note_id))
        return "Gather's marked"

    def _delete_ours(self) -> str | None:
        note_id = self._one_of_ours()
        if note_id is None:
            return None
        self.delete(note_id)
        return "Gather's deleted"

    def _remove(self, note_id: Any) -> None:
        if not self.gather.delete_one({"_id": note_id}).deleted_count:
            self.ledger.lost.append(str(note_id))
        self.ledger.deleted.add(str(note_id))

    # --- whom it meets

    def _one_of_theirs(self) -> Written | None:
        known = self.ledger.notes
        return known[self._random.choice(list(known))] if known else None

    def _one_of_ours(self) -> Any:
        """Return the id of a note of Gather's on people's first pages; a quarter of all they leave alone."""
        found = self.gather.find({"isAutomated": True}, {"_id": 1}).sort("lastUpdated", -1).limit(40)
        ids = [document["_id"] for document in found if int(str(document["_id"])[-1], 16) % 4]
        return self._random.choice(ids) if ids else None


def _now() -> datetime:
    """Return the time as MongoDB keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
