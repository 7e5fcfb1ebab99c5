"""The run's money: no request is sent whose worst case does not fit into what the budget leaves.

Before a request its worst case is written into the department's ledger, after it the truth. So whoever takes
a department up after a crash finds what its predecessor may have spent, and retries cannot spend it twice.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from gather_contracts.resource import Budget
from gather_worker.errors import BudgetUsed
from gather_worker.llm.ledger import Ledger, Reserve, Usage, rates_of
from gather_worker.llm.pricing import ASSUMED, FREE, Price, Tariff, charged, learned, rate_of, tariff_of

OUTPUT_MIN_TOKENS: Final = 1024
"""An answer that may not be longer is not worth its prompt: five short notes need some 700."""
MESSAGE_TOKENS: Final = 64
"""For what a chat's template adds to the texts: role names and separators."""

AMPLE_REQUESTS: Final = 4
"""A verdict and the next notes, each with its re-ask: what may be asked for at the same time."""

FindPrice = Callable[[str], Awaitable[Price | None]]
_LOGGER = logging.getLogger(__name__)


class Book(Protocol):
    """Where the ledger is kept."""

    @property
    def ledger(self) -> Ledger:
        """Return the ledger as it was last kept."""

    async def keep_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger; returns once no crash can undo it."""

    async def other_ledgers(self) -> Sequence[Ledger]:
        """Return the ledgers of the run's other departments."""


@dataclass
class MemoryBook:
    """A ledger that goes with its process: for commands that are not part of a run."""

    ledger: Ledger = field(default_factory=Ledger)

    async def keep_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger."""
        self.ledger = change(self.ledger)

    async def other_ledgers(self) -> Sequence[Ledger]:
        """Return nothing: there is no run."""
        return ()


@dataclass(frozen=True, slots=True)
class Left:
    """What the budget leaves, before a request; infinite where there is no cap."""

    usd: float
    tokens: float


def left_of(budget: Budget, ledgers: Sequence[Ledger]) -> Left:
    """Return what the run's ledgers leave of its budget; below 0 if a request came to more than its worst."""
    usd = float("inf") if budget.max_cost_usd is None else budget.max_cost_usd
    tokens = float("inf") if budget.max_tokens is None else budget.max_tokens
    spent_usd = sum(ledger.total_usd for ledger in ledgers)
    return Left(usd - spent_usd, tokens - sum(ledger.tokens for ledger in ledgers))


def output_limit(left: Left, tariff: Tariff, tokens_in: int, wanted: int) -> int:
    """Return the longest answer, up to `wanted` tokens, that still fits; 0 if it would not be worth asking.

    `tokens_in` is the prompt at most. A cap of 0 allows nothing, not even what is free.
    """
    if left.usd <= 0 or left.tokens <= 0:
        return 0
    price = tariff.price
    fits = min(float(wanted), left.tokens - tokens_in)
    if left.usd != float("inf"):
        for_output_usd = left.usd - price.cost_usd(tokens_in, 0)
        if for_output_usd < 0:
            return 0
        fits = min(fits, for_output_usd / price.usd_out if price.usd_out else fits)
    return int(fits) if fits >= min(wanted, OUTPUT_MIN_TOKENS) else 0


