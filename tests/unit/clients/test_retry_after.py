"""Retry-After in both of its forms."""

from datetime import UTC, datetime

import pytest

from gather_clients.retry_after import retry_after_s

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sat, 21 Nov 2026 12:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 13:00:10 +0100", 10.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("Sat, 21 Nov 2026 12:00:10 -0000", 10.0),
        ("Sat Nov 21 12:00:10 2026", 10.0),
        ("Saturday, 21-Nov-26 12:00:10 GMT", 10.0),
        ("120junk", None),
        ("Sat, 99 Nov 2026 12:00:10 GMT", None),
        ("-1", None),
        ("inf", None),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, expected: float | None) -> None:
    """Seconds or a date; nonsense and what has passed count as not said."""
    assert retry_after_s(value, NOW) == expected
