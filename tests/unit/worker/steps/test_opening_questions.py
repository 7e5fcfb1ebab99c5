"""What the brain is asked before the rest of a worker is there, and when its answer counts no more."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_worker.errors import BrainUnusable
from gather_worker.steps.opening_questions import EarlierContext, OpeningQuestions


@dataclass
class FakeBrain:
    """Answers as soon as it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    pages_asked: int = 0
    was_listed: asyncio.Event = field(default_factory=asyncio.Event)
    is_unusable: bool = False

    async def earlier_context(self, *_: Any) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_unusable:
            raise BrainUnusable("it is unavailable")

    async def is_usable(self) -> bool:
        await self.may_answer.wait()
        return not self.is_unusable

    @property
    def nodes(self) -> "FakeBrain":
        return self

    async def pages(self) -> AsyncGenerator[list[str], None]:
        for page in (["a"], ["b"]):
            self.pages_asked += 1
            self.was_listed.set()
            yield page


@dataclass
class FakeTask:
    is_beside_others: bool = False
    previous: tuple[str, ...] = ("story",)
    department: Any = field(default_factory=lambda: SimpleNamespace(slug="sound"))


def earlier(brain: FakeBrain, **task: Any) -> EarlierContext:
    return EarlierContext(cast(Any, FakeTask(**task)), cast(Any, brain))


def opening(brain: FakeBrain, **task: Any) -> OpeningQuestions:
    return OpeningQuestions(cast(Any, FakeTask(**task)), cast(Any, brain))


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
    questions = opening(brain, is_beside_others=True)
    questions.begin()
    await asyncio.sleep(0)
    assert (brain.asked, questions.nodes) == (0, None)
    await questions.close()


async def test_nodes_are_listed_at_once_and_given_once() -> None:
    """The first page is on its way before anybody reads it."""
    brain = FakeBrain()
    brain.may_answer.set()
    questions = opening(brain)
    questions.begin()
    questions.begin()
    listing = questions.nodes
    assert listing is not None
    async with asyncio.timeout(30):
        await brain.was_listed.wait()
    found: list[Any] = [page async for page in listing.pages()]
    assert found == [["a"], ["b"]]
    await questions.close()
    assert (brain.asked, brain.pages_asked) == (1, 2)


async def test_an_unusable_brain_is_asked_for_no_nodes() -> None:
    """It would be asked for a minute; reading the list raises the error."""
    brain = FakeBrain(is_unusable=True)
    brain.may_answer.set()
    questions = opening(brain)
    questions.begin()
    listing = questions.nodes
    assert listing is not None
    with pytest.raises(BrainUnusable):
        await anext(listing.pages())
    await questions.close()
    assert brain.pages_asked == 0


async def test_what_is_on_its_way_at_the_end_is_not_waited_for() -> None:
    """Nor does it go on."""
    brain = FakeBrain()
    questions = opening(brain)
    questions.begin()
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await questions.close()
    brain.may_answer.set()
    await asyncio.sleep(0)
    assert brain.pages_asked == 0
