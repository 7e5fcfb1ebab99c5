"""The brain is asked once for what is near to the department, and never for what a prompt shows anyway."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from gather_contracts.brain import EXCLUDED_IDS_MAX, Duplicate
from gather_contracts.items import GatherItem
from gather_contracts.run_document import RunDocument
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BrainUnusable
from gather_worker.services.brain import Brain
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.related_notes import RelatedNotes


def node(name: str, department: str | None = "art") -> Duplicate:
    properties = {} if department is None else {"department": department}
    return Duplicate(node_id=name, similarity=0.5, content=f"note {name}", properties=properties)


def item(name: str, department: str, *, automated: bool = True) -> GatherItem:
    return GatherItem(
        id=name, content=f"note {name}", project_id="a" * 24, department=department, is_automated=automated
    )


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

    def __init__(self, items: list[GatherItem]) -> None:
        self.items = items

    async def read_items(self) -> list[GatherItem]:
        return self.items


async def related(
    document: RunDocument, brain: FakeBrain, items: Sequence[GatherItem] = (), **spec: Any
) -> RelatedNotes:
    """Return the first department's related notes."""
    changed = document.model_copy(update={"spec": document.spec.model_copy(update=spec)})
    task = DepartmentTask(changed, 0, 5, "pod-0")
    notes = ProjectNotes(task, cast(Any, FakeStore(list(items))))
    await notes.read()
    return RelatedNotes(task, notes, cast(Brain, brain))


async def test_notes_of_the_whole_project_are_found_once(document: RunDocument) -> None:
    """Of other departments and of people; its own stand elsewhere in the prompt."""
    brain = FakeBrain([node("a"), node("b", "story"), node("c", None)])
    notes = await related(document, brain)
    assert await notes.ask() == await notes.ask() == ["note a", "note c"]
    assert brain.asked == [(["Story:"], [])]


async def test_the_focus_is_asked_for_first(document: RunDocument) -> None:
    """In turn with the department's own matter; a node that both name comes once."""
    brain = FakeBrain([node("a"), node("b"), node("c")], [node("b"), node("d")])
    notes = await related(document, brain, focus=" The harbour \u202eat night ")
    assert await notes.ask() == ["note a", "note b", "note d", "note c"]
    assert brain.asked[0][0] == ["The harbour at night", "Story:"]


async def test_while_the_brain_is_away_mongodb_stands_in(document: RunDocument) -> None:
    """Until it has answered once."""
    brain = FakeBrain([node("a")], failures=1)
    notes = await related(document, brain, [item("x", "art"), item("y", "story"), item("z", "art")])
    with pytest.raises(BrainUnusable):
        await notes.ask()
    assert notes.known == ["note z", "note x"]
    await notes.ask()
    assert notes.known == ["note a"]


@pytest.mark.parametrize(("people", "shown"), [(3, 3), (100, 100), (101, 0)])
async def test_the_brain_is_told_what_prompts_show_anyway(
    document: RunDocument, people: int, shown: int
) -> None:
    """People's notes where all of them are shown, then the department's, the newest first."""
    items = [item(f"p{n}", "", automated=False) for n in range(people)]
    items += [item(f"o{n}", "story") for n in range(300)] + [item("n" * 65, "story"), item("art", "art")]
    brain = FakeBrain([])
    await (await related(document, brain, items)).ask()
    (_, excluded) = brain.asked[0]
    assert len(excluded) == EXCLUDED_IDS_MAX
    assert excluded[:shown] == [f"p{n}" for n in range(shown)]
    assert excluded[shown] == "o299"
    assert "art" not in excluded
