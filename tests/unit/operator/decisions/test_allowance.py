"""A department's share of the run's iterations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_operator.decisions.allowance import iteration_allowance


@pytest.mark.parametrize(
    ("maximum", "used", "after", "expected"),
    [
        pytest.param(50, 0, 6, 44, id="the first of seven leaves one for each of the six to come"),
        pytest.param(50, 44, 5, 1, id="having used all but the reserve, the next gets one"),
        pytest.param(50, 10, 0, 40, id="the last gets all that is left"),
        pytest.param(7, 0, 6, 1, id="as many iterations as departments: one each"),
        pytest.param(3, 0, 6, 1, id="fewer iterations than departments: the first gets one"),
        pytest.param(3, 2, 4, 1, id="fewer iterations than departments: the third gets the last"),
        pytest.param(3, 3, 3, 0, id="fewer iterations than departments: the fourth gets none"),
        pytest.param(1, 0, 0, 1, id="one iteration, one department"),
        pytest.param(5, 9, 2, 0, id="more used than allowed leaves none"),
    ],
)
def test_allowance(maximum: int, used: int, after: int, expected: int) -> None:
    """As the brief's formula has it."""
    assert iteration_allowance(maximum, used, after) == expected


@given(st.integers(1, 500), st.lists(st.floats(0, 1), min_size=1, max_size=32))
def test_a_run_never_uses_more_than_it_may(maximum: int, appetites: list[float]) -> None:
    """However much of its share each department uses; and while some is left, the next gets some."""
    used = 0
    for index, appetite in enumerate(appetites):
        share = iteration_allowance(maximum, used, len(appetites) - index - 1)
        assert (share == 0) == (used >= maximum)
        used += max(1, round(share * appetite)) if share else 0
    assert used <= maximum


@given(st.integers(1, 32), st.integers(0, 500))
def test_enough_iterations_reach_every_department(departments: int, extra: int) -> None:
    """Even if each department before used its whole share."""
    maximum, used = departments + extra, 0
    for index in range(departments):
        share = iteration_allowance(maximum, used, departments - index - 1)
        assert share >= 1
        used += share
    assert used == maximum
