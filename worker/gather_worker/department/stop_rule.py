"""When a department's loop ends; pure, so that each rule is one line of a table in its test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gather_contracts.result import StopReason

PLATEAU_ITERATIONS: Final = 3
"""Iterations without a rise before the prompt is changed, and again before the loop ends (the
requirements)."""
PLATEAU_GAIN: Final = 1.0
"""Points that count as a rise: the judge's scores vary by about this much on unchanged items."""


@dataclass(frozen=True, slots=True)
class LoopState:
    """All that the decision depends on."""

    iterations: int
    """Done over all attempts."""
    allowance: int
    scores: Sequence[float | None]
    """One for each iteration done, 0-100; None where it could not be measured."""
    threshold: float
    remaining_s: float
    iteration_s: float = 0.0
    """The longest iteration of this attempt so far; the next one is expected to last as long."""
    is_terminated: bool = False
    is_budget_used: bool = False
    """Whether a request to the model did not fit into what the run's budget leaves."""


def decide_stop(state: LoopState) -> StopReason | None:
    """Return why the loop ends now, None if another iteration is due.

    Reasons that finish the department go before those that only end the attempt.
    """
    rules = (
        (is_good_enough(state), StopReason.THRESHOLD_REACHED),
        (state.iterations >= state.allowance, StopReason.ITERATIONS_USED),
        (flat_iterations(state.scores) >= 2 * PLATEAU_ITERATIONS, StopReason.QUALITY_FLAT),
        (state.is_budget_used, StopReason.BUDGET_USED),
        (state.is_terminated, StopReason.TERMINATED),
        (state.remaining_s <= state.iteration_s, StopReason.DEADLINE_NEAR),
    )
    return next((reason for holds, reason in rules if holds), None)


def goes_on_regardless(state: LoopState, best_score: float) -> bool:
    """Return True if every possible outcome of the measurement in progress continues the loop with the same
    prompt: no score, or any from 0 to `best_score`.
    """
    # The rules compare scores with lower bounds only, so no score between the two ends decides otherwise.
    outcomes = [replace(state, scores=(*state.scores, score)) for score in (None, 0.0, best_score)]
    prompts = {is_flat(outcome.scores) for outcome in outcomes}
    return len(prompts) == 1 and all(decide_stop(outcome) is None for outcome in outcomes)


def is_good_enough(state: LoopState) -> bool:
    """Return whether the last measured score reaches the threshold."""
    score = last_score(state.scores)
    return score is not None and score >= state.threshold


def last_score(scores: Sequence[float | None]) -> float | None:
    """Return the last score that could be measured."""
    return next((score for score in reversed(scores) if score is not None), None)


def flat_iterations(scores: Sequence[float | None]) -> int:
    """Return how many measured iterations have passed since the score last rose by `PLATEAU_GAIN`.

    Small gains add up: a rise is counted from the score of the last rise, not from the iteration before.
    """
    level: float | None = None
    flat = 0
    for score in scores:
        if score is None:
            continue
        if level is None or score >= level + PLATEAU_GAIN:
            level, flat = score, 0
        else:
            flat += 1
    return flat


def is_flat(scores: Sequence[float | None]) -> bool:
    """Return whether the prompt should turn to the gaps, because more of the same did not help."""
    return flat_iterations(scores) >= PLATEAU_ITERATIONS
