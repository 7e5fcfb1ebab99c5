"""Reads what an answer says of its cost, in every form of usage that providers' documents describe; pure.

The forms are of the documents of OpenRouter, OpenAI, Azure, Anthropic, Google, xAI, DeepSeek, Mistral, Groq,
Cohere, Perplexity, DeepInfra, Vercel, LiteLLM, vLLM, SGLang, llama.cpp and Ollama; docs/gateway.md has them
as a table, tests/unit/worker/llm/test_usage_forms.py each with its source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import UnionType
from typing import Any, Final, TypeVar

from gather_worker.llm.asking.bare_errors import bare_error
from gather_worker.llm.billing.bill import Bill
from gather_worker.llm.billing.surcharges import TIER_HEADER, premium_of, searches_in

NumberT = TypeVar("NumberT", int, float)

AMOUNT_MAX: Final = 1e9
"""A report of more tokens or money for one request is not credible."""
TICKS_PER_USD: Final = 1e10
"""xAI's `cost_in_usd_ticks` (docs.x.ai, Cost Tracking)."""
CACHE_WRITE_EXTRA: Final = 1.0
"""Beyond the prompt's price: Anthropic takes 1.25 times of it for five minutes, twice for an hour."""
AUDIO_EXTRA: Final = 15.0
"""Likewise for a token of sound: OpenAI takes up to 16 times the price of text."""
LITELLM: Final = "x-litellm"
COST_HEADER: Final = f"{LITELLM}-response-cost"
_DEPTH_MAX: Final = 5
_NOT_WRITTEN: Final = frozenset(
    {"signature", "encrypted_content", "thoughtSignature", "thought_signature", "b64_json", "error", "id",
     "object", "model", "provider", "type", "role", "finish_reason", "system_fingerprint"}
)  # fmt: skip
"""Texts that no tokens were counted for: sealed reasoning, an error's words, names."""

_IN: Final = (
    "prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count", "promptTokens", "inputTokens",
    "prompt_eval_count", "tokens_evaluated",
)  # fmt: skip
_OUT: Final = (
    "completion_tokens", "output_tokens", "candidatesTokenCount", "candidates_token_count",
    "completionTokens", "outputTokens", "eval_count", "tokens_predicted", "predicted_n",
)  # fmt: skip
_TOTAL: Final = ("total_tokens", "totalTokenCount", "total_token_count", "totalTokens")
_MORE_IN: Final = ("toolUsePromptTokenCount", "tool_use_prompt_token_count", "citation_tokens")
"""Beside the prompt: what Google's tools and Perplexity's sources put in."""
_THOUGHTS: Final = ("thoughtsTokenCount", "thoughts_token_count")
"""Google's, always beside the answer."""
_DETAILS_IN: Final = ("prompt_tokens_details", "input_tokens_details")
_DETAILS_OUT: Final = ("completion_tokens_details", "output_tokens_details")
_CACHE_READS: Final = ("cache_read_input_tokens", "cacheReadInputTokens")
_CACHE_WRITES: Final = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_CACHED: Final = ("cached_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount", "cache_read_tokens")
_WRITTEN: Final = ("cache_write_tokens", "cache_creation_tokens")
_SEARCHES: Final = ("num_search_queries", "num_sources_used", "web_search_requests")
_COSTS: Final = (
    "cost", "total_cost", "cost_usd", "total_cost_usd", "estimated_cost", "response_cost", COST_HEADER
)  # fmt: skip
BILLED: Final = frozenset({"usage", "service_tier", TIER_HEADER, COST_HEADER, LITELLM})
"""What a refusal that shows an answer may say of its cost."""
_COMPUTED: Final = ("response_cost", COST_HEADER)
"""LiteLLM's: made of its own list of prices, and no bill of a provider."""
_TOTAL_COSTS: Final = ("total_cost", "total", "total_cost_usd", "usd", "amount")

