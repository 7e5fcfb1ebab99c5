"""Measures of agreement against published and hand-made examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evals.judge.agreement import alpha, estimate, kappa, order_right, partial_correlation


def row(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=float)


def test_kappa_takes_chance_out() -> None:
    """Of 50 applications 20 twice yes, 15 twice no, 5 and 10 in dispute: 0.4."""
    one = row(*[1] * 20, *[1] * 5, *[0] * 10, *[0] * 15)
    other = row(*[1] * 20, *[0] * 5, *[1] * 10, *[0] * 15)
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(row(1, 1), row(1, 1)) is None
    assert kappa(row(1, 1, 1, 1), row(1, 0, 1, 0)) == 0


def test_alpha_is_krippendorff_s() -> None:
    """His example of two observers and ten articles, yes or no: 0.095."""
    one, other = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    assert alpha(list(zip(one, other, strict=True))) == pytest.approx(0.095, abs=0.001)
    assert alpha([(1, 1), (0, 0)]) == 1
    assert alpha([(1,), (0,)]) is None
    assert alpha([(1, 1), (1, 1)]) is None


def test_the_order_is_right_by_pairs_of_different_labels() -> None:
    """Ties are half right; only pairs of one group count."""
    one = np.zeros(4, int)
    assert order_right(row(1, 2, 3), row(0, 0, 1), one[:3]) == 1
    assert order_right(row(5, 5), row(0, 1), one[:2]) == 0.5
    assert order_right(row(1, 2), row(1, 1), one[:2]) is None
    scores, labels = row(1, 2, 11, 10), row(0, 1, 0, 1)
    assert order_right(scores, labels, np.array([0, 0, 1, 1])) == 0.5


def test_what_a_third_explains_is_taken_out() -> None:
    """Two rows that follow the same third do not follow each other."""
    third = row(*range(40))
    noise = np.random.default_rng(1).permuted(np.tile([-8.0, 8.0], 20))
    assert abs(partial_correlation(third + noise, third - np.roll(noise, 7), third)) < 0.4
    assert partial_correlation(third, third, third) == 0
    assert partial_correlation(noise, noise, third) == pytest.approx(1)


@given(st.lists(st.floats(0, 100), min_size=3, max_size=20))
def test_the_interval_holds_the_mean(values: list[float]) -> None:
    """It is drawn by groups, of which there must be some."""
    scores = row(*values)
    found = estimate([str(n) for n in range(len(values))], lambda at: float(np.mean(scores[at])))
    assert found is not None
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert estimate(["a", "b"] * len(values), lambda _: 1.0) is None
