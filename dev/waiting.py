"""Waiting for a condition: the one polling loop of the cluster tooling and of the tests."""

import time
from collections.abc import Callable
from typing import TypeVar

from dev.errors import WaitTimeoutError

T = TypeVar("T")

POLL_S = 0.2


def wait_for(what: str, probe: Callable[[], T | None], timeout_s: float, poll_s: float = POLL_S) -> T:
    """Return the first value of `probe` that is neither None nor False.

    What `probe` raises ends the waiting.

    Raises:
        WaitTimeoutError: there was none within `timeout_s`; the message says `what` was waited for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = probe()
        if value is not None and value is not False:
            return value
        if time.monotonic() > deadline:
            raise WaitTimeoutError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(poll_s)
