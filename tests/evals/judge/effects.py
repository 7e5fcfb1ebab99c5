"""What moves a judge's answers besides what people go by: order, length, chance; pure.

Pooled over all sets of a kind: one set is too small to tell, and of many small ones one seems to tell by
chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.evals.judge.agreement import Estimate, Places, estimate, partial_correlation
from tests.evals.judge.asking import Answered, Order
from tests.evals.judge.questions import LabelledSet

ROWS_MIN: Final = 8
"""Fewer show nothing."""

SetAnswers = tuple[LabelledSet, Sequence[Answered]]


@dataclass(frozen=True, slots=True)
class Effects:
    """The figures of one kind of sets; None for what they cannot show. Points are of 100."""

    name: str
    readings: int
    failed: int
    """Answers that could not be used or did not come; what the cap left out is none."""
    unquoted: Estimate | None
    """Share of the readings behind which no quote of the material stands."""
    position: Estimate | None
    """Points by which the reversed order moves an answer more than asking again does."""
    length: Estimate | None
    """Rank correlation of score and length, people's labels taken out; the mean of sets of yes and no."""
    repeats: Estimate | None
    """Deviation of the same request's answers, in points."""


def effects_in(name: str, answered: Sequence[SetAnswers]) -> Effects:
    """Return the figures over some sets."""
    rows = [row for _, answers in answered for row in answers]
    return Effects(
        name=name,
        readings=sum(len(row.readings) for row in rows),
        failed=sum(row.failed for row in rows),
        unquoted=_unquoted(rows),
        position=_position(rows),
        length=_length([each for each in answered if each[0].is_absolute]),
        repeats=_repeats(rows),
    )


def _unquoted(rows: Sequence[Answered]) -> Estimate | None:
    given = [(row.item.group, reading.is_quoted) for row in rows for reading in row.readings.values()]
    missing = np.array([not is_quoted for _, is_quoted in given], dtype=float)
    return estimate([group for group, _ in given], lambda at: float(np.mean(missing[at]))) if given else None


def _position(rows: Sequence[Answered]) -> Estimate | None:
    whole = [row for row in rows if len(row.readings) == len(Order)]
    if len(whole) < ROWS_MIN:
        return None
    first, again, turned = (np.array([row.readings[order].score for row in whole]) for order in Order)
    extra = np.abs(turned - first) - np.abs(again - first)
    return estimate([row.item.group for row in whole], lambda at: float(np.mean(extra[at])))


def _repeats(rows: Sequence[Answered]) -> Estimate | None:
    both = [row for row in rows if {Order.FIRST, Order.AGAIN} <= row.readings.keys()]
    if len(both) < ROWS_MIN:
        return None
    moved = np.array([row.readings[Order.AGAIN].score - row.readings[Order.FIRST].score for row in both])
    groups = [row.item.group for row in both]
    return estimate(groups, lambda at: float(np.sqrt(np.mean(moved[at] ** 2) / 2)))


def _length(answered: Sequence[SetAnswers]) -> Estimate | None:
    rows = [(place, row) for place, (_, answers) in enumerate(answered) for row in answers]
    rows = [(place, row) for place, row in rows if Order.FIRST in row.readings]
    if len(rows) < ROWS_MIN:
        return None
    sets = np.array([place for place, _ in rows])
    scores = np.array([row.readings[Order.FIRST].score for _, row in rows])
    labels = np.array([row.item.label for _, row in rows])
    lengths = np.array([float(row.item.question.length) for _, row in rows])

    def mean_of_sets(places: Places) -> float:
        found = 0.0
        for one in np.unique(sets[places]):
            at = places[sets[places] == one]
            found += len(at) * partial_correlation(scores[at], lengths[at], labels[at])
        return found / len(places)

    return estimate([f"{place} {row.item.group}" for place, row in rows], mean_of_sets)
