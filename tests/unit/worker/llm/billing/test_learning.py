"""What answers teach: prices that hold with caches and own keys, and answers longer than their limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.resource import Budget
from gather_worker.errors import BudgetUsed
from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.billing.usage_forms import read_bill
from gather_worker.llm.budget import NO_PROMPT, BudgetGuard, InMemoryLedgerStore
from gather_worker.llm.ledger import Ledger, Rate, Reserve, Usage, rates_of
from gather_worker.llm.pricing import ASSUMED, Price, PriceEstimate, learned, read_price
from tests.support.model_cases.documented_bills import Truth, completion, own_key

SIZE = PromptSize(1000)


async def no_price(_: str) -> None:
    """An endpoint without a price list."""


@given(
    price=st.tuples(st.floats(1e-7, 1e-3), st.floats(1e-7, 1e-3)),
    discount=st.floats(1 / 128, 1),
    requests=st.lists(
        st.tuples(st.integers(1, 50_000), st.floats(0, 1), st.integers(1, 8_000)), min_size=1, max_size=5
    ),
    asked=st.tuples(st.integers(1, 50_000), st.integers(1, 8_000)),
)
def test_a_price_learned_from_cached_prompts_is_never_too_low(
    price: tuple[float, float],
    discount: float,
    requests: list[tuple[int, float, int]],
    asked: tuple[int, int],
) -> None:
    """The next prompt may be in no cache."""
    true, estimate = Price(*price), PriceEstimate(ASSUMED, is_known=False)
    for tokens_in, share, tokens_out in requests:
        cached = int(share * tokens_in)
        cost_usd = true.cost_usd(tokens_in - cached + discount * cached, tokens_out)
        bill = Bill(tokens_in, tokens_out, cost_usd, cached=cached)
        estimate = learned(estimate, bill, NO_PROMPT, 0, is_first=False)
    assert estimate.price.cost_usd(*asked) >= true.cost_usd(*asked) * (1 - 1e-6)


def test_an_own_key_s_price_is_learned_with_all_that_is_paid() -> None:
    """The fee and the provider's part; a fee alone teaches nothing."""
    truth = Truth(1000, 1000, 0, 0, 0)
    unknown = PriceEstimate(ASSUMED, is_known=False)
    bill = read_bill(completion(own_key(truth, 0.05)))
    assert learned(unknown, bill, NO_PROMPT, 0, is_first=True).price.usd_out == pytest.approx(
        truth.cost_usd / 1000
    )
    alone = read_bill(completion({**own_key(truth, 0.05), "cost_details": None}))
    assert learned(unknown, alone, NO_PROMPT, 0, is_first=True).price == ASSUMED


def test_a_cost_of_nothing_teaches_no_price() -> None:
    """A promotion ends, and an answer out of a router's cache says nothing of the next one."""
    unknown = PriceEstimate(ASSUMED, is_known=False)
    assert (
        learned(unknown, Bill(100, 100, 0.0, is_free_said=True), NO_PROMPT, 0, is_first=True).price == ASSUMED
    )


@pytest.mark.parametrize(
    ("tokens_out", "reasoning", "expected"),
    [(900, 0, 0), (1000, 800, 0), (1010, 800, 13), (1400, 0, 500), (1400, 1200, 1500)],
)
def test_how_far_answers_go_beyond_a_limit_of_a_thousand(
    tokens_out: int, reasoning: int, expected: int
) -> None:
    """A few tokens late is chance; else all reasoning may come on top, and a quarter more."""
    estimate = PriceEstimate(Price(0, 1e-6), is_known=True)
    bill = Bill(100, tokens_out, reasoning=reasoning)
    assert learned(estimate, bill, NO_PROMPT, 1000, is_first=False).beyond == expected


async def test_later_reserves_cover_reasoning_beyond_the_limit() -> None:
    """In this process, in its successor, and in the run's other departments."""
    store = InMemoryLedgerStore()
    guard = BudgetGuard(Budget(max_tokens=100_000, max_cost_usd=1), Price(1e-6, 1e-6))
    guard.save_ledger_in(store)
    first = await guard.reserve("m", SIZE, 8000, no_price)
    assert (first.tokens_out, first.beyond) == (8000, 0)
    bill = Bill(1100, 20_000, reasoning=14_000)
    await guard.charge(first, Usage(1100, 20_000, 0.0211), bill, SIZE)
    second = await guard.reserve("m", SIZE, 8000, no_price)
    assert (second.tokens_out, second.beyond, second.worst_out) == (8000, 17_500, 25_500)
    assert second.cost_usd == pytest.approx((second.tokens_in + 25_500) * 1e-6)
    assert store.ledger.tokens == 21_100 + second.tokens_in + 25_500
    successor = BudgetGuard(Budget(max_cost_usd=1), Price(1e-6, 1e-6))
    successor.save_ledger_in(InMemoryLedgerStore(store.ledger))
    assert (await successor.reserve("m", SIZE, 8000, no_price)).beyond == 17_500


