"""A breaker's three states, as one table of what happened and what follows."""

import pytest

from gather_worker.llm.circuit_breaker import COOLDOWN_S, FAILURES_MAX, CircuitBreaker, State


def failed(times: int, now_s: float = 0.0) -> CircuitBreaker:
    """Return a breaker after so many failures in a row."""
    breaker = CircuitBreaker()
    for _ in range(times):
        breaker = breaker.failed(now_s)
    return breaker


@pytest.mark.parametrize(
    ("breaker", "now_s", "state", "wait_s"),
    [
        (CircuitBreaker(), 0, State.CLOSED, 0),
        (failed(FAILURES_MAX - 1), 0, State.CLOSED, 0),
        (failed(FAILURES_MAX), 0, State.OPEN, COOLDOWN_S),
        (failed(FAILURES_MAX), COOLDOWN_S - 1, State.OPEN, 1),
        (failed(FAILURES_MAX), COOLDOWN_S, State.HALF_OPEN, 0),
        (failed(FAILURES_MAX - 1).succeeded().failed(0), 0, State.CLOSED, 0),
        (failed(FAILURES_MAX).succeeded(), 0, State.CLOSED, 0),
        (failed(FAILURES_MAX).asked(COOLDOWN_S), COOLDOWN_S, State.OPEN, COOLDOWN_S),
        (failed(FAILURES_MAX).asked(COOLDOWN_S).succeeded(), COOLDOWN_S, State.CLOSED, 0),
        (failed(FAILURES_MAX).failed(COOLDOWN_S), COOLDOWN_S, State.OPEN, COOLDOWN_S),
        (CircuitBreaker().failed(0, COOLDOWN_S - 1), 0, State.CLOSED, 0),
        (CircuitBreaker().failed(0, 300), 0, State.OPEN, 300),
        (failed(FAILURES_MAX).failed(0, 1), 0, State.OPEN, COOLDOWN_S),
    ],
    ids=[
        "new", "two failures", "three failures", "a second before its time", "its time is over",
        "a success in between", "a success", "one may try", "the try succeeded", "the try failed",
        "a short Retry-After", "a long Retry-After", "a Retry-After shorter than the cooldown",
    ],
)  # fmt: skip
def test_states(breaker: CircuitBreaker, now_s: float, state: State, wait_s: float) -> None:
    """The clock is the test's."""
    assert (breaker.state(now_s), breaker.wait_s(now_s)) == (state, wait_s)


def test_a_try_that_is_never_reported_blocks_for_one_cooldown_only() -> None:
    """Its process was stopped, or its question broken off."""
    tried = failed(FAILURES_MAX).asked(COOLDOWN_S)
    assert tried.state(2 * COOLDOWN_S) is State.HALF_OPEN
