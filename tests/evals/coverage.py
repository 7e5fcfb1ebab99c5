"""`make coverage-report`: how often the brain's scores fall where notes were made worse.

With --markdown it prints the table that docs/coverage.md publishes. The real embedding model runs over the
labelled set. The figures of the departments for fitting show what the constants were fitted to; only those of
the held-out departments say how good the measures are.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, dropwhile, takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from dev.artefacts.store_binaries import StoreArtefacts
from gather_brain.coverage.analysis import Measurement, measure, plan_measurement
from gather_brain.coverage.coverage_score import AspectCoverage
from gather_brain.coverage.evidence.constants import DEFAULT_MODEL
from gather_brain.coverage.film_departments import aspect_key
from gather_brain.coverage.recommendations import COVERED_MIN
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.vectors import Matrix
from tests.evals.coverage_cases import HALVES, INVENTED, Case, Department, cases, departments

FALL: Final = 1.0
"""A score that moves by less has not fallen."""
ASPECT_FALL: Final = 5.0
RISE_MAX: Final = 3.0
"""Padding may raise coverage by so much and pass: notes on other trades touch an aspect here and there."""
STRANGER_STEP: Final = 3
"""Which department of the same half lends its notes for padding."""
SCORES: Final = ("coverage", "breadth", "depth", "coherence", "actionability")
COLUMNS: Final = {**{half: half for half in HALVES}, "invented": INVENTED[-1]}
"""What the table shows: both halves, and those departments that neither a list nor fitting knew."""
GRADED: Final = {
    "removed_graded": "coverage",
    "kept_graded": "coverage",
    "thinned_graded": "depth",
    "padded_graded": "coherence",
    "contradicted_graded": "coherence",
}
"""Which score each graded series should move."""

Ranks = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Matrix]
Facts = dict[str, list[float]]
"""By what is asked: 1 or 0 for each case, or a number for each."""


class Vectors:
    """Vectors by text, each computed once."""

    def __init__(self, embed: Embed, model: str = DEFAULT_MODEL) -> None:
        """`model` names the model, whose constants coverage goes by."""
        self._embed = embed
        self.model = model
        self._rows: dict[str, Matrix] = {}

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Return one row for each text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if missing:
            self._rows.update(zip(missing, self._embed(missing), strict=True))
        return np.stack([self._rows[text] for text in texts])


def model_vectors() -> Vectors:
    """Return the vectors of the model that GATHER_BRAIN_EMBEDDING names, measured with its own constants."""
    model = OnnxModel(StoreArtefacts.from_environment().embedding_model(), None)
    return Vectors(model.embed, model.name)


@dataclass(frozen=True)
class Found:
    """One department's scores for one set of notes."""

    measured: Measurement

    @property
    def scores(self) -> dict[str, float]:
        """All five scores."""
        found = self.measured
        values = (
            found.coverage.score,
            found.coverage.breadth,
            found.depth,
            found.coherence,
            found.actionability,
        )
        return {name: value or 0.0 for name, value in zip(SCORES, values, strict=True)}

    def aspect(self, label: str) -> AspectCoverage:
        """Return the aspect that was read from the description for this label, the nearest by its words."""
        key = aspect_key(label)

        def likeness(found: AspectCoverage) -> float:
            if found.aspect.casefold() == label.casefold():
                return 2.0
            other = aspect_key(found.aspect)
            return len(key & other) / max(1, len(key | other))

        return max(self.measured.coverage.aspects, key=likeness)


def found_for(department: Department, texts: Sequence[str], vectors: Vectors) -> Found:
    """Measure a department with these notes."""
    named = [(f"item-{index}", text) for index, text in enumerate(texts)]
    plan = plan_measurement(department.slug, department.description, named)
    return Found(measure(plan, vectors(plan.texts), vectors.model))


