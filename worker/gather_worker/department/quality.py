"""A department's quality score from its four parts; pure.

0.40 coverage + 0.30 depth + 0.20 coherence + 0.10 actionability, each 0-100 (the requirements). Coverage is
the brain's. The other three are the model's, bound to a rubric and the median of several readings where that
is configured, or the brain's own measures where the model gives none or quotes nothing of the notes. A part
that the brain cannot measure in the notes' language, and for which no verdict counts, is None, and the others
weigh more. What cannot be measured otherwise is not made up: the score is then None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final, Protocol

from gather_contracts.brain import CoverageResponse

WEIGHTS: Final[Mapping[str, float]] = {
    "coverage": 0.40, "depth": 0.30, "coherence": 0.20, "actionability": 0.10
}  # fmt: skip
RUBRIC_PARTS: Final = ("depth", "coherence", "actionability")
VERDICT_RISE_MAX: Final = 15.0
"""Points by which a part of a verdict is expected to rise at most from one iteration to the next. The demo
model's rose by less than 4; for a capable model no figure is known. A larger rise costs one iteration too
many, whose notes are kept."""
GAPS_MAX: Final = 8
GAP_CHARS: Final = 200


class Source(StrEnum):
    """Who measured a part."""

    BRAIN = "brain"
    MODEL = "model"
    EARLIER = "earlier"
    """An earlier iteration's: the brain is unavailable, or was shown only the newest notes and found less."""


class Rubric(Protocol):
    """The three parts that the rubric is about, each 0-100; None for one that does not count."""

    @property
    def depth(self) -> float | None:
        """Level of detail."""

    @property
    def coherence(self) -> float | None:
        """Consistency of the notes with each other."""

    @property
    def actionability(self) -> float | None:
        """How usable for the crew."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The score and its parts, each 0-100, and who measured them; None for a part that nobody can measure."""

    score: float
    coverage: float
    depth: float | None
    coherence: float | None
    actionability: float | None
    coverage_source: Source
    rubric_source: Source
    verdicts: int = 0
    """How many verdicts the model gave; a part is the median of those that count for it."""
    spread: float = 0.0
    """The largest difference between two verdicts on one part, in points."""
    unquoted: dict[str, int] = field(default_factory=dict)
    """How many of the verdicts do not count for a part, since they quote nothing of the notes for it."""

    @property
    def sources(self) -> dict[str, Source]:
        """Return who measured each part that is measured."""
        stood_in = dict.fromkeys(self.stood_in_for, Source.BRAIN)
        found = {
            "coverage": self.coverage_source,
            **dict.fromkeys(RUBRIC_PARTS, self.rubric_source),
            **stood_in,
        }
        return {part: source for part, source in found.items() if getattr(self, part) is not None}

    @property
    def stood_in_for(self) -> list[str]:
        """Return the parts for which no verdict counts, so that the brain's own measures stand in."""
        unquoted = [part for part, count in self.unquoted.items() if count >= self.verdicts]
        return [part for part in unquoted if getattr(self, part) is not None]


def weighted(
    coverage: float, depth: float | None, coherence: float | None, actionability: float | None
) -> float:
    """Return the weighted score, 0-100, to a tenth: more would pretend to a precision that no judge has.

    The weights of what is measured are scaled to 1.
    """
    parts = {"coverage": coverage, "depth": depth, "coherence": coherence, "actionability": actionability}
    measured = {name: min(100.0, max(0.0, part)) for name, part in parts.items() if part is not None}
    total = sum(WEIGHTS[name] for name in measured)
    return round(sum(WEIGHTS[name] * part for name, part in measured.items()) / total, 1)


def combine(
    coverage: CoverageResponse | None,
    verdicts: Sequence[Rubric],
    earlier_coverage: float | None,
    *,
    distinct_share: float = 1.0,
    is_partial: bool = False,
) -> Quality | None:
    """Return the quality from what could be measured; None if coverage or the rubric are missing.

    A part of the rubric is not missing if the brain says that it cannot measure it; of all three it may not.
    `distinct_share` is the share (0-1) of the notes that the model was shown, copies left out: copies cost
    coherence, as in the brain's own measure. `is_partial` says that the brain was shown the newest notes
    only; since added notes cannot lower coverage, what was once reached then stays reached.
    """
    covered = _coverage(coverage, earlier_coverage, is_partial=is_partial)
    said = {part: readings(verdicts, part) for part in RUBRIC_PARTS}
    measured = [coverage.quality_metrics] if coverage else []
    rubric = [said[part] or readings(measured, part) for part in RUBRIC_PARTS]
    if covered is None or not any(rubric) or not (measured or all(rubric)):
        return None
    depth, coherence, actionability = (median(each) if each else None for each in rubric)
    if coherence is not None and said["coherence"]:
        coherence *= distinct_share
    missing = {part: len(verdicts) - len(counting) for part, counting in said.items()}
    return Quality(
        score=weighted(covered[0], depth, coherence, actionability),
        coverage=covered[0],
        depth=depth,
        coherence=coherence,
        actionability=actionability,
        coverage_source=covered[1],
        rubric_source=Source.MODEL if any(said.values()) else Source.BRAIN,
        verdicts=len(verdicts),
        spread=max((max(r) - min(r) for r in said.values() if r), default=0),
        unquoted={part: count for part, count in missing.items() if count},
    )


def unquoted_words(quality: Quality | None) -> list[str]:
    """Return for people which parts of the score are the brain's although a judge gave verdicts."""
    parts = ", ".join(quality.stood_in_for) if quality else ""
    said = f"{parts}: the brain's measures, since no quote of the judge's stands in the notes"
    return [said] if parts else []


def best_score(coverage: float, last: Quality | None) -> float:
    """Return the highest score to expect while the model's verdict is still out, 0-100.

    `coverage` is the brain's, just measured; `last` the last iteration's quality.
    """
    if last is None:
        return weighted(coverage, 100, 100, 100)
    highest = [
        getattr(last, part) + VERDICT_RISE_MAX if last.sources.get(part) is Source.MODEL else 100.0
        for part in RUBRIC_PARTS
    ]
    return weighted(max(coverage, last.coverage), *highest)


def _coverage(
    coverage: CoverageResponse | None, earlier: float | None, *, is_partial: bool
) -> tuple[float, Source] | None:
    if coverage is None:
        return None if earlier is None else (earlier, Source.EARLIER)
    if is_partial and earlier is not None and earlier > coverage.coverage_score:
        return earlier, Source.EARLIER
    return coverage.coverage_score, Source.BRAIN


def readings(verdicts: Sequence[Rubric], part: str) -> list[float]:
    """Return what each verdict that counts for a part says of it."""
    said = (getattr(verdict, part) for verdict in verdicts)
    return [float(score) for score in said if score is not None]


def unmeasured_parts(coverage: CoverageResponse | None, verdicts: Sequence[Rubric]) -> list[str]:
    """Return the parts that the brain cannot measure and for which no verdict counts."""
    if coverage is None:
        return []
    sources = [coverage.quality_metrics, *verdicts]
    return [part for part in RUBRIC_PARTS if not readings(sources, part)]


def gaps_of(coverage: CoverageResponse) -> list[str]:
    """Return the gaps as lines for the next prompt, the least covered first."""
    found: Sequence[tuple[float, str]] = sorted(
        (gap.coverage, f"{gap.aspect}: {gap.suggestion}"[:GAP_CHARS]) for gap in coverage.analysis.gaps
    )
    return [line for _, line in found[:GAPS_MAX]]
