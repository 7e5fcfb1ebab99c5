"""People's notes without a department that count for one: which are asked about, and when none counts."""

import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gather_clients.notes.note import Note
from gather_contracts.brain import COVERAGE_ITEMS_MAX, Duplicate
from gather_contracts.run_document import RunDocument
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainUnusable
from gather_worker.services.brain import Brain
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.treating_notes import COUNTED_MAX, TreatingNotes


def note(name: str, department: str = "", *, is_automated: bool = False) -> Note:
    return Note(
        id=name, content=f"Words of {name}.", project_id="a" * 24, department=department,
        is_automated=is_automated,
    )  # fmt: skip


class FakeNotes:
    """Notes as they are known."""

    def __init__(self, known: Sequence[Note]) -> None:
        self.known = list(known)


class FakeBrain:
    """Finds what its answers name; one of them may be an error."""

    def __init__(self, *answers: list[str] | Exception | None, near: Sequence[str] = ()) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.near = near
        self.searches = 0

    async def treating(self, _: Any, notes: Sequence[Note]) -> list[str] | None:
        self.asked.append([each.id for each in notes])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def nearest(self, texts: Sequence[str], _: Sequence[str]) -> list[list[Duplicate]]:
        self.searches += 1
        nodes = [Duplicate(node_id=name, similarity=0.5, content="", properties={}) for name in self.near]
        return [nodes for _ in texts]


def treating(document: RunDocument, notes: FakeNotes, brain: FakeBrain) -> TreatingNotes:
    task = DepartmentTask(document, 0, 4, "pod")
    return TreatingNotes(task, cast("ProjectNotes", notes), cast("Brain", brain))


async def test_only_people_s_notes_of_no_department_are_asked_about(document: RunDocument) -> None:
    """Once; the answer stays for the whole process."""
    known = [note("mine", is_automated=True), note("story", "story"), note("a"), note("b"), note("x" * 65)]
    brain = FakeBrain(["b"])
    step = treating(document, FakeNotes(known), brain)
    assert [each.id for each in await step.find()] == ["b"]
    assert [each.id for each in await step.find()] == ["b"]
    assert brain.asked == [["a", "b"]]
    assert brain.searches == 0


async def test_without_a_brain_none_counts_and_it_is_asked_again(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """The same for a brain that knows nothing of the project yet."""
    caplog.set_level(logging.INFO)
    brain = FakeBrain(BrainUnusable("away"), None, ["a"])
    step = treating(document, FakeNotes([note("a")]), brain)
    assert await step.find() == []
    assert "people's notes without a department do not count: the brain is unavailable" in caplog.text
    assert await step.find() == []
    assert [each.id for each in await step.find()] == ["a"]
    assert "count for this one: 1" in caplog.text


async def test_of_many_the_nearest_are_asked_about(document: RunDocument) -> None:
    """Coverage takes a hundred; the project's index finds those that are worth it."""
    known = [note(f"n{number}") for number in range(COVERAGE_ITEMS_MAX + 1)]
    brain = FakeBrain(["n7"], near=["n7", "n9", "ours"])
    assert [each.id for each in await treating(document, FakeNotes(known), brain).find()] == ["n7"]
    assert brain.asked == [["n7", "n9"]]


async def test_no_more_than_a_few_count_and_they_come_in_their_own_order(document: RunDocument) -> None:
    """The nearest of them, the oldest first, as everywhere."""
    known = [note(f"n{number:02}") for number in range(COUNTED_MAX + 5)]
    brain = FakeBrain([each.id for each in known[::-1]])
    counted = await treating(document, FakeNotes(known), brain).find()
    assert counted == known[5:]


async def test_a_note_that_was_deleted_meanwhile_no_longer_counts(document: RunDocument) -> None:
    """And one that was edited counts as it is now."""
    notes = FakeNotes([note("a"), note("b")])
    step = treating(document, notes, FakeBrain(["a", "b"]))
    await step.find()
    notes.known = [Note(id="b", content="Other words.", project_id="a" * 24)]
    assert [each.content for each in await step.find()] == ["Other words."]


async def test_where_nobody_has_left_any_the_brain_is_not_asked(document: RunDocument) -> None:
    """It is a call of the coverage limit."""
    brain = FakeBrain()
    assert await treating(document, FakeNotes([note("o", is_automated=True)]), brain).find() == []
    assert brain.asked == []
