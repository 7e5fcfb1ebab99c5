"""The run's budget: no request is sent whose worst case does not fit into what is left of it.

Before a request its worst case is written into the department's ledger, after it the true cost. So a worker
that resumes a department after a crash finds what its predecessor may have spent, and retries cannot spend it
twice.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from gather_contracts.resource import Budget
from gather_worker.errors import BudgetUsed, ModelTransient
from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.billing.surcharges import premium_of
from gather_worker.llm.ledger import Ledger, Reserve, Usage, forms_of, rates_of
from gather_worker.llm.pricing import (
    ASSUMED,
    FREE,
    Price,
    PriceEstimate,
    booked,
    estimate_from,
    learned,
    rate_of,
)

OUTPUT_MIN_TOKENS: Final = 1024
"""An answer that may not be longer is not worth its prompt: five short notes need some 700."""
MESSAGE_TOKENS: Final = 64
"""For what a chat's template adds to the texts: role names and separators."""

AMPLE_REQUESTS: Final = 4
"""A verdict and the next notes, each with its re-ask: what may be asked for at the same time."""

EXCUSED_MAX: Final = 3
"""So many pages show a wrong address; what comes later is booked at its worst."""

PATIENCE_S: Final = 150.0
"""For what other departments have in flight: a model's answer has 120 s by default, and is charged then."""
POLL_S: Final = (0.5, 2.0)
"""Between two looks, by chance, so that two departments do not meet again and again."""

NO_PROMPT: Final = PromptSize(0)
"""Of a request whose prompt teaches nothing."""

UNREAD: Final = "the endpoint's price list cannot be read, and the budget does not cover an assumed price"
FindPrice = Callable[[str], Awaitable[Price | None]]
_LOGGER = logging.getLogger(__name__)


class LedgerStore(Protocol):
    """Where the ledger is saved."""

    @property
    def ledger(self) -> Ledger:
        """Return the ledger as it was last saved."""

    async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger; returns once no crash can undo it."""

    async def other_ledgers(self) -> Sequence[Ledger]:
        """Return the ledgers of the run's other departments."""


@dataclass
class InMemoryLedgerStore:
    """A ledger that ends with its process: for commands that are not part of a run."""

    ledger: Ledger = field(default_factory=Ledger)

    async def save_ledger(self, change: Callable[[Ledger], Ledger]) -> None:
        """Change the ledger."""
        self.ledger = change(self.ledger)

    async def other_ledgers(self) -> Sequence[Ledger]:
        """Return nothing: there is no run."""
        return ()


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of the budget, before a request; infinite where there is no cap."""

    usd: float
    tokens: float


def remaining_of(budget: Budget, ledgers: Sequence[Ledger]) -> Remaining:
    """Return what the run's ledgers leave of its budget; below 0 if a request cost more than its worst."""
    usd = float("inf") if budget.max_cost_usd is None else budget.max_cost_usd
    tokens = float("inf") if budget.max_tokens is None else budget.max_tokens
    spent_usd = sum(ledger.total_usd for ledger in ledgers)
    return Remaining(usd - spent_usd, tokens - sum(ledger.tokens for ledger in ledgers))


def output_limit(remaining: Remaining, estimate: PriceEstimate, tokens_in: int, wanted: int) -> int:
    """Return the longest answer, up to `wanted` tokens, that still fits; 0 if it would not be worth asking.

    `tokens_in` is the prompt at most. A cap of 0 allows nothing, not even what is free.
    """
    if remaining.usd <= 0 or remaining.tokens <= 0:
        return 0
    price, beyond = estimate.worst, estimate.beyond
    fits = min(float(wanted), remaining.tokens - tokens_in - beyond)
    if remaining.usd != float("inf"):
        for_output_usd = remaining.usd - price.cost_usd(tokens_in, beyond)
        if for_output_usd < 0:
            return 0
        fits = min(fits, for_output_usd / price.usd_out if price.usd_out else fits)
    return int(fits) if fits >= min(wanted, OUTPUT_MIN_TOKENS) else 0


def _settled(ledger: Ledger) -> Ledger:
    """Return the ledger without what it has set aside."""
    return ledger.model_copy(update={"reserved": []})


