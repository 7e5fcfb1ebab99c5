"""The project's notes as this worker knows them: read once, then joined by those that it saves itself."""

from collections.abc import Sequence

from gather_contracts.items import GatherItem
from gather_worker.department.task import DepartmentTask
from gather_worker.documents.note import Note, note_of_item
from gather_worker.services.store import Store


class ProjectNotes:
    """Notes that are in MongoDB, of all departments and of people, the oldest first."""

    def __init__(self, task: DepartmentTask, store: Store) -> None:
        self._task = task
        self._store = store
        self._notes: list[Note] = []
        self.excluded_ids: frozenset[str] = frozenset()
        """Of notes that people marked as not canon."""

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
        read = await self._store.read_notes()
        self._notes, self.excluded_ids = read.notes, read.excluded_ids

    def add(self, items: Sequence[GatherItem]) -> None:
        """Take in notes that were written."""
        known = {note.id for note in self._notes}
        self._notes += [note_of_item(item) for item in items if item.id not in known]
