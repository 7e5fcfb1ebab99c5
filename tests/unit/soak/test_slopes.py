"""The slopes of `make soak`: a leak is called one, and what rises and falls or has filled is not."""

import math
from random import Random

import pytest

from tests.soak.slopes import slope_of

MINUTES = 120
TIMES = [float(second) for second in range(0, MINUTES * 60, 15)]
MIB = 300.0
"""Of a process to which nothing happens."""


def noise(seed: int, size: float) -> list[float]:
    """Return values by chance around nothing, as many as there are times."""
    chance = Random(seed)  # noqa: S311 - no secret
    return [chance.gauss(0, size) for _ in TIMES]


def test_a_straight_line_has_its_slope_and_no_error() -> None:
    """1 MiB a minute over two hours."""
    found = slope_of(TIMES, [MIB + time / 60 for time in TIMES])
    assert math.isclose(found.per_unit * 60, 1.0, rel_tol=1e-9)
    assert found.error < 1e-9
    assert math.isclose(found.rise, 119.75 / (MIB + 119.75 / 2), rel_tol=1e-3)
    assert found.grows


@pytest.mark.parametrize("value", [0.0, 17.0])
def test_what_stays_does_not_grow(value: float) -> None:
    """Nor does what is nothing."""
    found = slope_of(TIMES, [value] * len(TIMES))
    assert found.per_unit == pytest.approx(0, abs=1e-12)
    assert not found.grows


def test_the_error_is_the_one_of_the_measurement() -> None:
    """The true slope is within two errors of what is found in 92 of 100 cases (Student's t, 8 degrees)."""
    true = 0.01
    found = [
        slope_of(TIMES, [true * t + n for t, n in zip(TIMES, noise(s, 30.0), strict=True)])
        for s in range(200)
    ]
    within = sum(abs(one.per_unit - true) < 2 * one.error for one in found)
    assert 170 <= within <= 198


def test_a_leak_shows_through_noise() -> None:
    """20 MiB an hour, of 300, where garbage moves the memory by 10."""
    leaking = [MIB + 20 * t / 3600 + n for t, n in zip(TIMES, noise(1, 10.0), strict=True)]
    assert slope_of(TIMES, leaking).grows


@pytest.mark.parametrize("period_s", [60, 600])
def test_what_rises_and_falls_again_does_not_grow(period_s: int) -> None:
    """As memory does that is collected, and connections of runs that come and go."""
    assert not slope_of(TIMES, [MIB + 50 * (time % period_s) / period_s for time in TIMES]).grows


def test_what_falls_does_not_grow() -> None:
    """However sure it is."""
    assert not slope_of(TIMES, [MIB - time / 60 for time in TIMES]).grows


def test_too_few_values_are_refused() -> None:
    """With a sentence, and not with a slope."""
    with pytest.raises(ValueError, match="too few"):
        slope_of(TIMES[:19], TIMES[:19])
