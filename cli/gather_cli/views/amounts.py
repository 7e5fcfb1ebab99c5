"""Times, money and numbers as people read them; the clock is passed in."""

from datetime import UTC, datetime
from typing import Any, Final

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400


def moment(text: object) -> datetime | None:
    """Return the moment of an RFC 3339 text, None if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds_between(start: object, end: object, now: datetime) -> float | None:
    """Return the time from one moment to another, or to now; None if it never began."""
    begun = moment(start)
    return None if begun is None else max(0.0, ((moment(end) or now) - begun).total_seconds())


def duration(seconds: float | None) -> str:
    """Return a time as kubectl shows ages: 48s, 4m12s, 3h5m, 2d3h."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return _two(whole, MINUTE, "m", 1, "s")
    if whole < 2 * DAY:
        return _two(whole, HOUR, "h", MINUTE, "m")
    return _two(whole, DAY, "d", HOUR, "h")


def _two(seconds: int, large: int, first: str, small: int, second: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{first}" + (f"{rest}{second}" if rest else "")


def dollars(amount: Any) -> str:
    """Return money in USD; below a cent with four digits."""
    value = float(amount or 0)
    return f"${value:.4f}" if 0 < value < 0.01 else f"${value:,.2f}"  # noqa: PLR2004


def count(number: Any, noun: str) -> str:
    """Return `1 note`, `2 notes`."""
    value = int(number or 0)
    return f"{value:,} {noun}" + ("" if value == 1 else "s")


def score(number: Any) -> str:
    """Return a quality score with one digit, a threshold without where it has none."""
    return f"{float(number or 0):.1f}"