@dataclass
class Report:
    """What was found in one half of the departments, and in how many cases."""

    facts: dict[str, Facts] = field(default_factory=dict)
    """By department."""
    cases: int = 0

    def add(self, department: str, cases: int, found: Iterable[tuple[str, float]]) -> None:
        """Add what was found in so many cases of a department."""
        facts = self.facts.setdefault(department, defaultdict(list))
        for fact, value in found:
            facts[fact].append(value)
        self.cases += cases

    def shares(self, departments: Sequence[str] | None = None) -> dict[str, float]:
        """Return the mean of each fact over the cases of these departments, or of all."""
        together: Facts = defaultdict(list)
        for slug in departments or self.facts:
            for fact, values in self.facts[slug].items():
                together[fact] += values
        return {fact: float(np.mean(values)) for fact, values in together.items()}


def report_on(half: str, vectors: Vectors, limit: int | None = None) -> Report:
    """Measure every case of one half of the departments, or of the first `limit` ones."""
    every = departments(half)
    report = Report()
    for place, department in enumerate(every[:limit]):
        stranger = every[(place + STRANGER_STEP) % len(every)]
        made = list(cases(department, stranger))
        found = [found_for(department, case.texts, vectors) for case in made]
        pairs = list(zip(made, found, strict=True))
        facts = chain(_labels(department, found[0]), _falls(found[0], pairs), _ranks(pairs))
        report.add(department.slug, len(made), facts)
    return report


def _labels(department: Department, whole: Found) -> Iterator[tuple[str, float]]:
    read = {frozenset(aspect_key(found.aspect)) for found in whole.measured.coverage.aspects}
    for label in department.aspects:
        yield "aspect is read from the description", aspect_key(label) in read
        yield "aspect with all its notes is no gap", whole.aspect(label).coverage >= COVERED_MIN
    for index, note in enumerate(department.notes):
        named = [whole.aspect(label) for label in note.aspects]
        yield "note is named under its aspect", any(f"item-{index}" in found.item_ids for found in named)


def _falls(whole: Found, pairs: Sequence[tuple[Case, Found]]) -> Iterator[tuple[str, float]]:
    judges: dict[str, Callable[[Case, Found, Found], Iterator[tuple[str, float]]]] = {
        "removed": _removed,
        "thinned": lambda _, whole, found: _thinned(whole, found),
        "padded_office": _padded,
        "padded_trade": _padded,
        "padded_copies": _padded,
        "contradicted": _contradicted,
        "paraphrased": lambda _, whole, found: _paraphrased(whole, found),
    }
    for case, found in pairs:
        if case.kind in judges:
            yield from judges[case.kind](case, whole, found)


def _removed(case: Case, whole: Found, found: Found) -> Iterator[tuple[str, float]]:
    before, after = whole.aspect(case.removed[0]), found.aspect(case.removed[0])
    lowest = min(aspect.coverage for aspect in found.measured.coverage.aspects)
    yield "removed: coverage of the aspect falls", before.coverage - after.coverage > ASPECT_FALL
    yield "removed: the aspect is a gap", after.coverage < COVERED_MIN
    yield "removed: it is the widest gap", after.coverage <= lowest
    yield "removed: coverage falls", _change(whole, found, "coverage") < -FALL


def _thinned(whole: Found, found: Found) -> Iterator[tuple[str, float]]:
    yield "thinned: depth falls", _change(whole, found, "depth") < -FALL
    yield "thinned: actionability falls", _change(whole, found, "actionability") < -FALL
    yield "thinned: coverage falls", _change(whole, found, "coverage") < -FALL


def _padded(case: Case, whole: Found, found: Found) -> Iterator[tuple[str, float]]:
    with_what = {"office": "office notes", "trade": "another trade's notes", "copies": "copies"}
    kind = f"padded with {with_what[case.kind.removeprefix('padded_')]}"
    yield f"{kind}: coverage rises by {RISE_MAX:.0f} at most", _change(whole, found, "coverage") <= RISE_MAX
    yield f"{kind}: change of coverage", _change(whole, found, "coverage")
    yield f"{kind}: coherence falls", _change(whole, found, "coherence") < -FALL


