"""Judges whose fault is known, as endpoints in this process: to see that a report on judges names it."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from gather_worker.attempt import Attempt
from gather_worker.department.quality import RUBRIC_PARTS
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompt_files import JUDGE
from tests.evals.judge.questions import LabelledSet, RubricQuestion
from tests.support.scripted_model import client_of, shown_notes

INVENTED: Final = "A whale of green glass sings behind the customs house"
TYPICAL_CHARS: Final = 700.0


@dataclass(frozen=True, slots=True)
class Put:
    """What a judge is asked: the notes as they stand there, and what people say of one part, 0-1."""

    notes: Sequence[str]
    label: float

    @property
    def length(self) -> int:
        """Characters of all notes."""
        return sum(map(len, self.notes))

    @property
    def number(self) -> int:
        """A number of the notes' words alone."""
        return hashlib.sha256("\n".join(sorted(self.notes)).encode()).digest()[0]


Say = Callable[[Put], float]


def perfect(put: Put) -> float:
    """Say what people say, whatever stands first and however long it is."""
    return 20 + 60 * put.label


def says_yes(_: Put) -> float:
    """Say yes to everything."""
    return 92.0


def says_no(_: Put) -> float:
    """Say no to everything."""
    return 15.0


def goes_by_order(put: Put) -> float:
    """Like what people like, and more if what stands first comes first in the alphabet."""
    return perfect(put) + (12 if put.notes[0] < put.notes[-1] else -12)


def goes_by_length(put: Put) -> float:
    """Like what is long."""
    return 100 * put.length / (put.length + TYPICAL_CHARS)


def throwing_dice() -> Say:
    """Return one that says anything, and something else the next time."""
    chance = random.Random(18)  # noqa: S311 - repeatable, not secret
    return lambda _: chance.uniform(0, 100)


def wavering() -> Say:
    """Return one that says what people say, give or take."""
    chance = random.Random(18)  # noqa: S311 - repeatable, not secret
    return lambda put: min(100.0, max(0.0, perfect(put) + chance.gauss(0, 14)))


@dataclass(frozen=True)
class JudgeDouble:
    """An endpoint that judges as `say` does, with quotes of the notes, or invented ones."""

    say: Say
    labels: Mapping[tuple[frozenset[str], str], float]
    invents_quotes: bool = False
    is_silent: Callable[[Put], bool] = lambda _: False

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer the rubric; a list of models there is none."""
        if request.method == "GET":
            return httpx.Response(404)
        body = json.loads(request.content)
        assert body["response_format"]["json_schema"]["name"] == JUDGE
        notes = shown_notes(body["messages"])
        puts = {part: Put(notes, self.labels.get((frozenset(notes), part), 0.5)) for part in RUBRIC_PARTS}
        quotes = [INVENTED if self.invents_quotes else notes[0]]
        said: Any = {f"{part}_quotes": quotes for part in puts} | {
            part: self.say(put) for part, put in puts.items()
        }
        content = "I cannot say." if self.is_silent(puts["depth"]) else json.dumps(said)
        choice = {"finish_reason": "stop", "message": {"content": content}}
        usage = {"prompt_tokens": 2000, "completion_tokens": 200, "cost": 0.01}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})

    def gateway(self) -> ModelGateway:
        """Return a gateway to it."""
        return ModelGateway(client_of(self.answer), Attempt(600), timeout_s=5, max_tokens=8000)


def labels_of(sets: Sequence[LabelledSet]) -> dict[tuple[frozenset[str], str], float]:
    """Return what people say of each set of notes, by part."""
    return {
        (frozenset(item.question.notes), item.question.part): item.label
        for each in sets
        for item in each.items
        if isinstance(item.question, RubricQuestion)
    }
