"""Numbers and times as people read them; pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

UNKNOWN: Final = "–"  # noqa: RUF001 - a dash
CENT: Final = 0.01


def money(usd: float) -> str:
    """Return an amount in USD; less than a cent is not said to be nothing."""
    return f"under ${CENT:.2f}" if 0 < usd < CENT else f"${usd:,.2f}"


def score(value: float) -> str:
    """Return a score of 0-100 without a zero behind the point."""
    return f"{value:.1f}".removesuffix(".0")


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(text: str) -> datetime | None:
    """Return a time of an event or of Kubernetes, None if there is none that can be read."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def duration(length: timedelta) -> str:
    """Return a length of time as a clock shows it, minutes and seconds at least."""
    seconds = max(int(length.total_seconds()), 0)
    hours, minutes = divmod(seconds // 60, 60)
    clock = f"{minutes}:{seconds % 60:02d}"
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else clock


def rough(length: timedelta) -> str:
    """Return a length of time as an estimate is said."""
    minutes = length.total_seconds() / 60
    if minutes < 1:
        return "under a minute"
    if minutes < 90:  # noqa: PLR2004 - beyond, hours say it better
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"
