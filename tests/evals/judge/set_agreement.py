"""How far a judge and people agree on one labelled set; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.evals.judge.agreement import (
    Estimate,
    Numbers,
    Places,
    alpha,
    estimate,
    kappa,
    order_right,
    rank_correlation,
)
from tests.evals.judge.asking import Answered, Order
from tests.evals.judge.questions import LABEL_MIN, YES_MIN, LabelledSet

ITEMS_MIN: Final = 4
"""Fewer show nothing."""


@dataclass(frozen=True, slots=True)
class SetAgreement:
    """One set's figures; None for what it cannot show. Points are of 100."""

    name: str
    about: str
    part: str
    items: int
    order_right: Estimate | None
    rank_correlation: Estimate | None
    kappa: Estimate | None
    people_alpha: float | None
    """The people's own agreement, where the labels are several people's."""
    yes: Estimate | None
    people_yes: float | None
    spread: float | None
    """Deviation over an item's readings, in points: what a worker's repeats would see."""
    cut: float | None
    """The score above which the judge's share of yes would be the people's."""


def agreement_on(measured: LabelledSet, answers: Sequence[Answered]) -> SetAgreement:
    """Return the set's figures; of three readings the first is what is compared with people."""
    rows = [row for row in answers if Order.FIRST in row.readings]
    groups = [row.item.group for row in rows]
    scores = np.array([row.readings[Order.FIRST].score for row in rows])
    labels = np.array([row.item.label for row in rows])
    # A group that is drawn twice is still one; without groups all are compared.
    numbers = np.zeros(len(rows), int) if measured.is_absolute else np.unique(groups, return_inverse=True)[1]
    yes, people = (scores >= YES_MIN).astype(float), (labels >= LABEL_MIN).astype(float)
    can_tell = len(rows) >= ITEMS_MIN
    is_absolute = can_tell and measured.is_absolute

    def correlation(places: Places) -> float:
        one, other = (_centred(values[places], numbers[places]) for values in (scores, labels))
        return rank_correlation(one, other)

    return SetAgreement(
        name=measured.name, about=measured.about, part=measured.part, items=len(rows),
        order_right=estimate(groups, lambda at: order_right(scores[at], labels[at], numbers[at]))
        if can_tell else None,
        rank_correlation=estimate(groups, correlation) if can_tell else None,
        kappa=estimate(groups, lambda at: kappa(yes[at], people[at])) if is_absolute else None,
        people_alpha=alpha([row.item.labels for row in rows]),
        yes=estimate(groups, lambda at: float(np.mean(yes[at]))) if is_absolute else None,
        people_yes=float(np.mean(people)) if is_absolute else None,
        spread=_spread(rows),
        cut=float(np.quantile(scores, 1 - np.mean(people))) if is_absolute else None,
    )  # fmt: skip


def _centred(values: Numbers, groups: Places) -> Numbers:
    """Return the values less their group's mean; rounded, so that equal ones stay equal."""
    sums, counts = np.bincount(groups, weights=values), np.bincount(groups)
    centred: Numbers = np.round(values - (sums / np.maximum(counts, 1))[groups], 9)
    return centred


def _spread(rows: Sequence[Answered]) -> float | None:
    several = [[reading.score for reading in row.readings.values()] for row in rows]
    variances = [float(np.var(scores, ddof=1)) for scores in several if len(scores) > 1]
    return float(np.sqrt(np.mean(variances))) if len(variances) >= ITEMS_MIN else None
