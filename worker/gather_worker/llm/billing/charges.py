"""What is booked for one request, from its answer or from the failure that came in its place."""

from dataclasses import dataclass, replace
from typing import Any, Final

from gather_worker.errors import ModelError, ModelTransient, Refusal
from gather_worker.llm.asking.faults import Fault, fault_of, is_after_work
from gather_worker.llm.billing.bill import (
    FILTER_FEES_USD,
    OPENROUTER,
    SLACK_TOKENS,
    Bill,
    is_of_no_model,
    may_be_charged,
)
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.billing.usage_forms import error_in, is_completion, longest_text, read_bill
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.failures import error_in_body
from gather_worker.llm.ledger import NOTHING, Reserve, Usage
from gather_worker.prompts.tokens import count_tokens

ANSWERED: Final = frozenset({0, 200})


OF_ACCOUNT: Final = frozenset({Fault.RATE, Fault.CREDIT, Fault.KEY})
"""Refusals that may say what an account has used of its limit; more than a request can need is no bill."""


def is_beyond(usage: Usage, reserve: Reserve) -> bool:
    """Return whether it is more than a request was to come to at its worst."""
    is_dearer = (usage.cost_usd or 0.0) > reserve.cost_usd
    return is_dearer or usage.tokens_in > reserve.tokens_in or usage.tokens_out > reserve.worst_out


def higher(usage: Usage, reserve: Reserve) -> Usage:
    """Return of each part the higher one."""
    return Usage(
        max(usage.tokens_in, reserve.tokens_in),
        max(usage.tokens_out, reserve.worst_out),
        max(usage.cost_usd or 0.0, reserve.cost_usd),
    )


@dataclass(frozen=True, slots=True)
class Charge:
    """What is booked for a request that was answered with status 200."""

    usage: Usage
    bill: Bill | None
    """What the answer says of its cost; None where no model has answered."""
    is_excused: bool = False
    """Whether the answer cannot be a model's."""
    written: int = 0
    """Tokens of the longest text in it, by our count."""

    @property
    def is_thought_alone(self) -> bool:
        """Return whether tokens of an answer were paid of which no text came: they went into reasoning."""
        paid = (self.bill.tokens_out if self.bill else None) or 0
        return self.written <= SLACK_TOKENS < paid


class Charges:
    """Books the requests to one endpoint; `host` is its name."""

    def __init__(self, budget: BudgetGuard, host: str) -> None:
        self._budget = budget
        self._host = host

    def of_body(self, reserve: Reserve, body: Any, asked: int) -> Charge:
        """Return what is booked for a body; `asked` are the tokens of the prompt by our count.

        What its usage says counts also where the answer is none. Without a usage an answer counts at its
        worst, and an error inside it unless it is known to cost nothing.
        """
        bill, error = read_bill(body), error_in(body)
        if self._host != OPENROUTER:  # whose words others pass on, and who may take more
            bill = replace(bill, is_free_said=False)
        written = count_tokens(longest_text(body)) if is_completion(body) else 0
        if not written and self._is_insured(bill):
            bill = replace(bill, is_free_said=True)
        if not bill.is_said and error and (self._host == OPENROUTER or not written):
            if not self._may_be_charged(error_in_body(error), is_in_answer=True):
                return Charge(NOTHING, None)
        elif not bill.is_said and not error and is_of_no_model("", b"", body):
            return Charge(NOTHING, None, is_excused=True)
        is_of_model = bill.is_said or (is_completion(body) and not error)
        bill = bill.checked(asked, written)
        booked = self._budget.booked(reserve, bill, written)
        return Charge(booked, bill if is_of_model else None, written=written)

    def _is_insured(self, bill: Bill) -> bool:
        """Return whether OpenRouter means a cost of 0, as for an answer without a token."""
        is_own_key = bill.is_byok or self._budget.is_own_key
        return self._host == OPENROUTER and not is_own_key and bill.cost_usd == 0 and not bill.tokens_out

    async def book(self, reserve: Reserve, charge: Charge, size: PromptSize) -> None:
        """Put what is booked in the reserve's place; `size` is the prompt's."""
        if charge.is_excused:
            await self._budget.excuse(reserve)
        else:
            await self._budget.charge(reserve, charge.usage, charge.bill, size)

    async def refused(self, reserve: Reserve, error: ModelError, asked: int) -> bool:
        """Book a request that was not answered; return whether it may have been charged.

        Without a word on its cost the whole reserve stands then, or nothing is booked. What the refusal
        itself says of a cost is booked where it is more. `asked` are the prompt's tokens by our count.
        """
        if error.refusal and error.refusal.is_page and error.refusal.status in ANSWERED:
            return not await self._budget.excuse(reserve)
        fee_usd = FILTER_FEES_USD.get(self._host, 0.0)
        if fee_usd and error.refusal and fault_of(error.refusal) is Fault.FILTER:
            await self._budget.charge(reserve, higher(Usage(cost_usd=fee_usd), reserve))
            return True
        may_be_charged = self._may_be_charged(error, is_in_answer=False)
        said = self._said(reserve, error.refusal, asked) if error.refusal else NOTHING
        if not may_be_charged:
            await self._budget.charge(reserve, said)
        elif is_beyond(said, reserve):
            await self._budget.charge(reserve, higher(said, reserve))
        return may_be_charged or said != NOTHING

    def _said(self, reserve: Reserve, refusal: Refusal, asked: int) -> Usage:
        """Return what a refusal says that its request came to; nothing of what an account has used up."""
        bill = read_bill(refusal.body)
        if not (bill.tokens_in or bill.tokens_out or bill.total or bill.cost_usd):
            return NOTHING
        said = self._budget.booked(reserve, replace(bill, is_free_said=False).checked(asked, 0))
        is_of_account = fault_of(refusal) in OF_ACCOUNT and is_beyond(said, reserve)
        return NOTHING if is_of_account else said

    def _may_be_charged(self, error: ModelError, *, is_in_answer: bool) -> bool:
        """Return whether a request may have been charged; without a refusal the error itself says it."""
        refusal = error.refusal
        if refusal is None:
            return isinstance(error, ModelTransient) and (error.may_be_charged or is_in_answer)
        return may_be_charged(
            refusal.status,
            refusal.codes,
            self._host,
            is_passing=is_after_work(refusal) or fault_of(refusal) in {Fault.PASSING, Fault.FILTER},
            is_page=refusal.is_page,
            is_in_answer=is_in_answer,
            is_own_key=self._budget.is_own_key,
        )
