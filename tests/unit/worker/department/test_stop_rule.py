"""When a department's loop ends, as a table."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.result import StopReason
from gather_worker.department.stop_rule import (
    LoopState,
    decide_stop,
    flat_iterations,
    goes_on_regardless,
    is_flat,
    last_score,
)

FRESH = LoopState(iterations=0, allowance=10, scores=(), threshold=80, remaining_s=500)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(FRESH, None, id="nothing done yet: go on"),
        pytest.param(replace(FRESH, iterations=1, scores=(79.9,)), None, id="below the threshold: go on"),
        pytest.param(
            replace(FRESH, iterations=1, scores=(80.0,)), StopReason.THRESHOLD_REACHED, id="exactly enough"
        ),
        pytest.param(
            replace(FRESH, iterations=2, scores=(85.0, None)),
            StopReason.THRESHOLD_REACHED,
            id="an unmeasured iteration does not take the score away",
        ),
        pytest.param(
            replace(FRESH, iterations=2, scores=(85.0, 70.0)),
            None,
            id="a score that fell below again goes on",
        ),
        pytest.param(
            replace(FRESH, threshold=0), None, id="threshold 0 still wants one iteration and its score"
        ),
        pytest.param(
            replace(FRESH, iterations=10, scores=(10.0,) * 10),
            StopReason.ITERATIONS_USED,
            id="allowance used",
        ),
        pytest.param(
            replace(FRESH, iterations=10, scores=(80.0,) * 10),
            StopReason.THRESHOLD_REACHED,
            id="good enough in the last iteration counts as good enough",
        ),
        pytest.param(
            replace(FRESH, allowance=1, iterations=3, scores=(1.0, 2.0, 3.0)),
            StopReason.ITERATIONS_USED,
            id="more done than a later Job allows",
        ),
        pytest.param(
            replace(FRESH, iterations=4, scores=(50.0,) * 4), None, id="flat for 3: another prompt, no end"
        ),
        pytest.param(
            replace(FRESH, iterations=7, scores=(50.0,) * 7),
            StopReason.QUALITY_FLAT,
            id="flat for 6: the end",
        ),
        pytest.param(
            replace(FRESH, iterations=7, scores=(50, 50.3, 50.6, 50.9, 51.2, 51.5, 51.8)),
            None,
            id="small gains add up to a rise",
        ),
        pytest.param(
            replace(FRESH, iterations=9, scores=(None,) * 9), None, id="what is not measured is not flat"
        ),
        pytest.param(replace(FRESH, is_terminated=True), StopReason.TERMINATED, id="SIGTERM"),
        pytest.param(
            replace(FRESH, is_terminated=True, iterations=1, scores=(90.0,)),
            StopReason.THRESHOLD_REACHED,
            id="what is finished stays finished",
        ),
        pytest.param(replace(FRESH, remaining_s=0), StopReason.DEADLINE_NEAR, id="no time left"),
        pytest.param(
            replace(FRESH, remaining_s=20, iteration_s=21),
            StopReason.DEADLINE_NEAR,
            id="no time for an iteration like the longest",
        ),
        pytest.param(replace(FRESH, remaining_s=22, iteration_s=21), None, id="time for one more"),
    ],
)
def test_the_loop_ends_for_the_right_reason(state: LoopState, expected: StopReason | None) -> None:
    """Reasons that finish the department go before those that end only the attempt."""
    assert decide_stop(state) is expected


ALL_AT_ONCE = LoopState(
    iterations=10,
    allowance=10,
    scores=(85.0,) * 10,
    threshold=80,
    remaining_s=0,
    iteration_s=20,
    is_terminated=True,
    is_budget_used=True,
)
PRECEDENCE: tuple[tuple[StopReason | None, dict[str, Any]], ...] = (
    # the reason that counts -> what takes it away, so that the next one counts
    (StopReason.THRESHOLD_REACHED, {"threshold": 90}),
    (StopReason.ITERATIONS_USED, {"allowance": 20}),
    (StopReason.QUALITY_FLAT, {"scores": tuple(range(50, 80, 3))}),
    (StopReason.BUDGET_USED, {"is_budget_used": False}),
    (StopReason.TERMINATED, {"is_terminated": False}),
    (StopReason.DEADLINE_NEAR, {"remaining_s": 21}),
    (None, {}),
)


def test_of_several_reasons_the_first_of_the_order_counts() -> None:
    """What finishes the department goes before what only ends the attempt: nothing is done twice for it."""
    state, found = ALL_AT_ONCE, []
    for _, change in PRECEDENCE:
        found.append(decide_stop(state))
        state = replace(state, **change)
    assert found == [reason for reason, _ in PRECEDENCE]


def test_the_deadline_is_kept_by_the_longest_iteration_seen() -> None:
    """An attempt of 600 s whose iterations take 50 s at most begins its last with more than 50 s left."""
    remaining_s, begun = 570.0, 0
    while decide_stop(replace(FRESH, remaining_s=remaining_s, iteration_s=50.0 if begun else 0.0)) is None:
        remaining_s, begun = remaining_s - 50, begun + 1
    assert (begun, remaining_s) == (11, 20)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((), 0),
        ((50,), 0),
        ((50, 50), 1),
        ((50, 50.9), 1),
        ((50, 51), 0),
        ((50, 40, 45), 2),
        ((50, None, 50, None), 1),
        ((50, 49, 51.5, 51), 1),
    ],
)
def test_flat_iterations_are_counted_from_the_last_rise(
    scores: tuple[float | None, ...], expected: int
) -> None:
    """A fall is no rise, and an unmeasured iteration is neither."""
    assert flat_iterations(scores) == expected


def test_the_prompt_changes_after_three_flat_iterations() -> None:
    """Three, as the requirements say; two are bad luck."""
    assert not is_flat((50, 50, 50))
    assert is_flat((50, 50, 50, 50))


def test_the_last_score_is_the_last_measured_one() -> None:
    """None before there is one."""
    assert last_score((None, 3.0, None)) == 3.0
    assert last_score((None,)) is None


# --- before the score is known


@pytest.mark.parametrize(
    ("state", "best", "expected"),
    [
        pytest.param(replace(FRESH, iterations=1), 79.9, True, id="no score can be enough"),
        pytest.param(replace(FRESH, iterations=1), 80.0, False, id="the best one is just enough"),
        pytest.param(replace(FRESH, iterations=10), 10.0, False, id="no iteration is left"),
        pytest.param(
            replace(FRESH, iterations=4, scores=(50.0,) * 3), 60.0, False, id="the prompt may change"
        ),
        pytest.param(
            replace(FRESH, iterations=5, scores=(50.0,) * 4), 50.9, True, id="the prompt stays turned"
        ),
        pytest.param(replace(FRESH, iterations=7, scores=(50.0,) * 6), 60.0, False, id="it may be the end"),
        pytest.param(replace(FRESH, iterations=1, is_terminated=True), 10.0, False, id="SIGTERM"),
        pytest.param(
            replace(FRESH, iterations=1, remaining_s=1, iteration_s=2), 10.0, False, id="no time is left"
        ),
        pytest.param(replace(FRESH, iterations=1, is_budget_used=True), 10.0, False, id="no money is left"),
    ],
)
def test_the_loop_goes_on_whatever_is_measured(state: LoopState, best: float, *, expected: bool) -> None:
    """Only then is it sound to begin before the score is known."""
    assert goes_on_regardless(state, best) is expected


@given(st.lists(st.none() | st.floats(0, 100), max_size=9), st.floats(0, 100), st.floats(0, 1) | st.none())
def test_no_score_up_to_the_best_changes_what_comes_next(
    scores: list[float | None], best: float, share: float | None
) -> None:
    """The law behind the shortcut of looking at the ends alone."""
    state = replace(FRESH, iterations=len(scores) + 1, scores=tuple(scores))
    if decide_stop(state) is not None or not goes_on_regardless(state, best):
        return
    known = replace(state, scores=(*scores, None if share is None else share * best))
    assert decide_stop(known) is None
    assert is_flat(known.scores) == is_flat((*scores, 0.0))
