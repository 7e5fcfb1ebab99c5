"""The gateway against llama.cpp's server: OpenAI-compatible, not ours, and with a real model behind it.

The model is far too small to mean what it says; it is the wire that is tested.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.service_process import ServiceProcess
from gather_clients.backoff import Backoff
from gather_contracts.resource import Budget
from gather_worker.attempt import Attempt
from gather_worker.errors import AnswerInvalid, BudgetUsed, ModelUnavailable
from gather_worker.llm import gateway
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.answer_cache import AnswerCache
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.ledger import Ledger
from gather_worker.prompts import Prompt
from gather_worker.schemas import PairVerdicts
from tests.support.llama_server import llama_service
from tests.support.worker_harness import WorkerHarness

TIMEOUT_S = 120
"""For 4 to 64 tokens, of which an idle core makes some 20 a second."""

SHORT_TOKENS = 32
"""Of a whole worker's answers, by llama.cpp's own field, which goes before `max_tokens`."""


class Mood(BaseModel):
    """An answer whose every field the schema fixes, so that no model can fail it."""

    is_dark: bool
    place: str = Field(json_schema_extra={"enum": ["lighthouse", "harbour", "sea"]})


PROMPT = Prompt("mood.v1", "Answer in JSON.", "The keeper counts the lamps at night. Where is he?")


@pytest.fixture(scope="module")
def llama(
    store_artefacts: StoreArtefacts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """The server, once for the module."""
    server = llama_service(store_artefacts, tmp_path_factory.mktemp("llama"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def gateways(llama: ServiceProcess) -> AsyncIterator["Gateways"]:
    """Make gateways; all are closed at the end."""
    made = Gateways(llama.uri)
    yield made
    await made.close()


class Gateways:
    """Gateways to one server, with options of their own."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._made: list[ModelGateway] = []

    def __call__(
        self,
        *,
        duration_s: float = 300,
        timeout_s: float = TIMEOUT_S,
        max_tokens: int = 64,
        budget: Budget | None = None,
        cache: AnswerCache | None = None,
    ) -> ModelGateway:
        """Return one more."""
        made = ModelGateway(
            new_client(f"{self._uri}/v1", ""),
            Attempt(duration_s),
            timeout_s=timeout_s,
            max_tokens=max_tokens,
            budget=BudgetGuard(budget),
            cache=cache,
        )
        self._made.append(made)
        return made

    async def close(self) -> None:
        """Close all."""
        for made in self._made:
            await made.close()


async def test_an_answer_obeys_the_schema_and_is_counted(gateways: Gateways) -> None:
    """The grammar holds even this model to it; usage is the server's own, its cost nothing."""
    asked = gateways()
    signed = await asked.ask_signed("any", PROMPT, Mood)
    assert signed.answer.place in {"lighthouse", "harbour", "sea"}
    assert signed.writer.endswith(".gguf")
    spent = asked.ledger
    assert (spent.requests, spent.reserved, spent.total_usd) == (1, [], 0)
    assert 10 < spent.tokens_in < 200
    assert 5 < spent.tokens_out <= 64


async def test_a_schema_of_ours_is_understood(gateways: Gateways) -> None:
    """Lists of objects, required fields, descriptions: the shape that duplicates are judged in.

    A list has no end that the model knows of, so a cut-off answer is as good a proof as a whole one.
    """
    asked = gateways(max_tokens=48)
    pairs = Prompt("duplicates.v1", "Answer in JSON, one verdict.", "Pair 0: 'a lamp' and 'a lamp'.")
    try:
        text = (await asked.ask("any", pairs, PairVerdicts)).model_dump_json()
    except AnswerInvalid as error:
        text = error.text
    assert "".join(text.split()).startswith('{"verdicts":[')


async def test_a_cut_off_answer_is_recognised(gateways: Gateways) -> None:
    """Four tokens are too few for any answer: asked twice, paid twice, then a clear failure."""
    asked = gateways(max_tokens=4)
    with pytest.raises(AnswerInvalid, match="cut off"):
        await asked.ask("any", PROMPT, Mood)
    assert (asked.ledger.requests, asked.ledger.tokens_out) == (2, 8)


async def test_a_slow_answer_ends_with_the_attempt(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request has its own limit, all of them the attempt's; what may have been charged stands."""
    # The wait for the next try is then longer than the attempt, wherever in it the first one fails.
    monkeypatch.setattr(gateway, "BACKOFF", Backoff(30, 30, jitter=(0.5, 1)))
    asked = gateways(duration_s=10, timeout_s=0.2, max_tokens=2000)
    long = Prompt("story.v1", "Write at length.", "Tell the whole story of the lighthouse. " * 40)
    started = time.monotonic()
    with pytest.raises(ModelUnavailable):
        await asked.ask("any", long, PairVerdicts)
    assert time.monotonic() - started < 60
    assert asked.ledger.requests == 0
    assert len(asked.ledger.reserved) >= 1


async def test_a_cap_on_tokens_holds(gateways: Gateways) -> None:
    """As many questions as fit, by the server's own count, and not one more."""
    cap = 1200
    asked = gateways(budget=Budget(max_tokens=cap))
    while not asked.is_budget_used:
        with contextlib.suppress(BudgetUsed):
            await asked.ask("any", PROMPT, Mood)
    assert asked.ledger.requests >= 3
    assert asked.ledger.tokens <= cap


async def test_an_equal_question_is_answered_from_redis(gateways: Gateways, redis_url: str) -> None:
    """Through the real Redis: the second worker asks nobody."""
    first = gateways(cache=AnswerCache(redis_url, 2, 60))
    answer = await first.ask_signed("any", PROMPT, Mood, scope="kept")
    second = gateways(cache=AnswerCache(redis_url, 2, 60))
    assert await second.ask_signed("any", PROMPT, Mood, scope="kept") == answer
    assert second.ledger.requests == 0


def settings_of(values_file: str, address: str, **extra: Any) -> dict[str, str]:
    """Return what the chart makes of a values file, for another address and with some fields more."""
    values = yaml.safe_load((ROOT / "examples" / "values" / values_file).read_text(encoding="utf-8"))
    fields = json.dumps({**values["model"]["extraBody"], **extra})
    return {**values["worker"]["env"], "GATHER_LLM_EXTRA_BODY": fields, "GATHER_LLM_BASE_URL": address}


def test_a_whole_worker_runs_with_the_values_file(
    llama: ServiceProcess, new_harness: Callable[..., WorkerHarness]
) -> None:
    """With the settings of examples/values/model-llamacpp.yaml, and a field that keeps answers short.

    No note can come of what a model of this size writes: that a worker asks it, counts what it wrote and
    ends as it should is all that this shows. A cap on tokens ends it soon, the deadline on a busy machine.
    """
    harness = new_harness(maxIterations=2, budget={"maxTokens": 6000}, departmentTimeoutSeconds=60)
    settings = settings_of("model-llamacpp.yaml", f"{llama.uri}/v1", n_predict=SHORT_TOKENS)
    ended = harness.run(0, 1, **settings)
    assert ended.exit_code in {0, 75}, ended.messages()
    assert "unexpected error" not in ended.messages()
    ledger = Ledger.model_validate(harness.checkpoint()["ledger"])
    assert ledger.requests or ledger.reserved
    assert ledger.tokens_out <= SHORT_TOKENS * ledger.requests
    assert ended.result
    assert ended.result.cost_usd == 0
    assert 0 < ended.result.tokens <= 6000
    assert harness.items() == []