def _contradicted(case: Case, whole: Found, found: Found) -> Iterator[tuple[str, float]]:
    added = len(case.texts) - len(whole.measured.note_ids)
    ours = {f"item-{len(whole.measured.note_ids) + place}" for place in range(added)}
    yield "contradicted: coherence falls", _change(whole, found, "coherence") < -FALL
    for identity in sorted(ours):
        yield "contradicted: the contradicting note is found", identity in found.measured.contradicted_ids
    for identity in whole.measured.note_ids:
        yield "whole: a note is said to be contradicted", identity in whole.measured.contradicted_ids


def _paraphrased(whole: Found, found: Found) -> Iterator[tuple[str, float]]:
    for score in ("depth", "coherence", "actionability"):
        yield f"paraphrased: {score} does not rise", _change(whole, found, score) <= 0
    rise = _change(whole, found, "coverage")
    yield f"paraphrased: coverage rises by {RISE_MAX:.0f} at most", rise <= RISE_MAX
    yield "paraphrased: change of coverage", rise


def _change(whole: Found, found: Found, score: str) -> float:
    return found.scores[score] - whole.scores[score]


def _ranks(pairs: Sequence[tuple[Case, Found]]) -> Iterator[tuple[str, float]]:
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for case, found in pairs:
        if case.kind in GRADED:
            series[case.kind].append((case.level, found.scores[GRADED[case.kind]]))
    for kind, points in series.items():
        levels, values = zip(*points, strict=True)
        yield f"rank correlation: {kind.removesuffix('_graded')}, {GRADED[kind]}", spearman(levels, values)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the rank correlation, -1 to 1, equal values having their mean rank; 0 where nothing varies."""
    ranks = [_ranked(values) for values in (one, other)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranked(values: Sequence[float]) -> Ranks:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Ranks = ((2 * ends - counts - 1) / 2)[inverse]
    return ranks


def table_of(reports: Mapping[str, Report], alone: Report | None = None) -> Table:
    """Return the figures of each half beside each other, and of each department of the report `alone`."""
    table = Table(title=", ".join(f"{half}: {report.cases} cases" for half, report in reports.items()))
    slugs = list(alone.facts) if alone else []
    table.add_column("")
    for name in (*reports, *slugs):
        table.add_column(name, justify="right")
    columns = [report.shares() for report in reports.values()]
    columns += [alone.shares([slug]) for slug in slugs if alone]
    for fact in columns[0]:
        table.add_row(fact, *(_shown(column, fact) for column in columns))
    return table


def markdown_of(reports: Mapping[str, Report]) -> str:
    """Return the figures of each half as a Markdown table."""
    columns = [report.shares() for report in reports.values()]
    head = [f"| | {' | '.join(reports)} |", f"| --- |{' --- |' * len(reports)}"]
    return "\n".join(
        [
            *head,
            *(
                f"| {fact} | {' | '.join(_shown(column, fact) for column in columns)} |"
                for fact in columns[0]
            ),
        ]
    )


def _shown(column: Mapping[str, float], fact: str) -> str:
    return f"{column[fact]:.2f}" if fact in column else "–"  # noqa: RUF001


def published(document: str, half: str) -> dict[str, float]:
    """Return a half's figures in a document that holds such a table, whose head begins with an empty cell."""
    lines = dropwhile(lambda line: half not in _cells(line)[1:] or _cells(line)[0], document.splitlines())
    head, _, *rows = map(_cells, takewhile(lambda line: line.startswith("|"), lines))
    column = head.index(half)
    return {row[0]: float(row[column]) for row in rows if row[column] != "–"}  # noqa: RUF001


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []


def main() -> None:
    """Print the report."""
    vectors = model_vectors()
    reports = {name: report_on(half, vectors) for name, half in COLUMNS.items()}
    if "--markdown" in sys.argv[1:]:
        Console().print(markdown_of(reports), markup=False, soft_wrap=True)
    else:
        Console(width=None if sys.stdout.isatty() else 250).print(table_of(reports, reports[HALVES[-1]]))


if __name__ == "__main__":
    main()
