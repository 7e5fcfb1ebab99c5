"""What the brain has said of earlier departments before it changed is not taken for what it says now."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from gather_worker.errors import BrainUnusable
from gather_worker.steps.drafting import Drafter


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

    async def nearest(self, texts: list[str], _: Any) -> list[list[Any]]:
        return [[] for _ in texts]


@dataclass
class FakeDepartment:
    slug: str = "sound"
    name: str = "Sound"
    description: str = "What is heard."


@dataclass
class FakeTask:
    is_beside_others: bool = False
    previous: tuple[str, ...] = ("story",)
    focus: str = ""
    department: FakeDepartment = field(default_factory=FakeDepartment)


class FakeNotes:
    known: tuple[Any, ...] = ()
    own: tuple[Any, ...] = ()
    excluded_ids: frozenset[str] = frozenset()


def drafter(brain: FakeBrain, **task: Any) -> Drafter:
    none: Any = None
    return Drafter(cast(Any, FakeTask(**task)), none, cast(Any, FakeNotes()), cast(Any, brain), none)


async def test_what_is_asked_at_once_is_not_asked_again() -> None:
    """Its answer comes while MongoDB is read."""
    brain = FakeBrain()
    made = drafter(brain)
    made.begin()
    brain.may_answer.set()
    await made.prepare()
    await made.close()
    assert brain.asked == 1


async def test_an_answer_that_was_on_its_way_when_the_brain_changed_does_not_count() -> None:
    """Notes that a predecessor had left were indexed meanwhile."""
    brain = FakeBrain()
    made = drafter(brain)
    made.begin()
    forgetting = asyncio.create_task(made.forget())
    await asyncio.sleep(0)
    brain.may_answer.set()
    await forgetting
    await made.prepare()
    await made.close()
    assert brain.asked == 2


async def test_an_unusable_brain_is_asked_again_later() -> None:
    """Nothing optional is fatal."""
    brain = FakeBrain(is_unusable=True)
    brain.may_answer.set()
    made = drafter(brain)
    made.begin()
    await made.prepare()
    brain.is_unusable = False
    await made.prepare()
    await made.close()
    assert brain.asked == 3


async def test_beside_other_departments_only_the_prompts_ask() -> None:
    """What was asked at the start would be old."""
    brain = FakeBrain()
    made = drafter(brain, is_beside_others=True)
    made.begin()
    await asyncio.sleep(0)
    await made.close()
    assert brain.asked == 0
