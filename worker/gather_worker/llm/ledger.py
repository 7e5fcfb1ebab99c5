"""Money and tokens of one department: what is spent, and what is set aside for requests in flight; pure.

A request is entered at its worst case before it is sent, and at its true cost once its answer is read. Where
no answer is ever read (a process killed, a connection lost) the worst case stands: the endpoint may have
charged it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_worker.prompts.tokens import RATIO_MAX

RESERVES_MAX: Final = 16
"""Requests without an answer that are listed one by one; older ones are only summed up."""


class Stored(BaseModel):
    """A part of the checkpoint, as MongoDB has it."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request came to, in USD and tokens; `cost_usd` is None where the endpoint does not say."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None


NOTHING: Final = Usage(cost_usd=0.0)
"""A request that was refused before a model was given it."""


class Reserve(Stored):
    """One request's worst case, set aside before it is sent."""

    id: str
    model: str
    cost_usd: float
    tokens_in: int
    tokens_out: int
    """How long the answer may be."""
    beyond: int = 0
    """Tokens by which it may be longer still, at a provider that does not count all of them in the limit."""

    @property
    def worst_out(self) -> int:
        """Return the answer's tokens at most."""
        return self.tokens_out + self.beyond


class Rate(Stored):
    """What a model was seen to cost at most, in USD a token, and its tokens for one of our count."""

    model: str
    usd_in: float
    usd_out: float
    token_ratio: float = 1.0
    """With the answer's schema, whether it is charged or not."""
    text_ratio: float = RATIO_MAX
    """Without it; older workers did not save this."""
    foreign_share: float = 0.0
    """The highest share of other scripts than Latin in a prompt that was seen."""
    beyond: int = 0
    """Tokens by which its answers may be longer than their limit."""
    premium: float = 1.0
    """So many times the price it costs at most, for the tier that serves it."""
    is_known: bool = True
    """Whether the price was seen; else it is assumed, and only the rest was."""


class LearnedForm(Stored):
    """In which form a model takes requests, "" for the first one (see `request_form`)."""

    model: str
    form: str


class Unanswered(Stored):
    """How often in a row a model was asked for notes, paid or perhaps paid, and did not answer."""

    model: str
    requests: int


class Ledger(Stored):
    """What a department has spent on models, failed attempts included."""

    cost_usd: float = 0
    tokens_in: int = 0
    tokens_out: int = 0
    requests: int = 0
    reserved: list[Reserve] = Field(default_factory=list)
    """In flight, or never answered."""
    rates: list[Rate] = Field(default_factory=list)
    forms: list[LearnedForm] = Field(default_factory=list)
    unanswered: list[Unanswered] = Field(default_factory=list)
    """Over all attempts; a model that has answered is not among them."""

    @property
    def total_usd(self) -> float:
        """Return what was spent at most: requests without an answer at their worst case."""
        return round(self.cost_usd + sum(reserve.cost_usd for reserve in self.reserved), 10)

    @property
    def tokens(self) -> int:
        """Return tokens in and out, likewise."""
        return self.tokens_in + self.tokens_out + sum(r.tokens_in + r.worst_out for r in self.reserved)

    def with_reserve(self, reserve: Reserve) -> Self:
        """Return the ledger with a request that is about to be sent."""
        reserved = [*self.reserved, reserve]
        if len(reserved) <= RESERVES_MAX:
            return self.model_copy(update={"reserved": reserved})
        oldest = reserved[0]
        worst = Usage(oldest.tokens_in, oldest.worst_out, oldest.cost_usd)
        return self.model_copy(update={"reserved": reserved}).with_charge(oldest.id, worst)

    def without_reserve(self, reserve_id: str) -> Self:
        """Return the ledger without a request that is not sent after all."""
        return self.model_copy(update={"reserved": [r for r in self.reserved if r.id != reserve_id]})

    def with_charge(self, reserve_id: str, usage: Usage) -> Self:
        """Return the ledger with the request's true cost in place of its reserve; itself if that is gone."""
        if all(reserve.id != reserve_id for reserve in self.reserved):
            return self
        return self.without_reserve(reserve_id).model_copy(
            update={
                "cost_usd": round(self.cost_usd + (usage.cost_usd or 0.0), 10),
                "tokens_in": self.tokens_in + usage.tokens_in,
                "tokens_out": self.tokens_out + usage.tokens_out,
                "requests": self.requests + 1,
            }
        )

    def with_form(self, model: str, form: str) -> Self:
        """Return the ledger with the form in which a model takes requests."""
        others = [known for known in self.forms if known.model != model]
        return self.model_copy(update={"forms": [*others, LearnedForm(model=model, form=form)]})

    def unanswered_by(self, model: str) -> int:
        """Return how often in a row the model has not answered."""
        return sum(each.requests for each in self.unanswered if each.model == model)

    def with_unanswered(self, model: str, requests: int) -> Self:
        """Return the ledger with how often in a row the model has not answered."""
        others = [each for each in self.unanswered if each.model != model]
        own = [Unanswered(model=model, requests=requests)] if requests else []
        return self.model_copy(update={"unanswered": [*others, *own]})

    def with_rate(self, rate: Rate) -> Self:
        """Return the ledger with what is now known of a model."""
        others = [known for known in self.rates if known.model != rate.model]
        return self.model_copy(update={"rates": [*others, rate]})


def rates_of(ledgers: Iterable[Ledger]) -> dict[str, Rate]:
    """Return the rates that the ledgers know, by model; of several for one model the highest."""
    found: dict[str, Rate] = {}
    for rate in (rate for ledger in ledgers for rate in ledger.rates):
        found[rate.model] = _merged(found.get(rate.model, rate), rate)
    return found


def _merged(one: Rate, other: Rate) -> Rate:
    priced = [rate for rate in (one, other) if rate.is_known] or [one, other]
    return Rate(
        model=one.model,
        usd_in=max(rate.usd_in for rate in priced),
        usd_out=max(rate.usd_out for rate in priced),
        token_ratio=max(one.token_ratio, other.token_ratio),
        text_ratio=max(one.text_ratio, other.text_ratio),
        foreign_share=max(one.foreign_share, other.foreign_share),
        beyond=max(one.beyond, other.beyond),
        premium=max(one.premium, other.premium),
        is_known=one.is_known or other.is_known,
    )


def forms_of(ledgers: Iterable[Ledger]) -> dict[str, str]:
    """Return the forms that the ledgers know, by model; of several for one model the last one's."""
    return {known.model: known.form for ledger in ledgers for known in ledger.forms}
