"""Plays a case against the real gateway, with a budget and a price, on a clock that only its waits move."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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
from gather_worker.llm.asking import sender
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.ledger import Ledger
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.llm.pricing import Price
from gather_worker.llm.salvage import Salvaged, salvage
from gather_worker.prompts import Prompt
from gather_worker.schemas import Draft, DraftBatch, PairVerdicts, QualityVerdict
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
Answered = DraftBatch | QualityVerdict | PairVerdicts
WANTED: Final[Mapping[str, Any]] = {"notes": DraftBatch, "verdict": QualityVerdict, "pairs": PairVerdicts}
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
    """What followed each answer."""
    notes: Sequence[Draft]
    value: Mapping[str, Any]
    """The answer's fields, where it is no notes."""
    dropped: int
    """Of the last answer."""
    ledger: Ledger
    charged: Charged
    """What the endpoint truly charged, all requests together."""
    charged_before_last: Charged
    """What it had charged when the last request was sent."""
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
        sequence = self.case.sequence
        after = sequence[-1] if self.case.then == "last" else GOOD
        self.given.append(sequence[number] if number < len(sequence) else after)
        response = response_of(self.given[-1])
        if isinstance(response, Exception):
            raise response
        return response

    def charged(self, but: int = 0) -> Charged:
        """Return what was charged, but for the last requests."""
        truths = [self.truth(answer) for answer in self.given[: len(self.given) - but]]
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
    """Ask the gateway what the case asks for, at an endpoint that answers as the case says."""
    endpoint, clock = _Endpoint(case), FakeClock()
    attempt = _Waits(clock)
    asked = _gateway(case, endpoint, attempt)
    answer: Answered | None = None
    error: Exception | None = None
    steps: list[str] = []
    with _log() as lines, _salvages() as salvages, _clock(clock):
        for number in range(case.asked.questions):
            before = len(endpoint.requests)
            try:
                answer = await _ask(asked, case, str(number))
            except (ModelError, WorkerError) as raised:
                error = raised
            plain = "understood" if salvages and salvages[-1].is_plain else "salvaged"
            steps += _steps(endpoint.requests[before:], plain if error is None else "stopped")
        await asked.close()
    return Played(
        requests=endpoint.requests,
        steps=steps,
        notes=answer.items if isinstance(answer, DraftBatch) else (),
        value={} if answer is None or isinstance(answer, DraftBatch) else answer.model_dump(mode="json"),
        dropped=salvages[-1].dropped if salvages and not error else 0,
        ledger=asked.ledger,
        charged=endpoint.charged(),
        charged_before_last=endpoint.charged(but=1),
        end=_end(error),
        words="\n".join([*lines, str(error or "")]),
        ended_with=str(error or ""),
        waited_s=attempt.waited_s,
    )


async def _ask(asked: ModelGateway, case: Case, scope: str) -> Answered:
    model, language = case.asked.model, case.asked.language
    wanted: type[Answered] = WANTED[case.asked.wants]
    return (await asked.ask_signed(model, PROMPT, wanted, scope=scope, language=language)).answer


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
        budget=guard,
        preferences=ModelPreferences(fallback_models=tuple(case.asked.fallbacks)),
    )


def _steps(requests: Sequence[Mapping[str, Any]], end: str) -> list[str]:
    """Return what followed each answer, from how a request differs from the one before."""
    return [*(_step(*pair) for pair in pairwise(requests)), end]


def _step(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if before["model"] != after["model"]:
        return "fallback"
    if len(before["messages"]) < len(after["messages"]):
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


def _clock(clock: FakeClock) -> AbstractContextManager[Any]:
    return mock.patch.object(gateway, "time", SimpleNamespace(monotonic=clock))


@contextmanager
def _salvages() -> Iterator[list[Salvaged[Any]]]:
    """Note what is made of each answer."""
    made: list[Salvaged[Any]] = []

    def noted(*given: Any) -> Salvaged[Any]:
        made.append(salvage(*given))
        return made[-1]

    with mock.patch.object(sender, "_salvaged", noted):
        yield made


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
