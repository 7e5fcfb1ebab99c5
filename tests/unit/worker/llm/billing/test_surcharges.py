"""Tiers of service and searches, which many a usage does not name in money."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.resource import Budget
from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.billing.surcharges import FAST, ONE_REGION, PREMIUM, premium_of, searches_in
from gather_worker.llm.billing.usage_forms import read_bill, with_headers
from gather_worker.llm.budget import BudgetGuard, InMemoryLedgerStore
from gather_worker.llm.ledger import Ledger, Reserve
from gather_worker.llm.pricing import ASSUMED, SEARCH_USD, Price, PriceEstimate, booked
from tests.support.model_cases.documented_bills import PRICE, Truth, completion, openai, openrouter

TRUTH: Final = Truth(1000, 2000, 0, 0, 0)
RESERVE: Final = Reserve(id="r", model="m", cost_usd=0.2, tokens_in=60_000, tokens_out=60_000)
KNOWN: Final = PriceEstimate(PRICE, is_known=True)
SIZE: Final = PromptSize(1000)


async def no_price(_: str) -> None:
    """An endpoint without a price list."""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"service_tier": None}, None),
        ({"service_tier": "default"}, 1),
        ({"service_tier": "on_demand"}, 1),
        ({"service_tier": "flex"}, 1),
        ({"service_tier": "priority"}, PREMIUM),
        ({"serviceTier": "SERVICE_TIER_PRIORITY"}, PREMIUM),
        ({"service_tier": "never heard of"}, PREMIUM),
        ({"trafficType": "ON_DEMAND"}, 1),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, PREMIUM),
        ({"trafficType": "ON_DEMAND_FLEX"}, 1),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, 1),
        ({"x-gemini-service-tier": "priority"}, PREMIUM),
        ({"speed": "standard", "service_tier": "standard"}, 1),
        ({"speed": "fast", "service_tier": "standard"}, FAST),
        ({"speed": 120}, None),
        ({"inference_geo": "global"}, None),
        ({"inference_geo": "us"}, ONE_REGION),
        ({"inference_geo": "us", "speed": "fast"}, FAST * ONE_REGION),
    ],
)
def test_what_a_tier_costs_at_most(said: dict[str, Any], expected: float | None) -> None:
    """In the words of OpenAI, Groq, Google, Anthropic; one that nobody has named yet may be dear."""
    assert premium_of(said) == expected


CITED: Final = {"type": "url_citation", "url_citation": {"url": "https://example.org"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (completion(openai(TRUTH)), 0),
        ({"choices": [{"message": {"content": "a", "annotations": [CITED, CITED]}}]}, 1),
        ({"choices": [{"message": {"content": "a", "annotations": [{"type": "file_citation"}]}}]}, 0),
        ({"choices": [{"message": {"content": '{"citations": ["a"]}'}}]}, 0),
        ({"output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}]}, 2),
        ({"candidates": [{"content": {}, "groundingMetadata": {"webSearchQueries": ["a", "b", "c"]}}]}, 3),
        ({**completion(openai(TRUTH)), "citations": ["https://example.org"]}, 1),
        ({**completion(openai(TRUTH)), "search_results": []}, 0),
    ],
)
def test_searches_that_no_usage_counts(body: dict[str, Any], expected: int) -> None:
    """By what they found, or by their calls; nothing that the model wrote is one."""
    assert read_bill(body).searches == expected
    assert searches_in({}) == 0


@given(times=st.floats(1, PREMIUM), price=st.sampled_from([KNOWN, PriceEstimate(ASSUMED, is_known=False)]))
def test_a_gateway_s_own_cost_may_be_that_of_another_tier(times: float, price: PriceEstimate) -> None:
    """LiteLLM's list may know no price of the tier, or no price of a search."""
    said = {"x-litellm-response-cost": repr(TRUTH.cost_usd)}
    body = with_headers({**completion(openai(TRUTH)), "service_tier": "priority"}, said)
    assert (booked(price, read_bill(body), RESERVE).cost_usd or 0) >= times * TRUTH.cost_usd - 1e-9
    searched = with_headers({**completion(openai(TRUTH)), "citations": ["a"]}, said)
    assert booked(price, read_bill(searched), RESERVE).cost_usd == pytest.approx(TRUTH.cost_usd + SEARCH_USD)


