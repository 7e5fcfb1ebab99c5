"""What is charged beside a model's price: a faster tier of service, searches of the provider's own; pure.

A usage often names neither in money. Reports of gateways that book too little for it: BerriAI/litellm 37046,
38802 and 31316, langfuse/langfuse 13780.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

USUAL_TIERS: Final = frozenset(
    {"", "auto", "default", "standard", "standard_only", "on_demand", "flex", "batch", "scale",
     "provisioned_throughput", "unspecified"}
)  # fmt: skip
"""Of OpenAI, Azure, Anthropic, Google, Groq and Amazon: at the price, or below it."""
FAST: Final = 6.0
"""Anthropic's fast mode: 30 and 150 USD a million where 5 and 25 are usual."""
PREMIUM: Final = 2.5
"""Of every other tier: OpenAI takes 12.50 USD for 5 with priority; Google takes 1.8 times, DeepInfra 1.5."""
ONE_REGION: Final = 1.1
"""Anthropic's `inference_geo: us`."""
ANY_REGION: Final = frozenset({"", "global", "not_available"})
TIER_HEADER: Final = "x-gemini-service-tier"
SEARCHED: Final = "url_citation"
_TIERS: Final = ("service_tier", "serviceTier", "trafficType", "speed", TIER_HEADER)
_PREFIXES: Final = ("service_tier_", "traffic_type_", "on_demand_")
_FOUND: Final = ("citations", "search_results")
"""Perplexity's and xAI's lists of what a search has found."""


def premium_of(said: Mapping[str, Any]) -> float | None:
    """Return how many times the usual price a tier costs at most; None where none is named.

    `said` is a body, its usage, or a request's own fields.
    """
    named = [_tier(said[key]) for key in _TIERS if isinstance(said.get(key), str)]
    region = said.get("inference_geo")
    is_local = isinstance(region, str) and region.strip().lower() not in ANY_REGION
    if not named and not is_local:
        return None
    times = max((_times(tier) for tier in named), default=1.0)
    return times * ONE_REGION if is_local else times


def _tier(name: str) -> str:
    tier = name.strip().lower().replace("-", "_")
    for prefix in _PREFIXES:
        tier = tier.removeprefix(prefix)
    return tier


def _times(tier: str) -> float:
    """Return the price of a tier; one that nobody has named yet may be expensive."""
    if tier in USUAL_TIERS:
        return 1.0
    return FAST if tier == "fast" else PREMIUM


def searches_in(said: Mapping[str, Any]) -> int:
    """Return how many searches of a provider an object shows that no usage counts.

    OpenAI's models that search, Perplexity and xAI show only what was found: one search at least.
    """
    calls = [each for each in _objects(said.get("output")) if each.get("type") == "web_search_call"]
    grounded = [each.get("groundingMetadata") for each in _objects(said.get("candidates"))]
    queries = sum(_length(each.get("webSearchQueries")) for each in grounded if isinstance(each, dict))
    has_found = any(each.get("type") == SEARCHED for each in _objects(said.get("annotations")))
    return max(len(calls), queries, int(has_found or any(_length(said.get(name)) for name in _FOUND)))


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0
