"""The rows of the report, and the Markdown that docs publish of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.evals.human.rank_statistics import (
    RESAMPLES,
    Floats,
    Metric,
    Places,
    interval,
    partial_spearman,
)

NOTHING: Final = "–"  # noqa: RUF001 - the dash of the docs' tables
LENGTH, COSINE, WORDS = "length", "cosine", "words in common"
"""The simple ways."""
HEAD: Final = (
    "measure", "people's labels", "of", "ours", "95 %", "length taken out", "best simple baseline", "people",
    "goal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """What one way says of all cases, and what people say of what it says; (cases,) each."""

    scores: Floats
    labels: Floats


@dataclass(frozen=True, slots=True)
class Cases:
    """All that a row is computed from."""

    ours: Judged
    baselines: Mapping[str, Judged]
    groups: Places
    """Cases of one document, topic or product depend on each other."""
    lengths: Floats | None = None
    """Words of each text; None where taking it out says nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure on one set."""

    measure: str
    labels: str
    """Which set, and which part of it."""
    metric: str
    sample: str
    ours: float
    low: float
    high: float
    length_out: float | None
    baseline: tuple[str, float]
    people: float | None
    goal: float | None

    @property
    def lead(self) -> float:
        """How much better than the best simple baseline."""
        return self.ours - self.baseline[1]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure on one set, before it is counted."""

    measure: str
    labels: str
    metric: tuple[str, Metric]
    """Its name in the table, and what it computes."""
    cases: Cases
    sample: str
    people: float | None = None
    goal: float | None = None

    def row(self, resamples: int = RESAMPLES) -> Row:
        """Return its row, with an interval by so many samples."""
        name, function = self.metric
        cases, ours = self.cases, self.cases.ours
        found = {
            way: function(judged.scores, judged.labels, cases.groups)
            for way, judged in cases.baselines.items()
        }
        best = max(found, key=lambda way: found[way])
        low, high = interval(function, ours.scores, ours.labels, cases.groups, resamples)
        return Row(
            self.measure, self.labels, name, self.sample, function(ours.scores, ours.labels, cases.groups),
            low, high, length_out_of(cases, is_within=name.endswith("within")), (best, found[best]),
            self.people, self.goal,
        )  # fmt: skip


def length_out_of(cases: Cases, *, is_within: bool) -> float | None:
    """Return the rank correlation of scores and labels with length taken out, of groups on their mean."""
    if cases.lengths is None:
        return None
    groups = cases.groups if is_within else np.zeros_like(cases.groups)
    found = []
    for group in np.unique(groups):
        inside = groups == group
        scores, labels = cases.ours.scores[inside], cases.ours.labels[inside]
        if np.ptp(labels):
            found.append(partial_spearman(scores, labels, cases.lengths[inside]))
    return float(np.mean(found)) if found else 0.0


def weak_first(rows: Sequence[Row]) -> list[Row]:
    """Return the rows by how much they are better than a simple baseline, the least first."""
    return sorted(rows, key=lambda row: row.lead)


def markdown_of(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, weak ones first."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in weak_first(rows))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    weak = "**" if row.lead <= 0 else ""
    return (
        row.measure,
        f"{row.labels} ({row.metric})",
        row.sample,
        f"{weak}{number(row.ours)}{weak}",
        f"{number(row.low)} to {number(row.high)}",
        number(row.length_out),
        f"{row.baseline[0]} {number(row.baseline[1])}",
        number(row.people),
        NOTHING if row.goal is None else f"≥ {number(row.goal)}",
    )


def number(value: float | None) -> str:
    """Return a figure as the tables show it, three digits without the zero before them."""
    if value is None:
        return NOTHING
    shown = f"{value:.3f}"
    return shown.replace("0.", ".", 1) if shown.startswith(("0.", "-0.")) else shown
