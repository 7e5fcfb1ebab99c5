"""The brain is asked once for what is near to the department, and never for what a prompt shows anyway."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from gather_clients.notes.note import Note
from gather_contracts.brain import EXCLUDED_IDS_MAX, Duplicate
from gather_contracts.run_document import RunDocument
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainUnusable
from gather_worker.prompts.truncation import Excerpt
from gather_worker.services.brain import Brain
from gather_worker.services.notes import ProjectRead
from gather_worker.steps.opening_questions import NearestNotes
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.related_notes import RelatedNotes


def node(name: str, department: str | None = "art") -> Duplicate:
    properties = {} if department is None else {"department": department}
    return Duplicate(node_id=name, similarity=0.5, content=f"note {name}", properties=properties)


def note(name: str, department: str, *, automated: bool = True) -> Note:
    return Note(name, f"note {name}", "a" * 24, department, is_automated=automated)


def excerpts(*names: str) -> list[Excerpt]:
    return [Excerpt(f"note {name}", name) for name in names]


class FakeBrain:
    """Gives one list of nodes for each question, or fails so often before."""

    def __init__(self, *answers: list[Duplicate], failures: int = 0) -> None:
        self.answers = answers
        self.failures = failures
        self.asked: list[tuple[list[str], list[str]]] = []

    async def nearest(self, texts: Sequence[str], excluded_ids: Sequence[str]) -> list[list[Duplicate]]:
        self.asked.append((list(texts), list(excluded_ids)))
        if self.failures:
            self.failures -= 1
            raise BrainUnusable("away")
        return list(self.answers)


class FakeStore:
    """Holds a project's notes."""

    def __init__(self, notes: list[Note], excluded_ids: Sequence[str]) -> None:
        self.read = ProjectRead(notes=notes, excluded_ids=frozenset(excluded_ids))

    async def read_notes(self) -> ProjectRead:
        return self.read


async def related(
    document: RunDocument,
    brain: FakeBrain,
    items: Sequence[Note] = (),
    excluded_ids: Sequence[str] = (),
    **spec: Any,
) -> RelatedNotes:
    """Return the first department's related notes."""
    changed = document.model_copy(update={"spec": document.spec.model_copy(update=spec)})
    task = DepartmentTask(changed, 0, 5, "pod-0")
    notes = ProjectNotes(task, cast(Any, FakeStore(list(items), excluded_ids)))
    await notes.read()
    return RelatedNotes(task, notes, NearestNotes(task, cast(Brain, brain)))


async def test_notes_of_the_whole_project_are_found_once(document: RunDocument) -> None:
    """Of other departments and of people; its own stand elsewhere in the prompt."""
    brain = FakeBrain([node("a"), node("b", "story"), node("c", None)])
    notes = await related(document, brain)
    assert await notes.ask() == await notes.ask() == excerpts("a", "c")
    assert brain.asked == [(["Story:"], [])]


async def test_once_the_brain_has_changed_they_are_found_again(document: RunDocument) -> None:
    """A worker asks while the brain is still being made equal to MongoDB."""
    brain = FakeBrain([node("a")])
    notes = await related(document, brain)
    assert await notes.ask() == excerpts("a")
    brain.answers = ([node("b")],)
    await notes.forget()
    assert await notes.ask() == excerpts("b")


async def test_beside_other_departments_they_are_found_for_each_prompt(document: RunDocument) -> None:
    """What the others have saved meanwhile is in; while the brain is away the last answer stands."""
    brain = FakeBrain([node("a")])
    notes = await related(document, brain, parallelism=2)
    assert await notes.ask() == excerpts("a")
    brain.answers = ([node("b"), node("a")],)
    assert await notes.ask() == excerpts("b", "a")
    brain.failures = 1
    with pytest.raises(BrainUnusable):
        await notes.ask()
    assert notes.known == excerpts("b", "a")


async def test_notes_that_are_not_canon_are_left_out(document: RunDocument) -> None:
    """The brain may still know them."""
    notes = await related(document, FakeBrain([node("a"), node("b")]), excluded_ids=["a"])
    assert await notes.ask() == excerpts("b")


async def test_the_focus_is_asked_for_first(document: RunDocument) -> None:
    """In turn with the department's own matter; a node that both name comes once."""
    brain = FakeBrain([node("a"), node("b"), node("c")], [node("b"), node("d")])
    notes = await related(document, brain, focus=" The harbour \u202eat night ")
    assert await notes.ask() == excerpts("a", "b", "d", "c")
    assert brain.asked[0][0] == ["The harbour at night", "Story:"]


async def test_while_the_brain_is_away_mongodb_stands_in(document: RunDocument) -> None:
    """Until it has answered once."""
    brain = FakeBrain([node("a")], failures=1)
    notes = await related(document, brain, [note("x", "art"), note("y", "story"), note("z", "art")])
    with pytest.raises(BrainUnusable):
        await notes.ask()
    assert notes.known == excerpts("z", "x")
    await notes.ask()
    assert notes.known == excerpts("a")


@pytest.mark.parametrize(("people", "shown"), [(3, 3), (100, 100), (101, 0)])
async def test_the_brain_is_told_what_prompts_show_anyway(
    document: RunDocument, people: int, shown: int
) -> None:
    """People's notes where all of them are shown, then the department's, the newest first."""
    items = [note(f"p{n}", "", automated=False) for n in range(people)]
    items += [note(f"o{n}", "story") for n in range(300)] + [note("n" * 65, "story"), note("art", "art")]
    brain = FakeBrain([])
    await (await related(document, brain, items)).ask()
    (_, excluded) = brain.asked[0]
    assert len(excluded) == EXCLUDED_IDS_MAX
    assert excluded[:shown] == [f"p{n}" for n in range(shown)]
    assert excluded[shown] == "o299"
    assert "art" not in excluded


@pytest.mark.parametrize(
    ("found", "stored", "agree"),
    [
        ("ab", [note("a", "art"), note("b", "art"), note("c", "art")], True),
        ("ab", [note("a", "art")], False),
        ("", [], True),
        ("", [note("a", "story"), note("p", "art", automated=False)], True),
        ("", [note("a", "story"), note("b", "art")], False),
    ],
    ids=["all are there", "one is gone", "an empty project", "all are shown anyway", "none was found"],
)
async def test_they_agree_where_mongodb_has_what_was_found(
    document: RunDocument,
    found: str,
    stored: list[Note],
    agree: bool,
) -> None:
    """And where nothing was found, there is nothing."""
    notes = await related(document, FakeBrain([node(name) for name in found]), stored)
    assert not notes.agree_with_notes
    await notes.ask()
    assert notes.agree_with_notes is agree
