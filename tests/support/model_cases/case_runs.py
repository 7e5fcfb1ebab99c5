"""Plays a case against the real gateway, with a budget and a price, on a clock that only its waits move."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import httpx

from gather_contracts.resource import Budget
from gather_worker.attempt import Attempt
from gather_worker.errors import BudgetUsed, InvalidInput, ModelError, ModelRejected, WorkerError
from gather_worker.llm import gateway
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.ledger import Ledger
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.llm.pricing import Price
from gather_worker.prompts import Prompt
from gather_worker.schemas import Draft, DraftBatch
from tests.support.fake_clock import FakeClock
from tests.support.model_cases.case_bodies import GOOD, response_of
from tests.support.model_cases.case_files import Answer, Case, Charged, End

URLS: Final = {
    "openrouter": "https://openrouter.ai/api/v1",
    "openai": "https://api.openai.com/v1",
    "azure": "https://gather.openai.azure.com/openai/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "xai": "https://api.x.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "mistral": "https://api.mistral.ai/v1",
    "groq": "https://api.groq.com/openai/v1",
    "vllm": "http://vllm:8000/v1",
    "llama.cpp": "http://llama:8080/v1",
    "ollama": "http://ollama:11434/v1",
    "lm studio": "http://lmstudio:1234/v1",
    "litellm": "http://litellm:4000/v1",
    "other": "http://model.test/v1",
}
ATTEMPT_S: Final = 600.0
TIMEOUT_S: Final = 120.0
KEY: Final = "sk-proj-abcdefghijklmnopqrstuvwx1234"
PROMPT: Final = Prompt("generate.v1", "You write notes on a film. " * 20, "Eight new notes, as JSON. " * 100)
"""Of some 1,200 tokens."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a case."""

    requests: Sequence[Mapping[str, Any]]
    steps: Sequence[str]
    """What followed each answer; the last is `answered` or `stopped`."""
    notes: Sequence[Draft]
    ledger: Ledger
    charged: Charged
    """What the endpoint truly charged, all requests together."""
    end: End | None
    words: str
    """The log, and what the attempt would end with."""
    ended_with: str
    waited_s: float


@dataclass
class _Endpoint:
    """Gives a case's answers, and what follows them."""

    case: Case
    requests: list[dict[str, Any]] = field(default_factory=list)
    given: list[Answer] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404, stream=httpx.ByteStream(b""))
        number = len(self.requests)
        self.requests.append(json.loads(request.content))
        after = self.case.answers[-1] if self.case.then == "last" else GOOD
        self.given.append(self.case.answers[number] if number < len(self.case.answers) else after)
        response = response_of(self.given[-1])
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def charged(self) -> Charged:
        """Return what was charged so far."""
        truths = [self.truth(answer) for answer in self.given]
        return Charged(usd=sum(t.usd for t in truths), tokens=sum(t.tokens for t in truths))

    def truth(self, answer: Answer) -> Charged:
        """Return what one answer costs; what follows the case's own has the case's price."""
        price = self.case.asked.price
        if answer is GOOD and price and not price.output:
            return Charged(usd=0, tokens=answer.truth.tokens)
        return answer.truth


@dataclass
class _Waits(Attempt):
    """An attempt whose waits take no time."""

    clock: FakeClock
    waited_s: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(ATTEMPT_S, self.clock)

    async def sleep(self, duration_s: float) -> None:
        self.waited_s += duration_s
        self.clock.now_s += duration_s
        self.check()


async def play(case: Case) -> Played:
    """Ask the gateway for notes, once, at an endpoint that answers as the case says."""
    endpoint, clock = _Endpoint(case), FakeClock()
    attempt = _Waits(clock)
    asked = _gateway(case, endpoint, attempt)
    notes: Sequence[Draft] = ()
    error: Exception | None = None
    steps: list[str] = []
    with _log() as lines, mock.patch.object(gateway, "time", SimpleNamespace(monotonic=clock)):
        for number in range(case.asked.questions):
            before = len(endpoint.requests)
            try:
                notes = (await asked.ask(case.asked.model, PROMPT, DraftBatch, scope=str(number))).items
            except (ModelError, WorkerError) as raised:
                error = raised
            steps += _steps(endpoint.requests[before:], is_answered=error is None)
        await asked.close()
    return Played(
        requests=endpoint.requests,
        steps=steps,
        notes=notes,
        ledger=asked.ledger,
        charged=endpoint.charged,
        end=_end(error),
        words="\n".join([*lines, str(error or "")]),
        ended_with=str(error or ""),
        waited_s=attempt.waited_s,
    )


def _gateway(case: Case, endpoint: _Endpoint, attempt: Attempt) -> ModelGateway:
    price = case.asked.price
    transport = httpx.MockTransport(endpoint.answer)
    guard = BudgetGuard(
        Budget(max_cost_usd=case.asked.budget_usd),
        Price(price.input / 1e6, price.output / 1e6) if price else None,
        sleep=attempt.sleep,
    )
    return ModelGateway(
        new_client(URLS[case.asked.endpoint], KEY, transport),
        attempt,
        timeout_s=TIMEOUT_S,
        max_tokens=case.asked.max_tokens,
        preferences=ModelPreferences(fallback_models=tuple(case.asked.fallbacks)),
        budget=guard,
    )


def _steps(requests: Sequence[Mapping[str, Any]], *, is_answered: bool) -> list[str]:
    """Return what followed each answer, from how a request differs from the one before."""
    return [*(_step(*pair) for pair in pairwise(requests)), "answered" if is_answered else "stopped"]


def _step(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if before["model"] != after["model"]:
        return "fallback"
    if before["messages"] != after["messages"]:
        return "asked again"
    return "sent again" if before == after else "other form"


def _end(error: Exception | None) -> End | None:
    """Return how an attempt ends at its first iteration; steps/drafting.py has the same rule."""
    if error is None:
        return None
    if isinstance(error, BudgetUsed):
        return "budget used"
    is_wrong = isinstance(error, ModelRejected) and error.is_request_fault
    return "misconfigured" if is_wrong or isinstance(error, InvalidInput) else "try again"


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _log() -> Iterator[list[str]]:
    logger, handler = logging.getLogger("gather_worker"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
