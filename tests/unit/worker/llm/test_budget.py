"""Prices, ledgers and what a budget leaves; then the law that all of it is for: the cap holds."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_contracts.resource import Budget
from gather_worker.errors import BudgetUsed, ModelTransient
from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.prompt_bound import PromptBound, PromptSize
from gather_worker.llm.budget import (
    NO_PROMPT,
    OUTPUT_MIN_TOKENS,
    BudgetGuard,
    InMemoryLedgerStore,
    Remaining,
    output_limit,
    remaining_of,
)
from gather_worker.llm.ledger import NOTHING, RESERVES_MAX, Ledger, Rate, Reserve, Usage, rates_of
from gather_worker.llm.pricing import (
    ASSUMED,
    Price,
    PriceEstimate,
    estimate_from,
    learned,
    list_paths,
    rate_of,
    read_price,
)

INF = float("inf")
RESERVE = Reserve(id="r", model="m", cost_usd=1.0, tokens_in=100, tokens_out=50)


async def no_price(_: str) -> None:
    """An endpoint without a price list."""


# --- the ledger


def test_money_adds_up_to_the_last_millionth() -> None:
    """Three times a tenth is three tenths."""
    ledger = Ledger()
    for name in "abc":
        reserve = RESERVE.model_copy(update={"id": name})
        ledger = ledger.with_reserve(reserve).with_charge(name, Usage(1, 2, 0.1))
    assert (ledger.total_usd, ledger.tokens, ledger.requests, ledger.reserved) == (0.3, 9, 3, [])


def test_a_reserve_counts_until_it_is_charged_and_is_charged_once() -> None:
    """A second settlement, by a successor that found the answer, changes nothing."""
    ledger = Ledger().with_reserve(RESERVE)
    assert (ledger.total_usd, ledger.tokens, ledger.cost_usd) == (1.0, 150, 0)
    charged = ledger.with_charge("r", Usage(10, 5, 0.25))
    assert charged.with_charge("r", Usage(10, 5, 0.25)) == charged
    assert (charged.total_usd, charged.tokens) == (0.25, 15)
    assert ledger.without_reserve("r") == Ledger()


def test_requests_without_an_answer_are_bounded_and_none_is_forgotten() -> None:
    """Hundreds of evictions must not make the checkpoint grow."""
    ledger = Ledger()
    for number in range(3 * RESERVES_MAX):
        ledger = ledger.with_reserve(RESERVE.model_copy(update={"id": str(number)}))
    assert len(ledger.reserved) == RESERVES_MAX
    assert (ledger.total_usd, ledger.tokens) == (3.0 * RESERVES_MAX, 150 * 3 * RESERVES_MAX)


def test_departments_share_what_they_learned_of_prices() -> None:
    """Of two rates the highest."""
    one = (
        Ledger()
        .with_rate(Rate(model="m", usd_in=1, usd_out=5))
        .with_rate(Rate(model="m", usd_in=2, usd_out=4))
    )
    other = Ledger().with_rate(Rate(model="m", usd_in=1, usd_out=9, token_ratio=2))
    assert one.rates == [Rate(model="m", usd_in=2, usd_out=4)]
    assert rates_of([one, other]) == {"m": Rate(model="m", usd_in=2, usd_out=9, token_ratio=2)}


# --- prices


ENDPOINTS = {
    "data": {
        "id": "a/b",
        "endpoints": [
            {"pricing": {"prompt": "0.000003", "completion": "0.000010"}},
            {"pricing": {"prompt": "0.000001", "completion": "0.000015", "request": "0.01"}},
            {"pricing": {"prompt": "-1", "completion": "-1"}},
        ],
    }
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ENDPOINTS, Price(3e-6, 15e-6, 0.01)),
        ({"data": [{"id": "a/b", "pricing": {"prompt": "0", "completion": 0}}]}, Price(0, 0)),
        ({"data": [{"id": "other", "pricing": {"prompt": "1e-6", "completion": "1e-6"}}]}, None),
        ({"data": [{"id": "a/b"}, 7, None]}, None),
        ({"data": [{"id": "a/b", "pricing": {"prompt": "cheap", "completion": "9"}}]}, None),
        ({"data": "none"}, None),
        ([], None),
        (None, None),
    ],
)
def test_price_lists_are_read_and_nonsense_is_no_price(body: Any, expected: Price | None) -> None:
    """Of several providers the most expensive, since any of them may be the one."""
    assert read_price(body, "a/b") == expected


@pytest.mark.parametrize("model", ["../keys", "a/../b", "a b", "a/b?x=1", "", "a//b", "a/b/../../x"])
def test_a_model_name_is_no_path(model: str) -> None:
    """The CMS's users write it."""
    assert list_paths(model, is_openrouter=True) == ["/models"]


