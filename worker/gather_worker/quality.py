"""A department's quality score from its four parts; pure.

0.40 coverage + 0.30 depth + 0.20 coherence + 0.10 actionability, each 0-100 (the requirements). Coverage is
the brain's. The other three are a rubric-bound verdict of the model, or the brain's own measures where the
model gives none. What cannot be measured is not made up: the score is then None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gather_contracts.brain import CoverageResponse
from gather_worker.answers import QualityVerdict

WEIGHTS: Final = {"coverage": 0.40, "depth": 0.30, "coherence": 0.20, "actionability": 0.10}
GAPS_MAX: Final = 8
GAP_CHARS: Final = 200


class Source(StrEnum):
    """Who measured a part."""

    BRAIN = "brain"
    MODEL = "model"
    EARLIER = "earlier"
    """The last iteration's, because the brain is away."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The score and its parts, each 0-100, and who measured them."""

    score: float
    coverage: float
    depth: float
    coherence: float
    actionability: float
    coverage_source: Source
    rubric_source: Source


def weighted(coverage: float, depth: float, coherence: float, actionability: float) -> float:
    """Return the weighted score, 0-100, to a tenth: more would pretend to a precision that no judge has."""
    parts = {"coverage": coverage, "depth": depth, "coherence": coherence, "actionability": actionability}
    return round(sum(WEIGHTS[name] * min(100.0, max(0.0, part)) for name, part in parts.items()), 1)


def combine(
    coverage: CoverageResponse | None, verdict: QualityVerdict | None, earlier_coverage: float | None
) -> Quality | None:
    """Return the quality from what could be had; None if coverage or the rubric are missing altogether."""
    covered = coverage.coverage_score if coverage else earlier_coverage
    rubric = verdict or (coverage.quality_metrics if coverage else None)
    if covered is None or rubric is None:
        return None
    return Quality(
        score=weighted(covered, rubric.depth, rubric.coherence, rubric.actionability),
        coverage=covered,
        depth=rubric.depth,
        coherence=rubric.coherence,
        actionability=rubric.actionability,
        coverage_source=Source.BRAIN if coverage else Source.EARLIER,
        rubric_source=Source.MODEL if verdict else Source.BRAIN,
    )


def gaps_of(coverage: CoverageResponse) -> list[str]:
    """Return the gaps as lines for the next prompt, the least covered first."""
    found: Sequence[tuple[float, str]] = sorted(
        (gap.coverage, f"{gap.aspect}: {gap.suggestion}"[:GAP_CHARS]) for gap in coverage.analysis.gaps
    )
    return [line for _, line in found[:GAPS_MAX]]
