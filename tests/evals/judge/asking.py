"""A judge is asked about labelled items: as they are, once more, and in the reversed order."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from typing import Final

from pydantic import BaseModel

from gather_worker.errors import BudgetUsed, ModelError, WorkerError
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import Prompt
from tests.evals.judge.questions import LABEL_MIN, Item, LabelledSet, Reading

CALLS_AT_ONCE: Final = 4
SAID_EVERY: Final = 25
"""Calls between two lines of progress."""
SEED: Final = 18
SIDE_MIN: Final = 2
GROUP_MAX: Final = 6
"""Items of one group in a sample: intervals are drawn by groups, so several small ones tell more."""


class Order(StrEnum):
    """How an item is put."""

    FIRST = "first"
    AGAIN = "again"
    """The same request: what differs is chance."""
    REVERSED = "reversed"


class Missing(StrEnum):
    """Why there is no answer."""

    FAILED = "failed"
    CAP = "cap"
    """It was not asked: the money is used."""


@dataclass(slots=True)
class Answered:
    """An item with what the judge said of it in each order, and how many of its answers failed."""

    item: Item
    readings: dict[Order, Reading] = field(default_factory=dict)
    failed: int = 0


@dataclass
class Asking:
    """Asks one judge, each request once however many items share it; `say` is told how far it is."""

    gateway: ModelGateway
    model: str
    say: Callable[[str], None]
    answered: dict[str, list[Answered]] = field(default_factory=dict)
    """By set."""
    _answers: dict[tuple[Order, str], "asyncio.Task[BaseModel | Missing]"] = field(default_factory=dict)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    _is_cap_reached: bool = False

    async def ask(self, sets: Sequence[LabelledSet]) -> None:
        """Ask about all items, the sets in turn, so that a cap leaves a part of each.

        Raises ModelError and WorkerError where the model has answered nothing yet: it is the wrong one.
        """
        turns = zip_longest(*([(each, item) for item in each.items] for each in sets))
        asked = [
            (each, item, order) for turn in turns for each, item in filter(None, turn) for order in Order
        ]
        await self._reading(*asked[0][1:])  # alone: a wrong model is asked once
        found = await asyncio.gather(*(self._reading(item, order) for _, item, order in asked))
        for (each, item, order), reading in zip(asked, found, strict=True):
            rows = self.answered.setdefault(each.name, [])
            if order is Order.FIRST:
                rows.append(Answered(item))
            if isinstance(reading, Reading):
                rows[-1].readings[order] = reading
            rows[-1].failed += reading is Missing.FAILED

    async def _reading(self, item: Item, order: Order) -> Reading | Missing:
        prompt = item.question.prompt(is_reversed=order is Order.REVERSED)
        key = (order, f"{prompt.system}\0{prompt.user}")
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(self._answer(prompt, item.question.answer))
        answer = await self._answers[key]
        return answer if isinstance(answer, Missing) else item.question.read(answer, prompt)

    async def _answer(self, prompt: Prompt, shape: type[BaseModel]) -> BaseModel | Missing:
        async with self._places:
            if self._is_cap_reached:
                return Missing.CAP
            try:
                answer = await self.gateway.ask(self.model, prompt, shape)
            except BudgetUsed:
                self._is_cap_reached = True
                return Missing.CAP
            except (ModelError, WorkerError):
                if not self.gateway.ledger.tokens:
                    raise
                return Missing.FAILED
            spent = self.gateway.ledger
            if not spent.requests % SAID_EVERY:
                self.say(f"{spent.requests} requests, {spent.total_usd:.3f} USD")
            return answer


def sampled(whole: LabelledSet, count: int) -> LabelledSet:
    """Return a set with about `count` of its items, the same ones each time.

    Of items that are compared within their group a few of each of several groups are taken; of others as
    large a share of yes as people say in all of them, but two of each at least.
    """
    rng = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    shuffled = rng.sample(whole.items, len(whole.items))
    taken = list[Item]()
    if whole.is_absolute:
        yes = [item for item in shuffled if item.label >= LABEL_MIN]
        no = [item for item in shuffled if item.label < LABEL_MIN]
        wanted = round(count * len(yes) / len(shuffled))
        wanted = min(max(wanted, SIDE_MIN), count - SIDE_MIN)
        taken = [*yes[:wanted], *no[: count - wanted]]
        rng.shuffle(taken)
    else:
        for group in dict.fromkeys(item.group for item in shuffled):
            if len(taken) >= count:
                break
            taken += [item for item in shuffled if item.group == group][:GROUP_MAX]
    return LabelledSet(whole.name, whole.about, whole.is_absolute, taken, whole.part)
