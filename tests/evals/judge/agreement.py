"""How far two agree, with the interval that the sample leaves; pure.

Cohen (1960), A coefficient of agreement for nominal scales; Krippendorff (2011), Computing Krippendorff's
alpha-reliability; intervals by drawing whole groups with replacement (Efron and Tibshirani 1993, ch. 8).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 1000
SEED: Final = 18
GROUPS_MIN: Final = 3
"""Of fewer no interval can be drawn."""
INTERVAL: Final = (2.5, 97.5)
"""Per cent of the draws between which 95 % lie."""

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]
Statistic = Callable[[Places], float | None]
"""Of the rows at these places; None where they do not tell."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and between which two it lies in 95 % of samples like this one."""

    value: float
    low: float
    high: float

    def above(self, limit: float) -> bool:
        """Return whether it is surely above a limit."""
        return self.low > limit

    def data(self) -> dict[str, float]:
        """Return it rounded, for JSON."""
        return {
            name: round(getattr(self, name), 3) for name in ("value", "low", "high")
        }  # fmt: skip


def estimate(groups: Sequence[str], statistic: Statistic) -> Estimate | None:
    """Return the statistic of all rows with its interval; None where they or so few groups do not tell."""
    named = np.array(groups)
    rows = [np.flatnonzero(named == group) for group in dict.fromkeys(groups)]
    if len(rows) < GROUPS_MIN or (value := statistic(np.arange(len(groups)))) is None:
        return None
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        places = np.concatenate([rows[n] for n in rng.integers(0, len(rows), len(rows))])
        if (found := statistic(places)) is not None:
            drawn.append(found)
    low, high = np.percentile(drawn, INTERVAL) if drawn else (value, value)
    return Estimate(value, float(low), float(high))


def kappa(one: Numbers, other: Numbers) -> float | None:
    """Return Cohen's kappa of two rows of yes (1) and no (0); None where both only ever say the same one."""
    observed = float(np.mean(one == other))
    chance = float(np.mean(one) * np.mean(other) + np.mean(1 - one) * np.mean(1 - other))
    return None if chance >= 1 else (observed - chance) / (1 - chance)


def order_right(scores: Numbers, labels: Numbers, groups: Places) -> float | None:
    """Return the share of pairs of one group with different labels that the scores put in the same order.

    Ties are half right. 0.5 is chance; of two labels in one group it is the area under the ROC curve.
    """
    counts = (labels[:, None] > labels[None, :]) & (groups[:, None] == groups[None, :])
    if not counts.any():
        return None
    differences = (scores[:, None] - scores[None, :])[counts]
    return float(np.mean(differences > 0) + 0.5 * np.mean(differences == 0))


def rank_correlation(one: Numbers, other: Numbers) -> float:
    """Return Spearman's, -1 to 1, equal values having their mean rank; 0 where nothing varies."""
    ranks = [_ranked(values) for values in (one, other)]
    deviations = [rank - rank.mean() for rank in ranks]
    size = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return float((deviations[0] * deviations[1]).sum()) / size if size else 0.0


def _ranked(values: Numbers) -> Numbers:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Numbers = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def partial_correlation(one: Numbers, other: Numbers, given: Numbers) -> float:
    """Return the rank correlation of two rows with what a third explains taken out; 0 if undefined."""
    pairs = ((one, other), (one, given), (other, given))
    between, first, second = (rank_correlation(*pair) for pair in pairs)
    left = (1 - first**2) * (1 - second**2)
    return 0.0 if left <= 1e-9 else (between - first * second) / left**0.5


def alpha(units: Sequence[Sequence[float]]) -> float | None:
    """Return Krippendorff's alpha of units with two ratings or more, differences counted by their square.

    Of yes and no, 1 and 0, that is the nominal form. None where nobody differs about anything.
    """
    rated = [np.array(unit, dtype=float) for unit in units if len(unit) > 1]
    if not rated:
        return None
    every = np.concatenate(rated)
    within = sum(2 * len(unit) * float(((unit - unit.mean()) ** 2).sum()) / (len(unit) - 1) for unit in rated)
    across = 2 * len(every) * float(((every - every.mean()) ** 2).sum()) / (len(every) - 1)
    return None if across == 0 else 1 - within / across
