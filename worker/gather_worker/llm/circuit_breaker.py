"""When a model is not asked for a while; pure state, the clock is passed in.

Closed: asked as usual. Open: `FAILURES_MAX` failures in a row, or one with a long Retry-After; not asked.
Half-open: the time is over; one request in `COOLDOWN_S` may try, and the first success closes it again.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

FAILURES_MAX: Final = 3
"""One failure may be chance; after three in a row the next answer is unlikely to be good."""
COOLDOWN_S: Final = 30.0
"""Providers' short troubles (a restart, a full queue) are over by then."""


class State(StrEnum):
    """The three states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """One model's breaker; times are of one monotonic clock, in seconds."""

    failures: int = 0
    """In a row."""
    opens_at_s: float | None = None
    """When the model may be tried again; None while the breaker is closed."""

    def state(self, now_s: float) -> State:
        """Return the state."""
        if self.opens_at_s is None:
            return State.CLOSED
        return State.OPEN if now_s < self.opens_at_s else State.HALF_OPEN

    def wait_s(self, now_s: float) -> float:
        """Return how long the model is not to be asked; 0 if it may be asked now."""
        return 0.0 if self.opens_at_s is None else max(0.0, self.opens_at_s - now_s)

    def asked(self, now_s: float) -> "CircuitBreaker":
        """A request goes out; while half-open, no other follows until it has failed or had its time."""
        if self.state(now_s) is State.HALF_OPEN:
            return replace(self, opens_at_s=now_s + COOLDOWN_S)
        return self

    def succeeded(self) -> "CircuitBreaker":
        """The model answered."""
        return CircuitBreaker()

    def failed(self, now_s: float, retry_after_s: float | None = None) -> "CircuitBreaker":
        """The model did not answer; `retry_after_s` is what it asked for."""
        failures = self.failures + 1
        asked_s = retry_after_s or 0.0
        if failures < FAILURES_MAX and asked_s < COOLDOWN_S:
            return replace(self, failures=failures)
        return CircuitBreaker(failures, now_s + max(COOLDOWN_S, asked_s))