def test_a_provider_s_own_cost_has_its_tier_in_it() -> None:
    """OpenRouter's and DeepInfra's; and LiteLLM's is what it says where the tier is the usual one."""
    for usage in (openrouter(TRUTH), {**openai(TRUTH), "estimated_cost": TRUTH.cost_usd}):
        body = {**completion(usage), "service_tier": "priority"}
        assert booked(KNOWN, read_bill(body), RESERVE).cost_usd == pytest.approx(TRUTH.cost_usd)
    header = {"x-litellm-response-cost": repr(TRUTH.cost_usd), "x-litellm-version": "1.90"}
    usual = with_headers({**completion(openai(TRUTH)), "service_tier": "default"}, header)
    assert booked(KNOWN, read_bill(usual), RESERVE).cost_usd == pytest.approx(TRUTH.cost_usd)


def test_a_cost_in_the_usage_is_litellm_s_own_where_its_headers_come_with_it() -> None:
    """It puts what it computes into a stream's usage, too."""
    body = {**completion({**openai(TRUTH), "cost": TRUTH.cost_usd}), "service_tier": "priority"}
    bill = read_bill(with_headers(body, {"x-litellm-call-id": "1"}))
    assert (booked(KNOWN, bill, RESERVE).cost_usd or 0) >= 2 * TRUTH.cost_usd


async def test_later_reserves_cover_the_tier() -> None:
    """In this process, in its successor, and in the run's other departments."""
    store = InMemoryLedgerStore()
    guard = BudgetGuard(Budget(max_cost_usd=10), Price(1e-6, 5e-6))
    guard.save_ledger_in(store)
    plain = await guard.reserve("m", SIZE, 8000, no_price)
    bill = Bill(1000, 2000, premium=PREMIUM)
    await guard.charge(plain, guard.booked(plain, bill), bill, SIZE)
    later = await guard.reserve("m", SIZE, 8000, no_price)
    assert later.cost_usd == pytest.approx(PREMIUM * (later.tokens_in * 1e-6 + 8000 * 5e-6))
    for again in (bill, Bill(1000, 2000, 0.011)):
        await guard.charge(later, guard.booked(later, again), again, SIZE)
        later = await guard.reserve("m", SIZE, 8000, no_price)
    assert later.cost_usd == pytest.approx(PREMIUM * (later.tokens_in * 1e-6 + 8000 * 5e-6))
    successor = BudgetGuard(Budget(max_cost_usd=10), Price(1e-6, 5e-6))
    successor.save_ledger_in(InMemoryLedgerStore(Ledger(rates=store.ledger.rates)))
    assert (await successor.reserve("m", SIZE, 8000, no_price)).cost_usd == pytest.approx(later.cost_usd)


async def test_a_tier_that_is_asked_for_is_set_aside_from_the_first_request_on() -> None:
    """By a field of the user's own."""
    guard = BudgetGuard(Budget(max_cost_usd=10), Price(1e-6, 5e-6))
    guard.expect({"service_tier": "priority"})
    reserve = await guard.reserve("m", SIZE, 8000, no_price)
    assert reserve.cost_usd == pytest.approx(PREMIUM * (reserve.tokens_in * 1e-6 + 8000 * 5e-6))
    silent = guard.booked(reserve, Bill(1000, 2000))
    named = guard.booked(reserve, Bill(1000, 2000, premium=1.0))
    assert silent.cost_usd == pytest.approx(PREMIUM * 0.011)
    assert named.cost_usd == pytest.approx(0.011)