class Purse:
    """Pays for one process's requests; `price` is the owner's word for all models, if there is one."""

    def __init__(self, budget: Budget | None = None, price: Price | None = None) -> None:
        self._budget = budget or Budget()
        self._fixed_price = price
        self._book: Book = MemoryBook()
        self._lock = asyncio.Lock()
        self._tariffs: dict[str, Tariff] = {}
        self._answered: set[str] = set()
        self._dearest: tuple[float, int] | None = None
        """What a request so far may have come to at most, in USD and in tokens."""
        self.is_used = False
        """Whether a request did not fit any more; the run can only end then."""

    def use(self, book: Book) -> None:
        """Keep the ledger there from now on."""
        self._book = book

    @property
    def ledger(self) -> Ledger:
        """Return the ledger as it was last kept."""
        return self._book.ledger

    async def reserve(self, model: str, counted: int, wanted: int, find_price: FindPrice) -> Reserve:
        """Set aside the worst case of a request; its `tokens_out` is how long the answer may be.

        Args:
            model: its name.
            counted: tokens of the prompt and the schema, by our own count.
            wanted: tokens of the longest answer that would be useful.
            find_price: returns what the endpoint's price list says, None if it says nothing.

        Raises:
            BudgetUsed: the request does not fit, even with a short answer.
        """
        async with self._lock:
            others = await self._others()
            tariff = await self._tariff(model, others, find_price)
            tokens_in = tariff.tokens_at_most(counted + MESSAGE_TOKENS)
            limit = output_limit(left_of(self._budget, [self.ledger, *others]), tariff, tokens_in, wanted)
            if not limit:
                self.is_used = True
                raise BudgetUsed("not even a short answer of the model fits into what the budget leaves")
            reserve = Reserve(
                id=uuid.uuid4().hex,
                model=model,
                cost_usd=round(tariff.price.cost_usd(tokens_in, limit), 10),
                tokens_in=tokens_in,
                tokens_out=limit,
            )
            await self._book.keep_ledger(lambda ledger: ledger.with_reserve(reserve))
            await self._check_again(reserve)
            worst = reserve.cost_usd, reserve.tokens_in + reserve.tokens_out
            self._dearest = max(self._dearest or worst, worst)
            return reserve

    async def is_ample(self) -> bool:
        """Tell whether the budget leaves enough for several requests at a time to take nothing from each
        other, by the dearest request so far; before the first, nobody knows.
        """
        if not self._is_capped:
            return True
        if self._dearest is None:
            return False
        left = left_of(self._budget, [self.ledger, *await self._others()])
        cost_usd, tokens = self._dearest
        return left.usd >= AMPLE_REQUESTS * cost_usd and left.tokens >= AMPLE_REQUESTS * tokens

    def priced(self, model: str, usage: Usage) -> Usage:
        """Return the usage with a cost, reckoned by the price where the endpoint names none."""
        return charged(self._tariffs[model], usage)

    async def settle(self, reserve: Reserve, usage: Usage, counted: int = 0) -> None:
        """Enter what the request came to in the place of its reserve; `counted` 0 teaches nothing."""
        tariff = self._tariffs[reserve.model]
        better = learned(tariff, usage, counted, is_first=reserve.model not in self._answered)
        self._tariffs[reserve.model] = better
        if usage.tokens_in:
            self._answered.add(reserve.model)
        rate = rate_of(reserve.model, better) if better != tariff and better.is_known else None

        def change(ledger: Ledger) -> Ledger:
            settled = ledger.settled(reserve.id, usage)
            return settled.rated(rate) if rate else settled

        await self._book.keep_ledger(change)

    async def settle_left(self, reserve_id: str, usage: Usage) -> None:
        """Enter what a predecessor's request came to, if its reserve still stands."""
        if any(reserve.id == reserve_id for reserve in self.ledger.reserved):
            await self._book.keep_ledger(lambda ledger: ledger.settled(reserve_id, usage))

    async def _others(self) -> Sequence[Ledger]:
        return await self._book.other_ledgers() if self._is_capped else ()

    @property
    def _is_capped(self) -> bool:
        return self._budget.max_cost_usd is not None or self._budget.max_tokens is not None

    async def _check_again(self, reserve: Reserve) -> None:
        """Take the reserve back if another department's came in between: both cannot have it."""
        if not self._is_capped:
            return
        left = left_of(self._budget, [self.ledger, *await self._others()])
        if left.usd < 0 or left.tokens < 0:
            await self._book.keep_ledger(lambda ledger: ledger.without_reserve(reserve.id))
            self.is_used = True
            raise BudgetUsed("another department of the run has taken what was left of the budget")

    async def _tariff(self, model: str, others: Sequence[Ledger], find_price: FindPrice) -> Tariff:
        if model not in self._tariffs:
            self._tariffs[model] = await self._first_tariff(model, others, find_price)
        return self._tariffs[model]

    async def _first_tariff(self, model: str, others: Sequence[Ledger], find_price: FindPrice) -> Tariff:
        rate = rates_of([self.ledger, *others]).get(model)
        seen = tariff_of(rate) if rate else None
        if seen:
            self._answered.add(model)
        listed = self._fixed_price or (await find_price(model) if self._is_priced else None)
        if listed:
            known = Tariff(listed, is_known=True)
            return replace(known, token_ratio=seen.token_ratio) if seen else known
        if seen is None and self._is_priced:
            _LOGGER.warning("the price of model %s is not known; one is assumed until it is", model)
        return seen or Tariff(ASSUMED if self._is_priced else FREE, is_known=False)

    @property
    def _is_priced(self) -> bool:
        """Tell whether the price has to be known: only a cap on money asks the endpoint for its list."""
        return self._budget.max_cost_usd is not None
