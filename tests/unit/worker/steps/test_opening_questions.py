"""What the brain is asked before the rest of a worker is there, and when its answer counts no more."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_contracts.brain import Duplicate
from gather_worker.errors import BrainUnusable
from gather_worker.services.brain import RELATED_NODES
from gather_worker.steps.opening_questions import EarlierContext, NearestNotes, OpeningQuestions


@dataclass
class FakeBrain:
    """Answers as soon as it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    is_unusable: bool = False
    nodes: list[Duplicate] = field(default_factory=list)
    searches: list[Sequence[str]] = field(default_factory=list)
    """The ids that each search excluded."""

    async def earlier_context(self, *_: Any) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_unusable:
            raise BrainUnusable("it is unavailable")

    async def nearest(self, _: Sequence[str], excluded_ids: Sequence[str]) -> list[list[Duplicate]]:
        self.searches.append(excluded_ids)
        await self.may_answer.wait()
        if self.is_unusable:
            raise BrainUnusable("it is unavailable")
        return [self.nodes]


@dataclass
class FakeTask:
    is_beside_others: bool = False
    focus: str = ""
    previous: tuple[str, ...] = ("story",)
    department: Any = field(
        default_factory=lambda: SimpleNamespace(slug="sound", name="Sound", description="")
    )


def earlier(brain: FakeBrain, **task: Any) -> EarlierContext:
    return EarlierContext(cast(Any, FakeTask(**task)), cast(Any, brain))


async def test_what_is_asked_at_once_is_not_asked_again() -> None:
    """Its answer comes while MongoDB is read."""
    brain = FakeBrain()
    context = earlier(brain)
    context.begin()
    brain.may_answer.set()
    await context.ask()
    await context.ask()
    assert brain.asked == 1


async def test_an_answer_that_was_on_its_way_when_the_brain_changed_does_not_count() -> None:
    """Notes that a predecessor had left were indexed meanwhile."""
    brain = FakeBrain()
    context = earlier(brain)
    context.begin()
    forgetting = asyncio.create_task(context.forget())
    await asyncio.sleep(0)
    brain.may_answer.set()
    await forgetting
    await context.ask()
    assert brain.asked == 2


async def test_an_unusable_brain_is_asked_again_later() -> None:
    """Nothing optional is fatal."""
    brain = FakeBrain(is_unusable=True)
    brain.may_answer.set()
    context = earlier(brain)
    context.begin()
    with pytest.raises(BrainUnusable):
        await context.ask()
    brain.is_unusable = False
    await context.ask()
    assert brain.asked == 3


async def test_beside_other_departments_only_the_prompts_ask() -> None:
    """What was asked at the start would be old."""
    brain = FakeBrain()
    questions = OpeningQuestions(cast(Any, FakeTask(is_beside_others=True)), cast(Any, brain))
    questions.begin()
    await asyncio.sleep(0)
    assert (brain.asked, brain.searches) == (0, [])
    await questions.close()


async def test_what_is_on_its_way_at_the_end_is_not_waited_for() -> None:
    """Nor is it asked by a second beginning."""
    brain = FakeBrain()
    questions = OpeningQuestions(cast(Any, FakeTask()), cast(Any, brain))
    questions.begin()
    questions.begin()
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await questions.close()
    assert (brain.asked, brain.searches) == (1, [()])


def nodes(*names: str) -> list[Duplicate]:
    return [Duplicate(node_id=name, similarity=0.5, content="a lamp", properties={}) for name in names]


def nearest(brain: FakeBrain, *found: str) -> NearestNotes:
    brain.may_answer.set()
    brain.nodes = nodes(*found)
    return NearestNotes(cast(Any, FakeTask()), cast(Any, brain))


async def test_what_was_searched_ahead_answers_once_without_the_excluded() -> None:
    """All that there is was found."""
    brain = FakeBrain()
    notes = nearest(brain, "a", "b")
    notes.begin()
    assert await notes.ask(["a"]) == [nodes("b")]
    assert brain.searches == [()]
    await notes.ask(["a"])
    assert brain.searches == [(), ["a"]]


async def test_where_most_of_what_is_nearest_is_excluded_it_is_searched_again() -> None:
    """Behind it stand others."""
    names = [str(number) for number in range(RELATED_NODES)]
    for excluded, searched in ((RELATED_NODES // 2, 1), (RELATED_NODES // 2 + 1, 2)):
        brain = FakeBrain()
        notes = nearest(brain, *names)
        notes.begin()
        await notes.ask(names[:excluded])
        assert len(brain.searches) == searched


async def test_a_search_that_failed_or_is_old_is_made_again() -> None:
    """The brain was unavailable, or has been written to."""
    brain = FakeBrain(is_unusable=True)
    notes = nearest(brain, "a")
    notes.begin()
    with pytest.raises(BrainUnusable):
        await notes.ask([])
    brain.is_unusable = False
    notes.begin()
    await notes.forget()
    assert await notes.ask([]) == [nodes("a")]
    assert len(brain.searches) == 4
