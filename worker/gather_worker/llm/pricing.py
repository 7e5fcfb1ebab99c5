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

from gather_worker.llm.ledger import Rate, Usage
from gather_worker.prompts.tokens import RATIO_MAX

USD_MAX: Final = 1.0
"""A token that costs more is a mistake of the list."""
RATIO_MARGIN: Final = 1.25
"""On the highest ratio seen: another text of the same run may suit the model's vocabulary less."""
_MODEL_PATH: Final = re.compile(r"^[\w-][\w.:-]*(/[\w-][\w.:-]*)+$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one token of the prompt, one of the answer, and for the request itself."""

    usd_in: float
    usd_out: float
    usd_request: float = 0.0

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
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
    token_ratio: float = RATIO_MAX / RATIO_MARGIN
    """The highest number of the model's tokens for one of ours that was seen; at first the highest of any."""

    def tokens_at_most(self, counted: int) -> int:
        """Return how many tokens of the model a prompt of `counted` tokens of ours has at most."""
        return math.ceil(counted * min(RATIO_MAX, self.token_ratio * RATIO_MARGIN))


def with_cost(estimate: PriceEstimate, usage: Usage) -> Usage:
    """Return the usage with a cost: what the endpoint says, else computed from the price."""
    if usage.cost_usd is not None:
        return usage
    return replace(usage, cost_usd=estimate.price.cost_usd(usage.tokens_in, usage.tokens_out))


def learned(estimate: PriceEstimate, usage: Usage, counted: int, *, is_first: bool) -> PriceEstimate:
    """Return what is known after one more answered request; `usage` is as the endpoint reported it.

    `counted` is the prompt by our own count; `is_first`: `token_ratio` is still only assumed.

    A price is bounded by what a request cost: no token of its prompt cost more than the whole divided by the
    prompt's tokens, no token of its answer more than the whole divided by the answer's.
    """
    if counted and usage.tokens_in:
        seen = min(RATIO_MAX, usage.tokens_in / counted)
        estimate = replace(estimate, token_ratio=seen if is_first else max(seen, estimate.token_ratio))
    if usage.cost_usd is None or not (usage.tokens_in and usage.tokens_out):
        return estimate
    bound = Price(usage.cost_usd / usage.tokens_in, usage.cost_usd / usage.tokens_out)
    if not estimate.is_known:
        return replace(estimate, price=bound, is_known=True, is_bound=True)
    price = estimate.price
    expected = price.cost_usd(usage.tokens_in, usage.tokens_out)
    if usage.cost_usd > expected * (1 + 1e-9):
        return replace(estimate, price=price.raised_by(usage.cost_usd / expected) if expected else bound)
    if estimate.is_bound:
        closer = Price(min(price.usd_in, bound.usd_in), min(price.usd_out, bound.usd_out))
        return replace(estimate, price=closer)
    return estimate


def estimate_from(rate: Rate) -> PriceEstimate:
    """Return what an earlier process or department of the run has learned."""
    price = Price(rate.usd_in, rate.usd_out)
    return PriceEstimate(price, is_known=True, is_bound=True, token_ratio=rate.token_ratio)


def rate_of(model: str, estimate: PriceEstimate) -> Rate:
    """Return what is known in the form that is saved; a fee per request is in the price list again."""
    price = estimate.price
    return Rate(model=model, usd_in=price.usd_in, usd_out=price.usd_out, token_ratio=estimate.token_ratio)


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
    return Price(usd_in, usd_out, _usd(pricing.get("request")) or 0.0)


def _usd(value: Any) -> float | None:
    """Return a price, which OpenRouter writes as text; -1 there stands for a price that varies."""
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return None
    return amount if 0 <= amount <= USD_MAX else None