_USAGES: Final = (
    "usage", "usageMetadata", "usage_metadata", "token_usage", "billed_units", "tokens", "timings"
)  # fmt: skip
_OWN_USAGE: Final = frozenset({"prompt_eval_count", "eval_count", "tokens_evaluated", "tokens_predicted"})
"""Ollama and llama.cpp put these beside the answer, without an object around them."""
_TELLING: Final = frozenset({*_USAGES, *_OWN_USAGE, *_COSTS, "cost_in_usd_ticks", "marketCost"})
"""Without one of these an object says nothing of a cost; most of a body's say nothing."""
_COMPLETION: Final[dict[str, type | UnionType]] = {
    "choices": list, "candidates": list, "message": dict, "content": str | list, "text": str
}  # fmt: skip
"""By what a completion is known, and not an object around it, whose `message` may be "success"."""
_WORDS: Final = frozenset({"tool_calls", "function_call", "arguments", "parameters", "input", "parsed"})
"""What is below these is the model's in any object."""
_BESIDE: Final = frozenset(
    {"choices", "message", "meta", "metadata", "response_metadata", "x_groq", "_hidden_params",
     "providerMetadata", "provider_metadata", "gateway"}
)  # fmt: skip
"""Where a completion may hold its usage. All else in it may be the model's own words, which are no bill."""


def read_bill(body: Any) -> Bill:
    """Return what the body says, wherever it says it; of several reports the highest of each part.

    A stream's reports grow, and its first one may be a placeholder.
    """
    found = Bill()
    for node in _nodes(body, 0, is_inside=False):
        found = _merged(found, Bill(searches=searches_in(node), premium=premium_of(node)))
        if _TELLING.isdisjoint(node):
            continue
        found = _merged(found, _money_of(node))
        for usage in _usages(node):
            found = _merged(_merged(found, _bill_of(usage)), _money_of(usage))
    is_of_gateway = isinstance(body, dict) and body.get(LITELLM) is True
    return replace(found, is_computed=found.is_computed or (is_of_gateway and found.cost_usd is not None))


def error_in(body: Any) -> Any:
    """Return the error that a body of status 200 holds, wherever it stands; None if none."""
    for node in _nodes(body, 0, is_inside=False):
        if node.get("error"):
            return node["error"]
        if node.get("finish_reason") == "error":
            return {"message": "finish_reason error"}
    return bare_error(body)


def is_completion(body: Any) -> bool:
    """Return whether there is a place for a model's words in the body."""
    return any(_is_completion(node) for node in _nodes(body, 0, is_inside=False))


def _is_completion(node: dict[str, Any]) -> bool:
    return any(isinstance(node.get(key), kind) for key, kind in _COMPLETION.items())


def longest_text(value: Any, depth: int = 0) -> str:
    """Return the longest text in a body: what the model wrote, wherever a provider puts it."""
    if isinstance(value, str):
        return value
    if depth > 2 * _DEPTH_MAX or not isinstance(value, dict | list):
        return ""
    is_object = isinstance(value, dict)
    entries = [value[key] for key in value if key not in _NOT_WRITTEN] if is_object else value
    return max((longest_text(entry, depth + 1) for entry in entries), key=len, default="")


def with_headers(body: Any, headers: Mapping[str, str]) -> Any:
    """Return the body with what headers say of its cost: LiteLLM's cost, Google's tier."""
    if not isinstance(body, dict):
        return body
    told = {name: headers[name] for name in (COST_HEADER, TIER_HEADER) if name in headers}
    is_of_gateway = any(name.lower().startswith(f"{LITELLM}-") for name in headers)
    return {**body, **told, **({LITELLM: True} if is_of_gateway else {})}


def _nodes(value: Any, depth: int, *, is_inside: bool) -> Iterator[dict[str, Any]]:
    """Yield the objects that may hold a usage: wrappers, the completion, what stands beside its words."""
    if isinstance(value, list) and depth < _DEPTH_MAX:
        for entry in value:
            yield from _nodes(entry, depth + 1, is_inside=is_inside)
    if not isinstance(value, dict):
        return
    yield value
    is_inside = is_inside or _is_completion(value)
    if depth < _DEPTH_MAX:
        for key, entry in value.items():
            if key not in _USAGES and key not in _WORDS and (not is_inside or key in _BESIDE):
                yield from _nodes(entry, depth + 1, is_inside=is_inside)


