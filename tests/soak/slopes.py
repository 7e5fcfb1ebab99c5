"""How fast a value grows, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

BLOCKS: Final = 10
VALUES_MIN: Final = 2 * BLOCKS
"""Of a block's mean one value is none."""
ERRORS_MAX: Final = 3.0
RISE_MAX: Final = 0.05
"""Of the mean: what a value may rise by while it is looked at. Less is not told from a cache that fills."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight line through values."""

    per_unit: float
    error: float
    """Standard error of `per_unit`."""
    rise: float
    """Of the line, from the first value to the last, as a share of the mean."""

    @property
    def grows(self) -> bool:
        """Return whether the values rise by more than chance and by more than `RISE_MAX`."""
        return self.per_unit > ERRORS_MAX * self.error and self.rise > RISE_MAX


def slope_of(places: Sequence[float], values: Sequence[float]) -> Slope:
    """Return the slope of values over places (seconds, notes) that rise.

    By least squares through the means of `BLOCKS` blocks of neighbours: values of one moment and the next
    are too much alike to count as so many measurements (batch means: Conway, Management Science 10, 1963).
    The standard error is that of the residuals.

    Raises:
        ValueError: there are fewer than `VALUES_MIN` values.
    """
    if len(values) < VALUES_MIN:
        raise ValueError(f"{len(values)} values are too few for a slope; {VALUES_MIN} are needed")
    x, y = (np.array([block.mean() for block in np.array_split(np.asarray(row, float), BLOCKS)])
            for row in (places, values))  # fmt: skip
    line, covariance = np.polyfit(x, y, 1, cov=True)
    rise, mean = line[0] * (places[-1] - places[0]), abs(y.mean())
    return Slope(
        float(line[0]), float(np.sqrt(max(covariance[0, 0], 0))), float(rise / mean) if mean else 0.0
    )
