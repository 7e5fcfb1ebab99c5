"""What the worker knows of the project's notes while people change them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from gather_clients.notes.note import Note
from gather_contracts.run_document import RunDocument
from gather_worker.department.task import DepartmentTask
from gather_worker.prompts.truncation import Excerpt
from gather_worker.services.notes import ProjectRead
from gather_worker.services.store import Store
from gather_worker.steps.project_notes import ProjectNotes


class ChangingStore:
    """Notes that a test changes: `edit` is a change that is seen, `notes` is all there is."""

    def __init__(self, *notes: Note) -> None:
        self.notes = {note.id: note for note in notes}
        self.edited: dict[str, Note] = {}

    def edit(self, note: Note) -> None:
        self.notes[note.id] = self.edited[note.id] = note

    async def read_notes(self) -> ProjectRead:
        return ProjectRead(notes=list(self.notes.values()))

    async def counting_ids(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(ids) & self.notes.keys()

    async def changed_since(self, since: datetime) -> tuple[list[Note], frozenset[str]]:
        assert since < datetime.now(UTC)
        return [n for n in self.edited.values() if n.content], frozenset(
            name for name, n in self.edited.items() if not n.content
        )


def note(name: str, department: str = "story") -> Note:
    return Note(name, f"note {name}", "a" * 24, department)


@pytest.fixture
def store() -> ChangingStore:
    return ChangingStore(note("a"), note("b"), note("c", ""))


@pytest.fixture
async def notes(document: RunDocument, store: ChangingStore) -> ProjectNotes:
    task = DepartmentTask(document, 0, 3, "pod")
    made = ProjectNotes(task, cast(Store, store))
    await made.read()
    return made


def contents(notes: Sequence[Note]) -> list[str]:
    return [each.content for each in notes]


async def test_without_changes_nothing_is_different(notes: ProjectNotes) -> None:
    """Nor is the department measured again."""
    before = list(notes.known)
    await notes.refresh()
    assert list(notes.known) == before
    assert not notes.is_own_changed


async def test_a_note_that_people_deleted_counts_no_longer(notes: ProjectNotes, store: ChangingStore) -> None:
    """Not for scores, not for prompts, and not in what the brain gave before."""
    del store.notes["a"]
    await notes.refresh()
    assert contents(notes.own) == ["note b"]
    assert contents(notes.known) == ["note b", "note c"]
    assert notes.is_own_changed
    shown = notes.as_they_are([Excerpt("note a", "a"), Excerpt("note c", "c"), Excerpt("Themes: sea")])
    assert shown == [Excerpt("note c", "c"), Excerpt("Themes: sea")]


async def test_a_note_that_people_changed_or_added_is_read(notes: ProjectNotes, store: ChangingStore) -> None:
    """With its new words wherever it is shown, and one of the whole film changes no score."""
    store.edit(replace(note("c", ""), content="note c, again"))
    store.edit(note("d", ""))
    await notes.refresh()
    assert contents(notes.known) == ["note a", "note b", "note c, again", "note d"]
    assert notes.as_they_are([Excerpt("note c", "c")]) == [Excerpt("note c, again", "c")]
    assert not notes.is_own_changed
    store.edit(replace(note("b"), content="note b, again"))
    await notes.refresh()
    assert notes.is_own_changed


async def test_a_note_that_people_emptied_counts_no_longer(notes: ProjectNotes, store: ChangingStore) -> None:
    """Its document is there, and says nothing."""
    store.edit(replace(note("b"), content=""))
    await notes.refresh()
    assert contents(notes.own) == ["note a"]


async def test_a_note_that_comes_back_counts_again(notes: ProjectNotes, store: ChangingStore) -> None:
    """People put `canon` back, or undo a deletion."""
    taken = store.notes.pop("a")
    await notes.refresh()
    store.edit(taken)
    await notes.refresh()
    assert "note a" in contents(notes.known)
    assert notes.as_they_are([Excerpt("note a", "a")]) == [Excerpt("note a", "a")]


async def test_what_was_changed_before_is_shown_as_it_is(notes: ProjectNotes) -> None:
    """The brain may follow later than the prompt is written."""
    assert notes.as_they_are([Excerpt("Its old words.", "a")]) == [Excerpt("note a", "a")]
