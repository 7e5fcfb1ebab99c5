"""The brain is asked before the rest of a worker is there; when its answer counts no more."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_worker.errors import BrainUnusable
from gather_worker.steps.earlier_context import EarlierContext


@dataclass
class FakeBrain:
    """Answers as soon as it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    is_unusable: bool = False

    async def earlier_context(self, *_: Any) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_unusable:
            raise BrainUnusable("it is unavailable")


@dataclass
class FakeTask:
    is_beside_others: bool = False
    previous: tuple[str, ...] = ("story",)
    department: Any = field(default_factory=lambda: SimpleNamespace(slug="sound"))


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
    context = earlier(brain, is_beside_others=True)
    context.begin()
    await asyncio.sleep(0)
    assert brain.asked == 0
    await context.close()


async def test_what_is_on_its_way_at_the_end_is_not_waited_for() -> None:
    """Nor is it asked by a second beginning."""
    brain = FakeBrain()
    context = earlier(brain)
    context.begin()
    context.begin()
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await context.close()
    assert brain.asked == 1