def _usages(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in _USAGES:
        usage = node.get(key)
        if isinstance(usage, list):
            yield _summed(usage)
        if isinstance(usage, dict):
            yield usage
            parts = (usage.get("billed_units"), usage.get("tokens"))  # Cohere's
            yield from (part for part in parts if isinstance(part, dict))
            # Anthropic's usage leaves out some of its iterations.
            yield _summed(usage.get("iterations"))
    if not _OWN_USAGE.isdisjoint(node):
        yield node


def _summed(usages: Any) -> dict[str, Any]:
    """Return the usages of several calls as one."""
    found: dict[str, Any] = {}
    for usage in usages if isinstance(usages, list) else ():
        for key, value in usage.items() if isinstance(usage, dict) else ():
            if (amount := _amount(value)) is not None:
                found[key] = found.get(key, 0) + amount
    return found


def _bill_of(usage: dict[str, Any]) -> Bill:
    details_in, details_out = _details(usage, _DETAILS_IN), _details(usage, _DETAILS_OUT)
    is_cache_inside = _most(details_in, (*_CACHED, *_WRITTEN)) is not None
    tokens_in, tokens_out = _tokens_in(usage, is_cache_inside=is_cache_inside), _most(usage, _OUT)
    thoughts = _most(usage, _THOUGHTS)
    total, reasoning = _most(usage, _TOTAL), _most({**usage, **details_out}, ("reasoning_tokens",)) or 0
    said_in, said_out = _most(usage, _IN), tokens_out
    if thoughts is not None:
        tokens_out = (tokens_out or 0) + thoughts
    elif tokens_out is not None and reasoning and _is_reasoning_beside(usage, reasoning, tokens_out, total):
        tokens_out += reasoning
    if total is not None and said_in is not None and said_out is None:
        # What is left out is the rest of the total; Perplexity's sources and reasoning are not in it.
        tokens_out = max(tokens_out or 0, total - said_in + reasoning)
    elif total is not None and tokens_in is not None:
        # The larger one: reasoning that is nowhere else is in the total.
        tokens_out = max(tokens_out or 0, total - tokens_in)
    elif total is not None and said_out is not None:
        tokens_in = max(0, total - said_out) + _more_in(usage)
        tokens_out = max(tokens_out or 0, said_out + reasoning)
    if not reasoning and total is not None and tokens_in is not None and said_out is not None:
        # Google's compatible endpoint has it in the total alone.
        reasoning = max(0, total - tokens_in - said_out)
    written = _written(usage, details_in)
    sound_in, sound_out = (_most(each, ("audio_tokens",)) or 0 for each in (details_in, details_out))
    tools = usage.get("server_tool_use")
    read = _most({**usage, **details_in}, (*_CACHED, *_CACHE_READS)) or 0
    return Bill(
        tokens_in,
        tokens_out,
        reasoning=max(reasoning, thoughts or 0),
        cached=min(read, tokens_in or 0),
        extra_in=written + AUDIO_EXTRA * sound_in,
        extra_out=AUDIO_EXTRA * sound_out,
        total=total or 0,
        searches=_most({**usage, **(tools if isinstance(tools, dict) else {})}, _SEARCHES) or 0,
        premium=premium_of(usage),
    )


def _tokens_in(usage: dict[str, Any], *, is_cache_inside: bool) -> int | None:
    """Return the prompt's tokens with all that came from a cache, went into one, or was put in by tools."""
    tokens_in = _most(usage, _IN)
    halves = [_amount(usage.get(f"prompt_cache_{name}_tokens")) for name in ("hit", "miss")]  # DeepSeek
    if halves[0] is not None and halves[1] is not None:
        tokens_in = max(tokens_in or 0, int(sum(half or 0 for half in halves)))
    if (processed := _amount(usage.get("prompt_n"))) is not None:  # llama.cpp's timings
        tokens_in = max(tokens_in or 0, int(processed + (_amount(usage.get("cache_n")) or 0)))
    if tokens_in is None:
        return None
    # Anthropic's count them beside the input; gateways that count them inside have them in the details too.
    beside = 0 if is_cache_inside else (_most(usage, _CACHE_READS) or 0) + (_most(usage, _CACHE_WRITES) or 0)
    return tokens_in + beside + _more_in(usage)


def _more_in(usage: dict[str, Any]) -> int:
    return sum(int(_amount(usage.get(name)) or 0) for name in _MORE_IN)


def _is_reasoning_beside(usage: dict[str, Any], reasoning: int, tokens_out: int, total: int | None) -> bool:
    """Return whether reasoning has to be added to the answer; where nothing says so, it is.

    OpenAI counts it within the answer, xAI, Google and Perplexity beside it.
    """
    is_perplexity = "citation_tokens" in usage or "num_search_queries" in usage
    return reasoning > tokens_out or total is None or (is_perplexity and "reasoning_tokens" in usage)


def _written(usage: dict[str, Any], details: dict[str, Any]) -> float:
    split = usage.get("cache_creation")
    if isinstance(split, dict):
        minutes, hour = (_amount(split.get(f"ephemeral_{ttl}_input_tokens")) or 0 for ttl in ("5m", "1h"))
        return 0.25 * minutes + 1.0 * hour
    written = _most({**usage, **details}, (*_CACHE_WRITES, *_WRITTEN)) or 0
    return CACHE_WRITE_EXTRA * written


def _money_of(holder: dict[str, Any]) -> Bill:
    """Return the money that an object names, in USD; a credit of OpenRouter is one USD."""
    if str(holder.get("currency") or "USD").upper() != "USD":
        return Bill()
    costs = [cost for cost in (_money(holder.get(name)) for name in _COSTS) if cost is not None]
    if (ticks := _amount(holder.get("cost_in_usd_ticks"), AMOUNT_MAX * TICKS_PER_USD)) is not None:
        costs.append(ticks / TICKS_PER_USD)
    market = _money(holder.get("marketCost"))  # Vercel: the own key's, whose cost is 0
    if market and not any(costs):
        costs.append(market)
    cost, upstream, byok = max(costs, default=None), _upstream(holder), _truth(holder.get("is_byok"))
    if byok is True or (byok is None and upstream > (cost or 0.0)):
        # Both are paid, by one account: the fee at OpenRouter, the rest at the provider.
        if cost is None and not upstream:
            return Bill(is_byok=byok is True)
        return Bill(cost_usd=(cost or 0.0) + upstream, is_byok=True, is_fee_alone=not upstream)
    computed = [_money(holder.get(name)) for name in _COMPUTED]
    return Bill(
        cost_usd=cost, is_free_said=cost == 0 and byok is False,
        is_computed=cost is not None and cost in computed,
    )  # fmt: skip


def _truth(value: Any) -> Any:
    """Return what is meant by a truth that is written as text."""
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value


def _upstream(holder: dict[str, Any]) -> float:
    """Return what the provider took, by OpenRouter's `cost_details`; 0 where it does not say."""
    details = holder.get("cost_details")
    if not isinstance(details, dict):
        return 0.0
    parts = ("upstream_inference_prompt_cost", "upstream_inference_completions_cost")
    whole = _money(details.get("upstream_inference_cost"))
    return max(whole or 0.0, sum(_money(details.get(part)) or 0.0 for part in parts))


def _money(value: Any) -> float | None:
    """Return an amount of USD, also one that is an object: its total, else the sum of its parts."""
    if not isinstance(value, dict):
        return _amount(value)
    if str(value.get("currency") or "USD").upper() != "USD":
        return None
    totals = [_amount(value.get(name)) for name in _TOTAL_COSTS]
    parts = [part for part in map(_amount, value.values()) if part is not None]
    return next((total for total in totals if total is not None), sum(parts) if parts else None)


def _merged(one: Bill, other: Bill) -> Bill:
    costs = [bill for bill in (one, other) if bill.cost_usd is not None]
    dearer = max(costs, key=lambda bill: bill.cost_usd or 0.0, default=one)
    return Bill(
        _larger(one.tokens_in, other.tokens_in),
        _larger(one.tokens_out, other.tokens_out),
        dearer.cost_usd,
        max(one.reasoning, other.reasoning),
        max(one.cached, other.cached),
        max(one.extra_in, other.extra_in),
        max(one.extra_out, other.extra_out),
        max(one.searches, other.searches),
        _larger(one.premium, other.premium),
        is_computed=dearer.is_computed,
        total=max(one.total, other.total),
        is_byok=one.is_byok or other.is_byok,
        is_fee_alone=dearer.is_fee_alone,
        is_free_said=dearer.is_free_said,
    )


def _larger(one: NumberT | None, other: NumberT | None) -> NumberT | None:
    return other if one is None else one if other is None else max(one, other)


def _details(usage: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return next((usage[name] for name in names if isinstance(usage.get(name), dict)), {})


def _most(usage: dict[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the largest of the amounts of these names, None if none is credible."""
    amounts = [amount for amount in (_amount(usage.get(name)) for name in names) if amount is not None]
    return int(max(amounts)) if amounts else None


def _amount(value: Any, most: float = AMOUNT_MAX) -> float | None:
    """Return a number, which some write as text; None if it is none or cannot be true."""
    if isinstance(value, str) and len(value) <= 40:  # noqa: PLR2004 - longer ones are no amounts
        try:
            value = float(value.strip().removeprefix("$"))
        except ValueError:
            return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before anything is converted: an integer of 4,000 digits is valid JSON. NaN fails it too.
    return float(value) if is_number and 0 <= value < most else None