def test_openrouter_is_asked_for_the_prices_of_all_providers() -> None:
    """Its list of models names one of them."""
    assert list_paths("a/b-4.5:free", is_openrouter=True) == ["/models/a/b-4.5:free/endpoints"]
    assert list_paths("a/b", is_openrouter=False) == ["/models"]


@given(
    price=st.tuples(st.floats(1e-7, 1e-3), st.floats(1e-7, 1e-3)),
    requests=st.lists(st.tuples(st.integers(1, 50_000), st.integers(1, 8_000)), min_size=1, max_size=5),
    asked=st.tuples(st.integers(1, 50_000), st.integers(1, 8_000)),
)
def test_a_price_learned_from_requests_is_never_too_low(
    price: tuple[float, float], requests: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """Whatever the endpoint's true price is, the worst case is one."""
    true = Price(*price)
    estimate = PriceEstimate(ASSUMED, is_known=False)
    for tokens in requests:
        estimate = learned(estimate, Bill(*tokens, true.cost_usd(*tokens)), NO_PROMPT, 0, is_first=False)
    assert estimate.price.cost_usd(*asked) >= true.cost_usd(*asked) * (1 - 1e-6)


def test_a_request_that_came_to_more_than_listed_raises_the_price() -> None:
    """What is charged is believed before what is listed."""
    listed = PriceEstimate(Price(1e-6, 2e-6), is_known=True)
    bill = Bill(100, 100, 3 * listed.price.cost_usd(100, 100))
    assert learned(listed, bill, NO_PROMPT, 0, is_first=False).price == Price(3e-6, 6e-6)
    assert learned(listed, Bill(100, 100, 1e-9), NO_PROMPT, 0, is_first=False) == listed
    free = PriceEstimate(Price(0, 0), is_known=True)
    assert learned(free, Bill(10, 10, 1.0), NO_PROMPT, 0, is_first=False).price == Price(0.1, 0.1)


def test_tokens_are_counted_with_what_the_model_reported() -> None:
    """At first at the highest ratio of any model, then at the model's own with a margin."""
    estimate = PriceEstimate(ASSUMED, is_known=False)
    size = PromptSize(1000)
    assert estimate.prompt.at_most(size) == 4000
    seen = learned(estimate, Bill(1200, 10), size, 0, is_first=True)
    assert seen.prompt.at_most(size) == 1500
    assert learned(seen, Bill(900, 10), size, 0, is_first=False) == seen


def test_what_is_learned_survives_the_store() -> None:
    """As far as it goes."""
    estimate = PriceEstimate(
        Price(1e-6, 2e-6), True, is_bound=True, prompt=PromptBound(1.5, 2, 0.5), beyond=7
    )
    assert estimate_from(Rate.model_validate(rate_of("m", estimate).model_dump(by_alias=True))) == estimate


# --- what is left


@pytest.mark.parametrize(
    ("remaining", "wanted", "expected"),
    [
        (Remaining(INF, INF), 8000, 8000),
        (Remaining(INF, 9000), 8000, 8000),
        (Remaining(INF, 5000), 8000, 4000),
        (Remaining(INF, 1000 + OUTPUT_MIN_TOKENS - 1), 8000, 0),
        (Remaining(INF, 1500), 500, 500),
        (Remaining(3.0, INF), 8000, 2000),
        (Remaining(0.9, INF), 8000, 0),
        (Remaining(0.0, INF), 8000, 0),
        (Remaining(INF, 0), 8000, 0),
        (Remaining(-1.0, INF), 8000, 0),
        (Remaining(3.0, 2500), 8000, 1500),
    ],
)
def test_the_longest_answer_that_fits(remaining: Remaining, wanted: int, expected: int) -> None:
    """A prompt of 1,000 tokens at 1 USD a thousand, the answer's tokens likewise."""
    estimate = PriceEstimate(Price(1e-3, 1e-3), is_known=True)
    assert output_limit(remaining, estimate, 1000, wanted) == expected


def test_a_free_model_is_limited_by_nothing_but_a_cap_of_nothing() -> None:
    """Budget 0 means no call at all."""
    free = PriceEstimate(Price(0, 0), is_known=True)
    assert output_limit(Remaining(0.01, INF), free, 1000, 8000) == 8000
    assert output_limit(Remaining(0, INF), free, 1000, 8000) == 0


def test_all_departments_count() -> None:
    """Their reserves too."""
    budget = Budget(max_cost_usd=5, max_tokens=1000)
    ledgers = [Ledger(cost_usd=1, tokens_in=100), Ledger(cost_usd=0.5).with_reserve(RESERVE)]
    assert remaining_of(budget, ledgers) == Remaining(2.5, 750)
    assert remaining_of(Budget(), ledgers) == Remaining(INF, INF)


# --- the guard


class RunLedgerStore(InMemoryLedgerStore):
    """One of a run's departments; the others' ledgers are read as they are."""

    def __init__(self, run: list["RunLedgerStore"]) -> None:
        super().__init__()
        self._run = run
        run.append(self)

    async def other_ledgers(self) -> Sequence[Ledger]:
        """Return the others'."""
        await asyncio.sleep(0)
        return [store.ledger for store in self._run if store is not self]

    async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger, as slowly as a database."""
        await asyncio.sleep(0)
        await super().save_ledger(change)


KINDS = ("answer", "unclear", "lost", "refused")
"""An answer with a bill, one without, one that nobody read, and none."""


@settings(max_examples=120, deadline=None)
@given(
    patience_s=st.sampled_from([0.0, 20.0]),
    cap=st.floats(0, 2.0),
    cap_tokens=st.integers(0, 60_000),
    answers=st.lists(
        st.tuples(st.integers(1, 3000), st.floats(0, 1), st.sampled_from(KINDS)),
        max_size=30,
    ),
)
async def test_the_cap_holds(
    patience_s: float, cap: float, cap_tokens: int, answers: list[tuple[int, float, str]]
) -> None:
    """Three departments at once, answers of any length and of every kind: never a cent above the cap."""
    price, run = Price(1e-5, 5e-5), list[RunLedgerStore]()
    guards = []
    for _ in range(3):
        budget = Budget(max_cost_usd=cap, max_tokens=cap_tokens)
        guard = BudgetGuard(budget, price, patience_s=patience_s, sleep=lambda _: asyncio.sleep(0))
        guard.save_ledger_in(RunLedgerStore(run))
        guards.append(guard)
    true_usd, true_tokens = [0.0], [0]

    async def pay(guard: BudgetGuard, mine: Sequence[tuple[int, float, str]]) -> None:
        for counted, share, kind in mine:
            try:
                reserve = await guard.reserve("m", PromptSize(counted), 8000, no_price)
            except BudgetUsed:
                return
            tokens_out = round(share * reserve.tokens_out)
            usage = Usage(counted, tokens_out, price.cost_usd(counted, tokens_out))
            if kind != "refused":
                true_usd[0] += usage.cost_usd or 0
                true_tokens[0] += usage.tokens_in + usage.tokens_out
            booked = {
                "answer": (usage, Bill(counted, tokens_out)),
                "unclear": (guard.booked(reserve, Bill()), Bill()),
                "refused": (NOTHING, None),
            }
            if kind in booked:
                await guard.charge(reserve, *booked[kind], PromptSize(counted))

    await asyncio.gather(*(pay(guard, answers[number::3]) for number, guard in enumerate(guards)))
    assert true_usd[0] <= cap + 1e-9
    assert true_tokens[0] <= cap_tokens
    assert sum(store.ledger.total_usd for store in run) >= true_usd[0] - 1e-9


async def test_a_request_waits_for_what_others_have_only_set_aside() -> None:
    """The other's worst case leaves no room; what it came to does."""
    run, waits = list[RunLedgerStore](), list[float]()

    async def wait(pause_s: float) -> None:
        waits.append(pause_s)
        if len(waits) == 3:
            await first.charge(taken, Usage(1000, 500), Bill(1000, 500), PromptSize(1000))

    budget, price = Budget(max_tokens=14_000), Price(0, 0)
    first, second = BudgetGuard(budget, price), BudgetGuard(budget, price, patience_s=60, sleep=wait)
    for guard in (first, second):
        guard.save_ledger_in(RunLedgerStore(run))
    taken = await first.reserve("m", PromptSize(1000), 8000, no_price)
    reserve = await second.reserve("m", PromptSize(1000), 8000, no_price)
    assert len(waits) == 3
    assert reserve.tokens_out == 8000
    assert not second.is_used


async def test_nobody_waits_for_ever_nor_for_what_would_not_help() -> None:
    """A worker that was killed leaves its reserve; and what is spent does not come back."""
    waits = list[float]()

    async def wait(pause_s: float) -> None:
        waits.append(pause_s)

    async def asked(budget: Budget, other: Ledger) -> None:
        guard = BudgetGuard(budget, Price(0, 0), patience_s=60, sleep=wait)
        run = list[RunLedgerStore]()
        guard.save_ledger_in(RunLedgerStore(run))
        RunLedgerStore(run).ledger = other
        with pytest.raises(BudgetUsed):
            await guard.reserve("m", PromptSize(1000), 8000, no_price)
        assert guard.is_used

    lost = Reserve(id="r", model="m", cost_usd=0, tokens_in=5000, tokens_out=4000)
    await asked(Budget(max_tokens=10_000), Ledger(reserved=[lost]))
    assert 60 <= sum(waits) <= 63
    waits.clear()
    await asked(Budget(max_tokens=10_000), Ledger(tokens_in=9000))
    assert waits == []


async def test_a_price_list_that_cannot_be_read_now_is_asked_for_again() -> None:
    """The price that is assumed meanwhile does not end a department; a cap that is used up does."""
    answers: list[Price | None] = [None, Price(1e-6, 1e-6), None]

    async def find(_: str) -> Price | None:
        answer = answers.pop(0)
        if answer is None:
            raise ModelTransient("the connection broke")
        return answer

    guard = BudgetGuard(Budget(max_cost_usd=0.01))
    with pytest.raises(ModelTransient, match="price list cannot be read"):
        await guard.reserve("m", PromptSize(1000), 2000, find)
    assert not guard.is_used
    assert (await guard.reserve("m", PromptSize(1000), 2000, find)).tokens_out == 2000
    with pytest.raises(BudgetUsed):
        await BudgetGuard(Budget(max_cost_usd=0)).reserve("m", PromptSize(1000), 2000, find)


async def test_an_unknown_price_counts_only_under_a_cap_on_money() -> None:
    """A model of one's own costs nothing; with a cap it is better to stop early than late."""
    capped, free = BudgetGuard(Budget(max_cost_usd=1)), BudgetGuard()
    assert (await capped.reserve("m", PromptSize(1000), 8000, no_price)).cost_usd == pytest.approx(
        ASSUMED.cost_usd(4 * 1064, 8000)
    )
    assert (await free.reserve("m", PromptSize(1000), 8000, no_price)).cost_usd == 0


async def test_a_successor_knows_the_price_that_was_learned() -> None:
    """From its own checkpoint; nothing has to be assumed again."""
    store = InMemoryLedgerStore()
    first = BudgetGuard(Budget(max_cost_usd=10))
    first.save_ledger_in(store)
    reserve = await first.reserve("m", PromptSize(1000), 8000, no_price)
    await first.charge(reserve, Usage(1100, 1000, 0.01), Bill(1100, 1000, 0.01), PromptSize(1000))
    second = BudgetGuard(Budget(max_cost_usd=10))
    second.save_ledger_in(store)
    again = await second.reserve("m", PromptSize(1000), 8000, no_price)
    assert again.cost_usd == pytest.approx(again.tokens_in * 0.01 / 1100 + 8000 * 0.01 / 1000)
    assert again.tokens_in < reserve.tokens_in


@pytest.mark.parametrize(
    ("cap_usd", "cap_tokens", "expected"),
    [(None, None, True), (10.0, None, True), (3.0, None, False), (None, 100_000, True), (None, 5_000, False)],
)
async def test_a_budget_is_ample_for_four_more_like_the_largest(
    cap_usd: float | None, cap_tokens: int | None, *, expected: bool
) -> None:
    """Of a thousand tokens each way, at a dollar altogether; a cap that is far off is as good as none."""
    guard = BudgetGuard(Budget(max_cost_usd=cap_usd, max_tokens=cap_tokens), Price(0, 1e-3))
    assert await guard.is_ample() is (cap_usd is None and cap_tokens is None)
    await guard.reserve("m", PromptSize(100), 1000, no_price)
    assert await guard.is_ample() is expected