class BudgetGuard:
    """Pays for one process's requests; `price` is the owner's setting for all models, if there is one."""

    def __init__(
        self,
        budget: Budget | None = None,
        price: Price | None = None,
        *,
        patience_s: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`patience_s`: for how long a request that does not fit waits for what other departments have set
        aside, as long as that does not change; `sleep` may raise to end the wait.
        """
        self._budget = budget or Budget()
        self._patience_s = patience_s
        self._sleep = sleep
        self._fixed_price = price
        self._store: LedgerStore = InMemoryLedgerStore()
        self._lock = asyncio.Lock()
        self._estimates: dict[str, PriceEstimate] = {}
        self._unread: set[str] = set()
        """Models whose price is assumed because the endpoint's list could not be read at that moment."""
        self._answered: set[str] = set()
        self._has_answered = False
        self._excused: list[Reserve] = []
        self._excuses = 0
        self._largest_request: tuple[float, int] | None = None
        """The highest worst case so far, in USD and in tokens."""
        self._premium = 1.0
        self.is_used = False
        """Whether a request did not fit any more; the run can only end then."""
        self.is_own_key = False
        """Whether an answer was made with the owner's own key at the provider."""

    def save_ledger_in(self, store: LedgerStore) -> None:
        """Keep the ledger there from now on."""
        self._store = store

    def expect(self, fields: Mapping[str, Any]) -> None:
        """Set aside what a tier costs that every request asks for; `fields` are the user's own."""
        self._premium = premium_of(fields) or 1.0

    @property
    def ledger(self) -> Ledger:
        """Return the ledger as it was last saved."""
        return self._store.ledger

    async def reserve(self, model: str, size: PromptSize, wanted: int, find_price: FindPrice) -> Reserve:
        """Set aside the worst case of a request; its `tokens_out` is how long the answer may be.

        Args:
            model: its name.
            size: of the prompt.
            wanted: tokens of the longest answer that would be useful.
            find_price: returns what the endpoint's price list says, None if it says nothing.

        Raises:
            BudgetUsed: the request does not fit, even with a short answer.
            ModelTransient: it does not fit at an assumed price, and the list cannot be read now.
        """
        async with self._lock:
            others, waited_s = await self._others(), 0.0
            if model not in self._estimates:
                first = await self._first_estimate(model, others, find_price)
                self._estimates[model] = replace(first, premium=max(first.premium, self._premium))
            estimate = self._estimates[model]
            tokens_in = estimate.prompt.at_most(size.with_more(MESSAGE_TOKENS))
            while True:
                limit = output_limit(
                    remaining_of(self._budget, [self.ledger, *others]), estimate, tokens_in, wanted
                )
                if limit and (reserve := await self._try(model, estimate, tokens_in, limit)):
                    return reserve
                freed = remaining_of(self._budget, [self.ledger, *map(_settled, others)])
                may_fit = output_limit(freed, estimate, tokens_in, wanted) > 0
                if not may_fit and model in self._unread and not estimate.is_known:
                    unpriced = replace(estimate, price=FREE)
                    if output_limit(freed, unpriced, tokens_in, wanted):
                        del self._estimates[model]  # the list is asked for again
                        raise ModelTransient(UNREAD)
                if not may_fit or waited_s >= self._patience_s:
                    self.is_used = True
                    raise BudgetUsed("the rest of the budget does not cover even a short answer of the model")
                pause_s = random.uniform(*POLL_S)  # noqa: S311 - no secret
                await self._sleep(pause_s)
                before, others = others, await self._others()
                waited_s = waited_s + pause_s if others == before else 0.0

    async def _try(self, model: str, estimate: PriceEstimate, tokens_in: int, limit: int) -> Reserve | None:
        """Return the reserve, once it stands; None if others have taken the rest meanwhile.

        Each writes its own before it reads the others': of those who take the same rest the last to write
        sees them all, so that never all of them stay.
        """
        worst_usd = round(estimate.worst.cost_usd(tokens_in, limit + estimate.beyond), 10)
        reserve = Reserve(
            id=uuid.uuid4().hex,
            model=model,
            cost_usd=worst_usd,
            tokens_in=tokens_in,
            tokens_out=limit,
            beyond=estimate.beyond,
        )
        await self._store.save_ledger(lambda ledger: ledger.with_reserve(reserve))
        remaining = await self._remaining()
        if remaining.usd < 0 or remaining.tokens < 0:
            await self._store.save_ledger(lambda ledger: ledger.without_reserve(reserve.id))
            return None
        worst = worst_usd, tokens_in + reserve.worst_out
        self._largest_request = max(self._largest_request or worst, worst)
        return reserve

    async def is_ample(self) -> bool:
        """Return whether the budget leaves enough for several requests at a time, each as large as the
        largest so far; False before the first request.
        """
        if not self._is_capped:
            return True
        if self._largest_request is None:
            return False
        remaining = await self._remaining()
        cost_usd, tokens = self._largest_request
        return remaining.usd >= AMPLE_REQUESTS * cost_usd and remaining.tokens >= AMPLE_REQUESTS * tokens

    def booked(self, reserve: Reserve, bill: Bill, counted_out: int = 0) -> Usage:
        """Return what is booked for an answer whose text has `counted_out` tokens by our count."""
        return booked(self._estimates[reserve.model], bill, reserve, counted_out)

    async def charge(
        self, reserve: Reserve, usage: Usage, bill: Bill | None = None, size: PromptSize = NO_PROMPT
    ) -> None:
        """Replace the reserve by what is booked.

        `bill` is the answer's, None if there was none; `size` is its prompt's.
        """
        before = self._estimates[reserve.model]
        estimate, excused = before, list[Reserve]()
        if bill:
            is_first = reserve.model not in self._answered
            estimate = learned(before, bill, size, reserve.tokens_out, is_first=is_first)
            self.is_own_key = self.is_own_key or bill.is_byok
            # A model is there after all: what came before it may have been charged.
            excused, self._excused = self._excused, []
            self._has_answered = True
        self._estimates[reserve.model] = estimate
        if bill and bill.tokens_in:
            self._answered.add(reserve.model)
        rate = rate_of(reserve.model, estimate) if estimate != before else None

        def change(ledger: Ledger) -> Ledger:
            charged = ledger.with_charge(reserve.id, usage)
            for each in excused:
                charged = charged.with_reserve(each)
            return charged.with_rate(rate) if rate else charged

        await self._store.save_ledger(change)

    async def excuse(self, reserve: Reserve) -> bool:
        """Book nothing for an answer that no model can have written, unless there is a model after all.

        That there is one shows an answer before or after it. Until then `EXCUSED_MAX` are excused, so that a
        wrong address is found out before it has used up a budget. Returns whether it was excused.
        """
        if self._has_answered or self._excuses == EXCUSED_MAX:
            return False
        self._excuses += 1
        self._excused.append(reserve)
        await self._store.save_ledger(lambda ledger: ledger.without_reserve(reserve.id))
        return True

    async def charge_found(self, reserve_id: str, usage: Usage) -> None:
        """Charge a predecessor's request whose answer was found, if its reserve still stands."""
        if any(reserve.id == reserve_id for reserve in self.ledger.reserved):
            await self._store.save_ledger(lambda ledger: ledger.with_charge(reserve_id, usage))

    async def count_unanswered(self, model: str) -> None:
        """Take in that a request for notes was paid, or may have been, and was not answered."""
        await self._store.save_ledger(
            lambda ledger: ledger.with_unanswered(model, ledger.unanswered_by(model) + 1)
        )

    async def count_answered(self, model: str) -> None:
        """Take in that a request for notes was answered; nothing is written if the one before was too."""
        if self.ledger.unanswered_by(model):
            await self._store.save_ledger(lambda ledger: ledger.with_unanswered(model, 0))

    async def learned_forms(self) -> dict[str, str]:
        """Return in which forms models take requests, as the run's ledgers know it, by model."""
        return forms_of([*await self._store.other_ledgers(), self.ledger])

    async def keep_form(self, model: str, form: str) -> None:
        """Keep for the run in which form a model takes requests; nothing is written if that is known."""
        if forms_of([self.ledger]).get(model, "") != form:
            await self._store.save_ledger(lambda ledger: ledger.with_form(model, form))

    async def _others(self) -> Sequence[Ledger]:
        return await self._store.other_ledgers() if self._is_capped else ()

    async def _remaining(self) -> Remaining:
        return remaining_of(self._budget, [self.ledger, *await self._others()])

    @property
    def _is_capped(self) -> bool:
        return self._budget.max_cost_usd is not None or self._budget.max_tokens is not None

    async def _first_estimate(
        self, model: str, others: Sequence[Ledger], find_price: FindPrice
    ) -> PriceEstimate:
        """Return what the ledgers, the owner and the endpoint say of a model that was not asked yet."""
        # Without a cap on money nobody has to know the price, and the endpoint is not asked for its list.
        is_priced = self._budget.max_cost_usd is not None
        rate = rates_of([self.ledger, *others]).get(model)
        seen = estimate_from(rate) if rate else None
        if seen:
            self._answered.add(model)
            self._has_answered = True
        listed = self._fixed_price
        if is_priced and not listed:
            self._unread.discard(model)
            try:
                listed = await find_price(model)
            except ModelTransient:
                self._unread.add(model)
        if listed:
            known = PriceEstimate(listed, is_known=True)
            if seen is None:
                return known
            return replace(known, prompt=seen.prompt, beyond=seen.beyond, premium=seen.premium)
        if is_priced and not (seen and seen.is_known):
            _LOGGER.warning("the price of model %s is unknown; assuming one until its first answer", model)
        unknown = PriceEstimate(ASSUMED if is_priced else FREE, is_known=False)
        if seen is None or seen.is_known:
            return seen or unknown
        return replace(seen, price=unknown.price)
