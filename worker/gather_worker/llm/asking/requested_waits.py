"""For how long an endpoint asks to be left alone, in all the forms in which endpoints say it; pure."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gather_clients.retry_after import retry_after_s

WAIT_MAX_S: Final = 86_400.0
"""A longer wait, a date far away, is a mistake of the endpoint's; no attempt lasts a day."""
EPOCH_LEAST_S: Final = 1e9
"""A greater number of seconds is a moment (2001 and later) and no wait."""
EPOCH_LEAST_MS: Final = 1e12

# Compiled when an endpoint asks to wait: no start waits for it.
_PART: Final = r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?![a-z])"
_IN_WORDS: Final = (
    r"(?i)(?:try again|retry|retrying|wait)(?: your request)?(?: in| after| for)?:?\s+((?:\d+(?:\.\d+)?\s*"
    r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?![a-z])\s*)+)"
)
"""OpenAI: "Please try again in 6m0s"; Azure: "Please retry after 20 seconds"."""
_BODY_KEYS: Final = ("retry_after", "retryAfter", "retry_after_seconds", "retryDelay", "retry_delay")
"""OpenRouter and others name seconds; Google a duration, in `details`."""
_RESETS: Final = r"^(?:anthropic-|x-)?ratelimit-(?:(.+)-)?reset(?:-(.+))?$"


def requested_wait_s(
    status: int,
    headers: Mapping[str, str],
    body: Sequence[Mapping[str, Any]],
    message: str,
    now: datetime,
) -> float | None:
    """Return for how many seconds from `now` the endpoint asks to be left alone, None if it does not say.

    Args:
        status: resets of a rate limit count for 429 alone: endpoints send them with every answer.
        headers: the answer's, names in small letters.
        body: the objects of its body; OpenRouter puts its provider's headers into one of them.
        message: the error's own words.
        now: the time.
    """
    for said in _said(status, headers, body, message, now):
        if said is not None and math.isfinite(said) and said >= 0:
            return min(said, WAIT_MAX_S)
    return None


def _said(
    status: int,
    headers: Mapping[str, str],
    body: Sequence[Mapping[str, Any]],
    message: str,
    now: datetime,
) -> Iterator[float | None]:
    sets = [headers, *map(_headers_in, body)]
    for each in sets:
        yield _milliseconds(each.get("retry-after-ms"))
        yield retry_after_s(each.get("retry-after"), now)
    yield from (_seconds(part.get(key)) for part in body for key in _BODY_KEYS)
    if found := re.search(_IN_WORDS, message):
        yield duration_s(found[1])
    if status == 429:  # noqa: PLR2004
        yield from (_reset_s(each, now) for each in sets)


def duration_s(text: str) -> float | None:
    """Return the seconds of "6m0s", "20ms", "37s", "1.5 minutes"; None for what is no duration."""
    parts = re.findall(_PART, text.lower())
    if not parts or re.sub(_PART, "", text.lower()).strip():
        return None
    return sum(float(number) * _unit_s(unit) for number, unit in parts)


def _unit_s(unit: str) -> float:
    if unit.startswith(("ms", "milli")):
        return 0.001
    return {"s": 1.0, "m": 60.0, "h": 3600.0}[unit[0]]


def _milliseconds(value: str | None) -> float | None:
    try:
        return float(value or "") / 1000
    except ValueError:
        return None


def _headers_in(part: Mapping[str, Any]) -> dict[str, str]:
    headers = part.get("headers")
    if not isinstance(headers, dict):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < WAIT_MAX_S * 1000 else None
    if not isinstance(value, str) or len(value) > 64:  # noqa: PLR2004
        return None
    try:
        return float(value)
    except ValueError:
        return duration_s(value)


def _reset_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return when a used-up limit is free again; of several that are used up the last."""
    waits = []
    for name, value in headers.items():
        found = re.match(_RESETS, name)
        if not found:
            continue
        remaining = headers.get(name.replace("reset", "remaining"), "0").strip()
        wait_s = _moment_s(value.strip(), now) if remaining in {"", "0"} else None
        if wait_s is not None:
            waits.append(wait_s)
    return max(waits, default=None)


def _moment_s(value: str, now: datetime) -> float | None:
    """Return the seconds until a moment: since 1970 in seconds or milliseconds, RFC 3339, or a duration."""
    if len(value) > 64:  # noqa: PLR2004
        return None
    try:
        number = float(value)
    except ValueError:
        return _date_s(value, now) if "T" in value else duration_s(value)
    if number >= EPOCH_LEAST_MS:
        number /= 1000
    return max(0.0, number - now.timestamp()) if number >= EPOCH_LEAST_S else number


def _date_s(value: str, now: datetime) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None