async def test_the_cap_has_room_for_what_goes_beyond_the_limit() -> None:
    """The limit is lowered to what is left without it; then nothing is asked."""
    guard = BudgetGuard(Budget(max_tokens=50_000), Price(0, 0))
    reserve = await guard.reserve("m", SIZE, 8000, no_price)
    await guard.charge(reserve, Usage(1000, 12_000, 0.0), Bill(1000, 12_000), SIZE)
    later = await guard.reserve("m", SIZE, 8000, no_price)
    assert later.tokens_in + later.worst_out <= 37_000
    await guard.charge(later, Usage(1000, 13_000, 0.0), Bill(1000, 13_000), SIZE)
    low = await guard.reserve("m", SIZE, 20_000, no_price)
    assert low.tokens_in + low.worst_out <= 23_000
    assert low.tokens_out < 20_000
    with pytest.raises(BudgetUsed):
        await guard.reserve("m", SIZE, 8000, no_price)


async def test_what_is_learned_without_a_price_is_no_price() -> None:
    """Ratio and length are carried on; the price is assumed again."""
    store = InMemoryLedgerStore()
    guard = BudgetGuard(Budget(max_cost_usd=10))
    guard.save_ledger_in(store)
    reserve = await guard.reserve("m", SIZE, 8000, no_price)
    await guard.charge(reserve, Usage(1100, 9000, 0.2), Bill(1100, 9000), SIZE)
    (rate,) = store.ledger.rates
    assert (rate.is_known, rate.token_ratio, rate.beyond) == (False, 1.1, 1250)
    successor = BudgetGuard(Budget(max_cost_usd=10))
    successor.save_ledger_in(store)
    again = await successor.reserve("m", SIZE, 8000, no_price)
    assert again.cost_usd == pytest.approx(ASSUMED.cost_usd(again.tokens_in, 9250))


def test_a_price_that_was_seen_goes_before_one_that_was_assumed() -> None:
    """Whichever department's ledger is read first; lengths are the longest of any."""
    seen = Rate(model="m", usd_in=1, usd_out=5, beyond=1)
    assumed = Rate(model="m", usd_in=9, usd_out=9, token_ratio=2, beyond=3, is_known=False)
    expected = Rate(model="m", usd_in=1, usd_out=5, token_ratio=2, beyond=3)
    for rates in ([seen, assumed], [assumed, seen]):
        assert rates_of([Ledger(rates=[rate]) for rate in rates]) == {"m": expected}


def test_a_ledger_of_an_older_worker_is_read() -> None:
    """And an older worker reads a newer one's, whose further fields it does not know."""
    reserve = {"id": "r", "model": "m", "costUsd": 1, "tokensIn": 2, "tokensOut": 3}
    rate = {"model": "m", "usdIn": 1, "usdOut": 2, "tokenRatio": 1.5}
    old = {"costUsd": 0.5, "reserved": [reserve], "rates": [rate]}
    ledger = Ledger.model_validate(old)
    assert (ledger.total_usd, ledger.tokens) == (1.5, 5)
    assert ledger.rates[0] == Rate(model="m", usd_in=1, usd_out=2, token_ratio=1.5, beyond=0, is_known=True)
    newer = ledger.model_dump(by_alias=True)
    assert {"tokensIn", "tokensOut", "costUsd"} <= set(newer["reserved"][0])
    assert Reserve.model_validate({**newer["reserved"][0], "unheardOf": 1}) == ledger.reserved[0]


def test_a_list_s_dearer_parts_are_the_price() -> None:
    """OpenRouter lists what goes into a cache and reasoning apart, where they cost more."""
    pricing = {"prompt": "0.000003", "completion": "0.000015", "input_cache_write": "0.00000375",
               "internal_reasoning": "0.00002", "request": "0"}  # fmt: skip
    body = {"data": {"endpoints": [{"pricing": pricing}]}}
    assert read_price(body, "m") == Price(3.75e-6, 20e-6)
