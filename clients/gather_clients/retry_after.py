"""The Retry-After header (RFC 9110, 10.2.3)."""

import email.utils
import math
from datetime import UTC, datetime


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return for how many seconds from `now` the server asks to be left alone, None if it does not say.

    It says seconds or a date. A date that has passed, a negative or endless time and nonsense count as not
    said: the caller's own back-off is the better guess then.
    """
    try:
        seconds = float(value or "")
    except ValueError:
        try:
            asked = email.utils.parsedate_to_datetime(value or "")
            # The asctime form of RFC 9110 and a zone of -0000 name none: HTTP's dates are in UTC.
            seconds = (asked.replace(tzinfo=asked.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
