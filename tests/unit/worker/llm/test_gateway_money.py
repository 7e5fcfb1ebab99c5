"""What requests cost: reserved before they are sent, charged after, within the budget, never paid twice."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_contracts.resource import Budget
from gather_worker.errors import (
    AnswerInvalid,
    BudgetUsed,
    ModelRejected,
)
from gather_worker.llm.budget import BudgetGuard, InMemoryLedgerStore
from gather_worker.llm.ledger import Ledger
from gather_worker.llm.pricing import Price
from gather_worker.schemas import QualityVerdict
from tests.support.fakes import FakeAnswerCache
from tests.support.scripted_model import PROMPT, reply, scripted_gateway

NewModel = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("no_backoff")


# --- what is paid


@pytest.mark.parametrize(
    ("trouble", "stands"),
    [
        (reply(status=429), False),
        (reply(status=503), False),
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("no answer"), False),
        (httpx.PoolTimeout("no connection free"), False),
        (httpx.Response(200, json={"error": {"message": "Provider returned error", "code": 502}}), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.RemoteProtocolError("cut"), True),
        (httpx.Response(200, content=b'{"choices": ['), True),
    ],
    ids=["429", "503", "refused", "no answer", "full", "error in 200", "slow", "cut", "half"],
)
async def test_what_may_have_been_charged_stays_on_the_ledger(
    new_model: NewModel, trouble: Any, *, stands: bool
) -> None:
    """A request whose answer nobody read counts at its worst case; one that was refused counts nothing."""
    asked = scripted_gateway(new_model(trouble, reply()))
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert len(asked.ledger.reserved) == stands
    assert asked.ledger.cost_usd == 0.5
    assert asked.ledger.tokens >= 12 + 100 * stands


PAGE = "<!doctype html><html><head><title>Sign in</title></head></html>"
OTHERS = {
    "a page": lambda: httpx.Response(200, html=PAGE),
    "a page called JSON": lambda: httpx.Response(
        200, content=PAGE.encode(), headers={"Content-Type": "application/json"}
    ),
    "plain text": lambda: httpx.Response(200, text="It works!"),
    "another API": lambda: httpx.Response(200, json={"status": "ok", "version": "1.2"}),
    "a list of models": lambda: httpx.Response(200, json={"object": "list", "data": [{"id": "m/x"}]}),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_a_wrong_address_costs_nothing_and_is_a_misconfiguration(
    new_model: NewModel, other: Callable[[], httpx.Response]
) -> None:
    """A budget that is small does not end the run as if it were used up."""
    model = new_model(*(other() for _ in range(3)))
    guard = BudgetGuard(Budget(max_cost_usd=0.2), Price(0, 1e-3))
    asked = scripted_gateway(model, budget=guard)
    with pytest.raises(ModelRejected, match="GATHER_LLM_BASE_URL") as caught:
        await asked.ask("m/x", PROMPT, QualityVerdict)
    assert caught.value.is_request_fault
    assert (asked.ledger.total_usd, asked.ledger.tokens, asked.is_budget_used) == (0, 0, False)
    assert model.replies == []


async def test_a_page_before_the_first_answer_counts_once_that_is_there(new_model: NewModel) -> None:
    """A proxy's page in front of a model that may have written."""
    asked = scripted_gateway(new_model(OTHERS["a page"](), reply(), OTHERS["a page"](), reply()))
    for scope in "12":
        await asked.ask("m/x", PROMPT, QualityVerdict, scope=scope)
    assert len(asked.ledger.reserved) == 2
    assert asked.ledger.cost_usd == 1.0


