"""How well scores agree with labels: rank correlation, AUC, average precision, F1, and intervals; pure.

Equal values have their mean rank everywhere, so that a measure that says 0 of most texts gains nothing by it.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Metric = Callable[[Floats, Floats, Places], float]
"""Scores, labels and the group of each case; cases of one group were labelled together."""

RESAMPLES: Final = 1_000
"""Of the bootstrap."""
SEED: Final = 1
INTERVAL: Final = (2.5, 97.5)
"""Percentiles: 95 % of the resamples lie between."""
TOP_SHARE: Final = 0.5
"""Of a group's cases, those with the highest scores. Source: the shared task on key points, 2021."""


def ranks(values: ArrayLike) -> Floats:
    """Return the rank of each value, from 0, equal ones having their mean."""
    _, inverse, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: Floats = ((2 * ends - counts - 1) / 2)[inverse]
    return found


def spearman(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the rank correlation, -1 to 1; 0 where either does not vary."""
    return _pearson(ranks(scores), ranks(labels))


def partial_spearman(scores: ArrayLike, labels: ArrayLike, given: ArrayLike) -> float:
    """Return the rank correlation of scores and labels with what both owe to `given` taken out.

    Source: the correlation of the residuals of both ranks after a linear fit to the ranks of `given`.
    """
    third = ranks(given)
    return _pearson(*(_residual(ranks(each), third) for each in (scores, labels)))


def _residual(values: Floats, given: Floats) -> Floats:
    centred, other = values - values.mean(), given - given.mean()
    norm = float(other @ other)
    left: Floats = centred - other * (float(centred @ other) / norm if norm else 0.0)
    return left


def _pearson(one: Floats, other: Floats) -> float:
    first, second = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((first @ first) * (second @ second)))
    # What rounding leaves of a vector that does not vary is no correlation.
    return float(first @ second) / norm if norm > 1e-9 * max(len(one), 1) else 0.0


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return how often a case with label 1 has more than one with 0, ties counting half; 0.5 without both.

    Source: the Mann-Whitney U statistic, by ranks.
    """
    is_positive = np.asarray(labels) > 0
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if not positives or not negatives:
        return 0.5
    smallest = positives * (positives - 1) / 2
    return float((ranks(scores)[is_positive].sum() - smallest) / (positives * negatives))


def f1(called: ArrayLike, labels: ArrayLike) -> float:
    """Return the harmonic mean of precision and recall of what is called; 0 where nothing is right."""
    precision, recall = precision_recall(called, labels)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def precision_recall(called: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    """Return the share of right ones among what is called, and of called ones among what is there."""
    is_called, is_there = np.asarray(called) > 0, np.asarray(labels) > 0
    right = int((is_called & is_there).sum())
    return right / max(int(is_called.sum()), 1), right / max(int(is_there.sum()), 1)


def best_cut(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Return 1 for each score above the cut that gives the best F1 on these very labels, else 0.

    Chosen where it is measured, so that it flatters; it is for baselines alone.
    """
    values, is_there = np.asarray(scores, np.float64), np.asarray(labels) > 0
    order = np.argsort(-values, kind="stable")
    right = np.cumsum(is_there[order])
    called = np.arange(1, len(order) + 1)
    ends = np.append(np.diff(values[order]) != 0, True)
    scored = np.where(ends, 2 * right / (called + max(int(is_there.sum()), 1)), -1.0)
    found: Floats = (values >= values[order][int(scored.argmax())]).astype(np.float64)
    return found


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the precision at each distinct score weighted by the recall it adds; 0 without a label 1.

    Source: the sum of (R_n - R_n-1) P_n over the thresholds n, without interpolation.
    """
    values, is_there = np.asarray(scores, np.float64), np.asarray(labels) > 0
    if not is_there.any():
        return 0.0
    order = np.argsort(-values, kind="stable")
    right = np.cumsum(is_there[order])
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    precision = right[ends] / (ends + 1)
    gained = np.diff(right[ends], prepend=0) / right[-1]
    return float(precision @ gained)


def top_half_precision(scores: Floats, labels: Floats, groups: Places) -> float:
    """Return the shared task's mean average precision: an argument is a case, a side of a topic a group.

    Of each group the half with the highest scores counts, and its average precision is multiplied by the
    share of right ones in it: what is not found at all costs. Source: `track_1_kp_matching.py` of
    IBM/KPA_2021_shared_task.
    """
    found = []
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        top = inside[np.argsort(-scores[inside], kind="stable")][: int(len(inside) * TOP_SHARE)]
        if len(top):
            found.append(average_precision(scores[top], labels[top]) * float((labels[top] > 0).mean()))
    return float(np.mean(found)) if found else 0.0


def within_groups(metric: Callable[[Floats, Floats], float]) -> Metric:
    """Return the mean of a metric over the groups in which the labels vary."""

    def mean(scores: Floats, labels: Floats, groups: Places) -> float:
        places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        found = [metric(scores[inside], labels[inside]) for inside in places if np.ptp(labels[inside])]
        return float(np.mean(found)) if found else 0.0

    return mean


def over_all(metric: Callable[[Floats, Floats], float]) -> Metric:
    """Return a metric over all cases, whatever their groups."""
    return lambda scores, labels, _groups: metric(scores, labels)


def interval(
    metric: Metric, scores: Floats, labels: Floats, groups: Places, resamples: int
) -> tuple[float, float]:
    """Return the bootstrap interval of a metric: groups are drawn whole, since their cases go together.

    Source: the percentile bootstrap over clusters. The same for the same cases, by a fixed seed.
    """
    chance = np.random.default_rng(SEED)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found = []
    for _ in range(resamples):
        drawn = [members[place] for place in chance.integers(0, len(members), len(members))]
        cases = np.concatenate(drawn)
        # A group that is drawn twice is two groups.
        named = np.repeat(np.arange(len(drawn)), [len(each) for each in drawn])
        found.append(metric(scores[cases], labels[cases], named))
    low, high = np.percentile(found, INTERVAL)
    return float(low), float(high)


def agreement(metric: Callable[[Floats, Floats], float], raters: Sequence[ArrayLike]) -> float:
    """Return how well each rater agrees with the mean of the others, on the mean over raters.

    `raters` are (cases,) each, of the same cases.
    """
    given = np.asarray(raters, np.float64)
    others = (given.sum(axis=0) - given) / (len(given) - 1)
    return float(np.mean([metric(one, other) for one, other in zip(given, others, strict=True)]))
