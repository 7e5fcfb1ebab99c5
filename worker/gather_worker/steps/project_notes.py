"""The project's notes as this worker knows them: read at the start, then joined by those that it saves.

People go on editing and deleting meanwhile, which `refresh` finds out.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from gather_clients.notes.note import Note, note_of_item
from gather_contracts.items import GatherItem
from gather_worker.department.task import DepartmentTask
from gather_worker.prompts.truncation import Excerpt
from gather_worker.services.notes import ProjectRead

OVERLAP: Final = timedelta(seconds=60)
"""What changed so long before the last look is read again: the clocks of other programs may be slow."""

_LOGGER = logging.getLogger(__name__)


class NoteSource(Protocol):
    """Where the notes stand."""

    async def read_notes(self) -> ProjectRead:
        """Return all of them."""

    async def counting_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those ids whose notes still count."""

    async def changed_since(self, since: datetime) -> tuple[list[Note], frozenset[str]]:
        """Return what was changed since, and the ids of documents that are no notes any more."""


class ProjectNotes:
    """Notes that are in MongoDB, of all departments and of people, the oldest first."""

    def __init__(self, task: DepartmentTask, store: NoteSource) -> None:
        self._task = task
        self._store = store
        self._notes: list[Note] = []
        self._looked_at = datetime.now(UTC)
        self._read_at_s = float("-inf")
        self.excluded_ids: frozenset[str] = frozenset()
        """Of notes that people marked as not canon."""
        self.are_all_read = False
        """Whether no note of the project is left out or shortened for its length."""
        self._changed: dict[str, str] = {}
        self.is_own_changed = False
        """Whether people have changed or deleted notes of the department since they were measured."""

    @property
    def known(self) -> Sequence[Note]:
        """Return all of them that count."""
        return self._notes

    @property
    def own(self) -> Sequence[Note]:
        """Return the department's, which alone make its score."""
        return [note for note in self._notes if note.department == self._task.department.slug]

    def ids_of(self, iteration: int) -> list[str]:
        """Return the ids of the notes of one of the department's iterations in this run."""
        uid = self._task.document.run.uid
        return [
            note.id
            for note in self.own
            if note.origin and (note.origin.run_uid, note.origin.iteration) == (uid, iteration)
        ]

    async def read(self) -> None:
        """Read what there is."""
        self._looked_at = datetime.now(UTC)
        self._read_at_s = time.monotonic()
        read = await self._store.read_notes()
        self._notes, self.excluded_ids = read.notes, read.excluded_ids
        self.are_all_read = not (read.is_cut or read.shortened)

    async def refresh(self, *, unless_read_within_s: float = 0.0) -> None:
        """Drop the notes that people have deleted or taken out of the film, and take in what they changed.

        Nothing is done where all notes were read within that time.
        """
        if time.monotonic() - self._read_at_s < unless_read_within_s:
            return
        now = datetime.now(UTC)
        before = {note.id: note.content for note in self.own}
        there = await self._store.counting_ids([note.id for note in self._notes])
        changed, emptied = await self._store.changed_since(self._looked_at - OVERLAP)
        there -= emptied
        gone = [note.id for note in self._notes if note.id not in there]
        self._looked_at = now
        self.excluded_ids |= frozenset(gone)
        known = {note.id: note for note in self._notes if note.id in there}
        known |= {note.id: note for note in changed}
        self._notes = sorted(known.values(), key=lambda note: (note.created_at, note.id))
        self.excluded_ids -= known.keys()
        if gone:
            _LOGGER.info(
                "%d notes are deleted, emptied or not canon any more: they count no longer", len(gone)
            )
        self._changed |= {note.id: note.content for note in changed}
        self.is_own_changed |= before != {note.id: note.content for note in self.own}

    def as_they_are(self, excerpts: Iterable[Excerpt]) -> list[Excerpt]:
        """Return excerpts with their notes' words of now, and without the notes that are gone.

        The brain may have an older text, where it does not follow MongoDB yet.
        """
        words = {note.id: note.content for note in self._notes} if self.are_all_read else self._changed
        return [
            replace(each, text=words.get(each.note_id, each.text))
            for each in excerpts
            if each.note_id not in self.excluded_ids
        ]

    def add(self, items: Sequence[GatherItem]) -> None:
        """Take in notes that were written."""
        known = {note.id for note in self._notes}
        self._notes += [note_of_item(item) for item in items if item.id not in known]
