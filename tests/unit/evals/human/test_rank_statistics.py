"""The statistics of the report on people's labels, on cases that can be counted by hand."""

import numpy as np
import pytest

from tests.evals.human.rank_statistics import (
    Floats,
    Places,
    agreement,
    auc,
    average_precision,
    best_cut,
    f1,
    interval,
    over_all,
    partial_spearman,
    precision_recall,
    ranks,
    spearman,
    top_half_precision,
    within_groups,
)


def floats(*values: float) -> Floats:
    return np.array(values, np.float64)


def places(*values: int) -> Places:
    return np.array(values, np.intp)


def test_equal_values_have_their_mean_rank() -> None:
    """Two second places are both place 1.5."""
    assert ranks([3, 1, 3, 7]).tolist() == [1.5, 0, 1.5, 3]


def test_rank_correlation_is_of_order_alone() -> None:
    """And 0 where one side does not vary."""
    assert spearman([1, 2, 30], [5, 6, 7]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # 1 - 6 sum(d^2) / (n (n^2 - 1)) with the differences 0, 1, 1, 0.
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 1, 1], [1, 2, 3]) == 0


def test_what_both_owe_to_length_is_taken_out() -> None:
    """By the formula for one variable; what is nothing but length correlates with nothing."""
    scores, labels, length = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], [1, 3, 2, 5, 4, 6]
    one, two, three = spearman(scores, labels), spearman(scores, length), spearman(labels, length)
    expected = (one - two * three) / np.sqrt((1 - two**2) * (1 - three**2))
    assert partial_spearman(scores, labels, length) == pytest.approx(expected)
    assert partial_spearman(length, labels, length) == 0
    assert partial_spearman(scores, labels, [1] * 6) == pytest.approx(one)


def test_auc_counts_pairs_and_ties_by_half() -> None:
    """Of four pairs of a 1 and a 0, two are right and one is a tie."""
    assert auc([3, 1, 1, 2], [1, 1, 0, 0]) == pytest.approx(2.5 / 4)
    assert auc([1, 2], [1, 1]) == 0.5


def test_average_precision_takes_equal_scores_together() -> None:
    """Right at places 1 and 3: (1/1 + 2/3) / 2; all equal: the share of right ones."""
    assert average_precision([4, 3, 2, 1], [1, 0, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 1, 1, 1], [1, 0, 0, 0]) == pytest.approx(0.25)
    assert average_precision([1, 2], [0, 0]) == 0


def test_key_points_are_scored_as_the_shared_task_defines_it() -> None:
    """Half of each side counts, its average precision times the share of right ones in it."""
    scores, labels = floats(9, 8, 7, 1, 5, 4), floats(1, 0, 1, 1, 0, 1)
    # One side: 9 and 8 of the first four count, of which one is right at place 1: 1 * 1/2.
    assert top_half_precision(scores[:4], labels[:4], places(0, 0, 0, 0)) == pytest.approx(0.5)
    # The other: 5 alone counts, and is wrong.
    both = top_half_precision(scores, labels, places(0, 0, 0, 0, 1, 1))
    assert both == pytest.approx(0.25)
    # A side of one argument has no half.
    assert top_half_precision(floats(1), floats(1), places(0)) == 0


def test_f1_and_the_best_cut() -> None:
    """The cut falls between different scores only."""
    assert precision_recall([1, 1, 0, 0], [1, 0, 1, 0]) == (0.5, 0.5)
    assert f1([1, 1, 0, 0], [1, 0, 1, 0]) == pytest.approx(0.5)
    assert f1([0, 0], [1, 0]) == 0
    assert best_cut([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]).tolist() == [1, 1, 1, 0]
    assert best_cut([0.9, 0.5, 0.4, 0.1], [1, 1, 0, 0]).tolist() == [1, 1, 0, 0]


def test_groups_are_looked_at_one_by_one() -> None:
    """Order within each counts; a group in which labels do not vary does not."""
    scores, labels = floats(1, 2, 10, 9, 5, 6), floats(1, 2, 4, 5, 3, 3)
    metric = within_groups(spearman)
    assert metric(scores, labels, places(0, 0, 1, 1, 2, 2)) == pytest.approx(0)
    assert metric(scores[:2], labels[:2], places(0, 0)) == pytest.approx(1)
    assert metric(scores[4:], labels[4:], places(2, 2)) == 0


def test_the_interval_is_drawn_over_groups_and_always_the_same() -> None:
    """Cases of one group come together, so copies of a case make no interval narrower."""
    chance = np.random.default_rng(7)
    labels = chance.random(60)
    scores = labels + chance.random(60)
    metric = over_all(spearman)
    single = interval(metric, scores, labels, np.arange(60), 200)
    low, high = single
    assert low < metric(scores, labels, np.arange(60)) < high
    assert interval(metric, scores, labels, np.arange(60), 200) == single
    copied = interval(metric, np.tile(scores, 4), np.tile(labels, 4), np.tile(np.arange(60), 4), 200)
    assert copied == pytest.approx(single)
    narrow = interval(metric, np.tile(scores, 4), np.tile(labels, 4), np.arange(240), 200)
    assert narrow[1] - narrow[0] < 0.7 * (high - low)


def test_a_group_that_is_drawn_twice_is_two_groups() -> None:
    """Of a metric within groups, each copy counts."""
    seen: list[int] = []

    def metric(scores: Floats, labels: Floats, groups: Places) -> float:
        seen.append(len(np.unique(groups)))
        return 0.0

    interval(metric, floats(1, 2, 3, 4), floats(1, 0, 1, 0), places(0, 0, 1, 1), 20)
    assert set(seen) == {2}


def test_each_person_is_compared_with_the_mean_of_the_others() -> None:
    """Two of three agree fully."""
    raters = [[1, 2, 3], [1, 2, 3], [3, 2, 1]]
    # The two: others' mean is (2, 2, 2), no order: 0. The third: others' mean is (1, 2, 3): -1.
    assert agreement(spearman, raters) == pytest.approx(-1 / 3)
    assert agreement(spearman, raters[:2]) == pytest.approx(1)
