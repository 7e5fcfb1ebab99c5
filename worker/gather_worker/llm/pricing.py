"""What a model's tokens cost, from the best source there is; pure.

In this order: the owner's setting, the endpoint's price list, what the run's own requests came to, and a
price that is assumed until the first answer. A request that cost more than its price says raises the price:
what an endpoint charges counts more than what it lists.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.prompt_bound import NOTHING_SEEN, PromptBound, PromptSize
from gather_worker.llm.ledger import Rate, Reserve, Usage

USD_MAX: Final = 1.0
"""A token that costs more is a mistake of the list."""
BEYOND_MARGIN: Final = 1.25
"""On the longest answer seen beyond its limit: the next one may be longer."""
SEARCH_USD: Final = 0.035
"""For one search of a provider's own without a named cost: the most expensive listed, Google's grounding."""
BYOK_FEE: Final = 0.05
"""OpenRouter's share of the price where the owner's key is used."""
CACHE_READ_LEAST: Final = 1 / 128
"""The least part of its price that a token out of a cache costs: DeepSeek's is a 120th."""
BEYOND_CHANCE: Final = 64
"""Tokens; an answer that is longer than its limit by so few was cut a little late."""
_MODEL_PATH: Final = re.compile(r"^[\w-][\w.:-]*(/[\w-][\w.:-]*)+$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one token of the prompt, one of the answer, and for the request itself."""

    usd_in: float
    usd_out: float
    usd_request: float = 0.0

    def cost_usd(self, tokens_in: float, tokens_out: float) -> float:
        """Return what a request of so many tokens costs."""
        return self.usd_request + tokens_in * self.usd_in + tokens_out * self.usd_out

    def raised_by(self, factor: float) -> "Price":
        """Return the price with every part so much higher."""
        return Price(self.usd_in * factor, self.usd_out * factor, self.usd_request * factor)


FREE: Final = Price(0.0, 0.0)
ASSUMED: Final = Price(5e-6, 25e-6)
"""Of an unknown model: what the most expensive models in wide use cost (5 and 25 USD a million). It holds
until the first answer that names its cost."""


@dataclass(frozen=True, slots=True)
class PriceEstimate:
    """What is known of one model."""

    price: Price
    is_known: bool
    """False while the price is only assumed."""
    is_bound: bool = False
    """Whether the price is only bounded by what requests came to; each further one bounds it better."""
    prompt: PromptBound = NOTHING_SEEN
    """How many of the model's tokens a prompt has at most."""
    beyond: int = 0
    """Tokens by which an answer may be longer than its limit, from those that were."""
    premium: float = 1.0
    """So many times the price a request costs at most, for the tier that serves it."""

    @property
    def worst(self) -> Price:
        """Return the price of the most expensive tier that serves the model."""
        return self.price.raised_by(self.premium)


def booked(estimate: PriceEstimate, bill: Bill, reserve: Reserve, counted_out: int = 0) -> Usage:
    """Return what is booked for an answer: what its bill says, the rest at its worst.

    `counted_out` are the tokens of the text that came, by our count: an endpoint may not keep to the limit.
    """
    tokens_in = reserve.tokens_in if bill.tokens_in is None else bill.tokens_in
    worst_out = max(reserve.worst_out, counted_out)
    tokens_out = max(worst_out if bill.tokens_out is None else bill.tokens_out, bill.total - tokens_in)
    price = estimate.worst if bill.premium is None else estimate.price.raised_by(bill.premium)
    priced = price.cost_usd(tokens_in + bill.extra_in, tokens_out + bill.extra_out)
    cost_usd = _cost_usd(bill, priced + bill.searches * SEARCH_USD, is_price_known=estimate.is_known)
    return Usage(tokens_in, tokens_out, round(cost_usd, 10))


def _cost_usd(bill: Bill, priced_usd: float, *, is_price_known: bool) -> float:
    if bill.cost_usd is None:
        return priced_usd * (1 + BYOK_FEE) if bill.is_byok else priced_usd
    if bill.is_fee_alone:
        return bill.cost_usd + priced_usd
    if bill.is_doubtful or (not bill.cost_usd and not bill.is_free_said):
        # A gateway that does not know a price says 0, or computes the cost from the wrong count.
        return max(bill.cost_usd, priced_usd)
    if bill.is_computed:
        surcharged = bill.cost_usd * (bill.premium or 1.0) + bill.searches * SEARCH_USD
        return max(bill.cost_usd, min(surcharged, priced_usd) if is_price_known else surcharged)
    return bill.cost_usd


def learned(
    estimate: PriceEstimate, bill: Bill, size: PromptSize, limit: int, *, is_first: bool
) -> PriceEstimate:
    """Return what is known after one more answered request; `bill` is as the endpoint reported it.

    `size` is the prompt's, `limit` how long the answer was to be; `is_first`: the bound of prompts is still
    only assumed.

    A price is bounded by what a request cost: no token of its prompt cost more than the whole divided by the
    prompt's tokens, no token of its answer more than the whole divided by the answer's.
    """
    if size.texts and bill.tokens_in:
        prompt = estimate.prompt.learned(size, bill.tokens_in, is_first=is_first)
        estimate = replace(estimate, prompt=prompt)
    estimate = _with_beyond(estimate, bill, limit)
    is_extra = bill.cost_usd is None or bill.is_computed or bill.is_fee_alone  # else the cost has it in it
    if bill.premium and is_extra:
        estimate = replace(estimate, premium=max(estimate.premium, bill.premium))
    if not bill.cost_usd or bill.is_fee_alone or not (bill.tokens_in and bill.tokens_out):
        return estimate  # a cost of 0 is no price: it may be a promotion, or an answer out of a cache
    full_in = bill.tokens_in - bill.cached * (1 - CACHE_READ_LEAST)
    bound = Price(bill.cost_usd / full_in, bill.cost_usd / bill.tokens_out)
    if not estimate.is_known:
        return replace(estimate, price=bound, is_known=True, is_bound=True)
    price = estimate.price
    expected = price.cost_usd(bill.tokens_in, bill.tokens_out)
    if bill.cost_usd > expected * (1 + 1e-9):
        return replace(estimate, price=price.raised_by(bill.cost_usd / expected) if expected else bound)
    if estimate.is_bound:
        closer = Price(min(price.usd_in, bound.usd_in), min(price.usd_out, bound.usd_out))
        return replace(estimate, price=closer)
    return estimate


def _with_beyond(estimate: PriceEstimate, bill: Bill, limit: int) -> PriceEstimate:
    """Return the estimate with how far answers go beyond a limit that does not count their reasoning."""
    excess = (bill.tokens_out or 0) - limit
    if not limit or excess <= 0:
        return estimate
    if excess > BEYOND_CHANCE:
        excess = max(excess, bill.reasoning)
    return replace(estimate, beyond=max(estimate.beyond, math.ceil(excess * BEYOND_MARGIN)))


def estimate_from(rate: Rate) -> PriceEstimate:
    """Return what an earlier process or department of the run has learned."""
    price = Price(rate.usd_in, rate.usd_out)
    prompt = PromptBound(rate.token_ratio, rate.text_ratio, rate.foreign_share)
    return PriceEstimate(
        price,
        rate.is_known,
        is_bound=rate.is_known,
        prompt=prompt,
        beyond=rate.beyond,
        premium=rate.premium,
    )


def rate_of(model: str, estimate: PriceEstimate) -> Rate:
    """Return what is known in the form that is saved; a fee per request is in the price list again."""
    price = estimate.price
    return Rate(
        model=model,
        usd_in=price.usd_in,
        usd_out=price.usd_out,
        token_ratio=estimate.prompt.whole,
        text_ratio=estimate.prompt.texts,
        foreign_share=estimate.prompt.foreign_share,
        beyond=estimate.beyond,
        premium=estimate.premium,
        is_known=estimate.is_known,
    )


def list_paths(model: str, *, is_openrouter: bool) -> list[str]:
    """Return where the endpoint may list the model's price, the better place first.

    OpenRouter sends a request to any of a model's providers, whose prices differ; one address lists them.
    """
    is_plain = _MODEL_PATH.match(model) is not None
    return [f"/models/{model}/endpoints"] if is_openrouter and is_plain else ["/models"]


def read_price(body: Any, model: str) -> Price | None:
    """Return the model's highest price in a list of models or of one model's providers; None if there is
    none.
    """
    data = body.get("data") if isinstance(body, Mapping) else None
    if isinstance(data, Mapping):
        entries = data.get("endpoints")
    elif isinstance(data, list):
        entries = [entry for entry in data if isinstance(entry, Mapping) and entry.get("id") == model]
    else:
        entries = None
    prices = [price for price in map(_price_of, entries) if price] if isinstance(entries, list) else []
    if not prices:
        return None
    return Price(
        max(price.usd_in for price in prices),
        max(price.usd_out for price in prices),
        max(price.usd_request for price in prices),
    )


def _price_of(entry: Any) -> Price | None:
    pricing = entry.get("pricing") if isinstance(entry, Mapping) else None
    if not isinstance(pricing, Mapping):
        return None
    usd_in, usd_out = _usd(pricing.get("prompt")), _usd(pricing.get("completion"))
    if usd_in is None or usd_out is None:
        return None
    written, reasoning = (_usd(pricing.get(part)) for part in ("input_cache_write", "internal_reasoning"))
    return Price(
        max(usd_in, written or 0.0), max(usd_out, reasoning or 0.0), _usd(pricing.get("request")) or 0.0
    )


def _usd(value: Any) -> float | None:
    """Return a price, which OpenRouter writes as text; -1 there stands for a price that varies."""
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return None
    return amount if 0 <= amount <= USD_MAX else None
