"""For how long an endpoint asks to be left alone, in every form that was seen."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gather_worker.llm.asking.requested_waits import WAIT_MAX_S, duration_s, requested_wait_s

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
EPOCH_S = int(NOW.timestamp())

SAID: list[tuple[str, int, dict[str, str], Any, str, float | None]] = [
    ("seconds", 429, {"retry-after": "7"}, (), "", 7),
    ("zero", 429, {"retry-after": "0"}, (), "", 0),
    ("a date", 503, {"retry-after": "Sun, 29 Nov 2026 12:00:30 GMT"}, (), "", 30),
    ("nonsense", 429, {"retry-after": "soon"}, (), "", None),
    ("negative", 429, {"retry-after": "-3"}, (), "", None),
    ("milliseconds", 429, {"retry-after-ms": "1500", "retry-after": "2"}, (), "", 1.5),
    ("endless", 429, {"retry-after": "1e9"}, (), "", WAIT_MAX_S),
    ("OpenRouter's provider", 429, {}, [{"headers": {"Retry-After": "12"}}], "", 12),
    ("OpenRouter's day", 429, {}, [{"headers": {
        "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str((EPOCH_S + 600) * 1000)}}], "", 600),
    ("a field", 429, {}, [{"retry_after": 3}], "", 3),
    ("a field of metadata", 429, {}, [{}, {"retry_after_seconds": 4.5}], "", 4.5),
    ("Google", 429, {}, [{"@type": "RetryInfo", "retryDelay": "37.5s"}], "", 37.5),
    ("OpenAI's words", 429, {}, (), "Rate limit reached. Please try again in 6m0s. Visit", 360),
    ("milliseconds in words", 429, {}, (), "Please try again in 20ms.", 0.02),
    ("Azure's words", 429, {}, (), "Please retry after 20 seconds.", 20),
    ("words without a time", 429, {}, (), "Please try again later.", None),
    ("OpenAI's reset", 429, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"},
     (), "", 62),
    ("a limit that is left", 429, {"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "9s"},
     (), "", None),
    ("Anthropic's reset", 429, {"anthropic-ratelimit-requests-remaining": "0",
                                "anthropic-ratelimit-requests-reset": "2026-11-29T12:01:00Z"}, (), "", 60),
    ("since 1970", 429, {"x-ratelimit-reset": str(EPOCH_S + 5)}, (), "", 5),
    ("a delta", 429, {"ratelimit-reset": "8"}, (), "", 8),
    ("a reset of another answer", 500, {"x-ratelimit-reset": "8"}, (), "", None),
    ("a moment that has passed", 429, {"x-ratelimit-reset": str(EPOCH_S - 5)}, (), "", 0),
    ("nothing", 429, {}, [{"message": "slow down"}], "slow down", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "headers", "body", "message", "expected"),
    [row[1:] for row in SAID],
    ids=[row[0] for row in SAID],
)
def test_the_wait_is_found(
    status: int, headers: dict[str, str], body: Any, message: str, expected: float | None
) -> None:
    """The header first, then the body, its words, and the limits' resets last."""
    assert requested_wait_s(status, headers, body, message, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "12", "3 apples", "5s or more"])
def test_what_is_no_duration_is_none(text: str) -> None:
    """A number alone has no unit."""
    assert duration_s(text) is None