async def test_a_cost_in_litellm_s_header_is_the_cost(new_model: NewModel) -> None:
    """Its bodies name none."""
    answer = reply().json() | {"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}
    headers = {"x-litellm-response-cost": "0.25"}
    asked = scripted_gateway(new_model(httpx.Response(200, json=answer, headers=headers)))
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert asked.ledger.cost_usd == 0.25


async def test_the_reserve_is_kept_before_the_request_is_sent(new_model: NewModel) -> None:
    """A process that is killed in the call has written down what it may have spent."""
    kept: list[tuple[int, int]] = []

    class LedgerStore:
        ledger = Ledger()

        async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
            self.ledger = change(self.ledger)
            kept.append((len(model.requests), len(self.ledger.reserved)))

        async def other_ledgers(self) -> list[Ledger]:
            return []

    model = new_model(reply())
    asked = scripted_gateway(model)
    asked.save_ledger_in(LedgerStore())
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert kept == [(0, 1), (1, 0)]


async def test_a_budget_of_zero_sends_no_request(new_model: NewModel) -> None:
    """Not even for the price list."""
    model = new_model()
    for budget in (Budget(max_tokens=0), Budget(max_cost_usd=0)):
        asked = scripted_gateway(model, budget=BudgetGuard(budget, Price(0, 0)))
        with pytest.raises(BudgetUsed):
            await asked.ask("m/x", PROMPT, QualityVerdict)
        assert asked.is_budget_used
    assert model.requests == []


async def test_what_is_left_limits_the_answer(new_model: NewModel) -> None:
    """max_tokens is lowered to what the budget can pay, and no further request follows."""
    model = new_model(reply())
    guard = BudgetGuard(Budget(max_cost_usd=1.2), Price(0, 1e-3))
    asked = scripted_gateway(model, budget=guard, max_tokens=8000)
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert model.body()["max_tokens"] == 1200
    assert asked.ledger.cost_usd == 0.5
    left = BudgetGuard(Budget(max_cost_usd=0.5), Price(0, 1e-3))
    with pytest.raises(BudgetUsed):
        await scripted_gateway(model, budget=left, max_tokens=8000).ask("m/x", PROMPT, QualityVerdict)


async def test_retries_are_paid_one_by_one(new_model: NewModel) -> None:
    """A failed attempt that may have been charged leaves less for the next; the cap holds over both."""
    model = new_model(httpx.ReadTimeout("slow"))
    guard = BudgetGuard(Budget(max_cost_usd=1.5), Price(0, 1e-3))
    with pytest.raises(BudgetUsed):
        await scripted_gateway(model, budget=guard, max_tokens=1000).ask("m/x", PROMPT, QualityVerdict)
    assert len(model.requests) == 1


async def test_the_price_list_is_asked_once_and_only_for_a_cap_on_money(new_model: NewModel) -> None:
    """Two questions, one look at the list; the reserve is by its price."""
    listed = {"data": [{"id": "m/x", "pricing": {"prompt": "0", "completion": "0.001"}}]}
    model = new_model(httpx.Response(200, json=listed), reply())
    asked = scripted_gateway(model, budget=BudgetGuard(Budget(max_cost_usd=1.2)), max_tokens=8000)
    await asked.ask("m/x", PROMPT, QualityVerdict)
    assert [request.url.path for request in model.requests] == ["/v1/models", "/v1/chat/completions"]
    assert model.body()["max_tokens"] == 1200
    with pytest.raises(BudgetUsed):
        await asked.ask("m/x", PROMPT, QualityVerdict)


# --- kept answers


async def test_an_equal_question_is_paid_once(new_model: NewModel) -> None:
    """Also after a re-ask: what is kept under the question is the good answer. Another scope asks again."""
    cache = FakeAnswerCache()
    model = new_model(reply("no"), reply(), reply())
    for scope in ("1", "1", "2"):
        asked = scripted_gateway(model, cache=cache)
        assert (await asked.ask("m/x", PROMPT, QualityVerdict, scope=scope)).depth == 1
    assert len(model.requests) == 3


@pytest.mark.parametrize("wrong", ["no", '{"depth": 1}'])
async def test_failures_are_never_kept(new_model: NewModel, wrong: str) -> None:
    """A cached failure would poison every later attempt."""
    cache = FakeAnswerCache()
    with pytest.raises(AnswerInvalid):
        await scripted_gateway(new_model(reply(wrong), reply(wrong)), cache=cache).ask(
            "m/x", PROMPT, QualityVerdict
        )
    assert cache.kept == {}


async def test_a_kept_answer_charges_what_its_process_could_not(new_model: NewModel) -> None:
    """Killed between the answer and the ledger: the successor knows the true price, and asks nobody."""
    cache = FakeAnswerCache()
    dead = scripted_gateway(new_model(reply()), cache=cache)
    left: list[Ledger] = []

    class DyingLedgerStore(InMemoryLedgerStore):
        async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
            if self.ledger.reserved:
                left.append(self.ledger)
                raise KeyboardInterrupt
            await super().save_ledger(change)

    dead.save_ledger_in(DyingLedgerStore())
    with pytest.raises(KeyboardInterrupt):
        await dead.ask("m/x", PROMPT, QualityVerdict)
    successor = scripted_gateway(new_model(), cache=cache)
    store = InMemoryLedgerStore(left[0])
    successor.save_ledger_in(store)
    await successor.ask("m/x", PROMPT, QualityVerdict)
    assert (store.ledger.cost_usd, store.ledger.requests, store.ledger.reserved) == (0.5, 1, [])
