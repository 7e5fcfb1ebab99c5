"""What a body says that one request came to, in the forms that endpoints report it; pure."""

from typing import Any, Final

from gather_worker.llm.ledger import NOTHING, Reserve, Usage

AMOUNT_MAX: Final = 1e9
"""A report of more tokens or money for one request is not credible."""
_TOKEN_KEYS: Final = ("prompt_tokens", "completion_tokens")


def read_usage(body: Any) -> Usage | None:
    """Return what one request came to by the endpoint's own `usage`, None if that says nothing."""
    usage = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = (int(_amount(usage.get(key)) or 0) for key in _TOKEN_KEYS)
    cost_usd = _amount(usage.get("cost"))
    return Usage(tokens_in, tokens_out, cost_usd) if tokens_in or tokens_out or cost_usd else None


def unreported_usage(body: Any, reserve: Reserve) -> Usage:
    """Return what a request without `usage` counts for: an answer its worst case, an error nothing.

    OpenRouter charges for no answer that ends in an error (its "zero completion insurance").
    """
    has_answer = isinstance(body, dict) and body.get("choices") and not body.get("error")
    return Usage(reserve.tokens_in, reserve.tokens_out) if has_answer else NOTHING


def _amount(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before anything is converted: an integer of 4,000 digits is valid JSON. NaN fails it too.
    return float(value) if is_number and 0 <= value < AMOUNT_MAX else None
