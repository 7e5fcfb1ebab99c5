"""From the coverage of aspects to what to write next: gaps, severity, suggestions, recommendations; pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from gather_brain.coverage.aspects import VITAL, Aspect
from gather_brain.coverage.coverage_score import AspectCoverage, Coverage
from gather_contracts import brain as bodies

COVERED_MIN: Final = 60.0
"""A clear note and some of another; below it the aspect is a gap. Of the labelled departments for fitting, an
aspect without its notes falls below it in 79 %, one with its notes stays above it in 92 %."""
HIGH_BELOW: Final = 25.0
"""Less than half a clear note: next to nothing is said."""
SEVERITIES: Final = ("low", "medium", "high")
WEAK_BELOW: Final = 75.0
"""A covered aspect below it may still be named when there are no gaps left."""
QUALITY: Final = ((85.0, "excellent"), (70.0, "good"), (COVERED_MIN, "fair"))
RECOMMENDATIONS_MAX: Final = 5


def analysis_of(coverage: Coverage, aspects: Sequence[Aspect], department: str) -> bodies.CoverageAnalysis:
    """Return covered aspects (best first), gaps (those that cost most first) and what to do next."""
    by_name = {aspect.name: aspect for aspect in aspects}
    covered = [found for found in coverage.aspects if found.coverage >= COVERED_MIN]
    missing = [found for found in coverage.aspects if found.coverage < COVERED_MIN]
    # What the description names goes before what a built-in list adds, as in the score.
    missing.sort(key=lambda found: (-(100 - found.coverage) * by_name[found.aspect].weight, found.aspect))
    gaps = [_gap(found, by_name[found.aspect], department) for found in missing]
    return bodies.CoverageAnalysis(
        covered_aspects=[
            _covered(found) for found in sorted(covered, key=lambda found: found.coverage, reverse=True)
        ],
        gaps=gaps,
        recommendations=_recommendations(gaps, covered, by_name, department),
    )


def distribution_of(coverage: Coverage) -> Mapping[str, int]:
    """Return how many items treat each aspect more than any other."""
    return {found.aspect.lower(): found.primary_items for found in coverage.aspects}


def _covered(found: AspectCoverage) -> bodies.CoveredAspect:
    return bodies.CoveredAspect(
        aspect=found.aspect,
        coverage=round(found.coverage, 1),
        item_count=len(found.item_ids),
        quality=next(word for least, word in QUALITY if found.coverage >= least),
        items=list(found.item_ids),
    )


def _gap(found: AspectCoverage, aspect: Aspect, department: str) -> bodies.CoverageGap:
    return bodies.CoverageGap(
        aspect=found.aspect,
        coverage=round(found.coverage, 1),
        item_count=len(found.item_ids),
        severity=_severity(found.coverage, aspect.weight),
        suggestion=_suggestion(aspect, department, started=bool(found.item_ids)),
    )


def _severity(coverage: float, weight: float) -> str:
    """Return how bad a gap is: by how little is said, and one step less for what is not vital."""
    step = 2 if coverage < HIGH_BELOW else 1
    return SEVERITIES[step if weight >= VITAL else step - 1]


def _suggestion(aspect: Aspect, department: str, *, started: bool) -> str:
    name = aspect.name.lower()
    verb = "Expand on" if started else "Add notes on"
    if aspect.gloss or aspect.hints:
        about = aspect.gloss or "; ".join(aspect.hints)
        return f"{verb} {name}: {about}. Name scenes, people and moments of this film."
    team = department.replace("-", " ").replace("_", " ")
    return (
        f"{verb} {name}: say what the {team} department decides about it, in which scenes, for whom and why."
    )


def _recommendations(
    gaps: Sequence[bodies.CoverageGap],
    covered: Sequence[AspectCoverage],
    by_name: Mapping[str, Aspect],
    department: str,
) -> list[str]:
    lines = [
        f"Focus next iteration on {gap.aspect.lower()} - this is the biggest gap"
        if place == 0
        else gap.suggestion
        for place, gap in enumerate(gaps)
    ]
    weak = sorted(
        (found for found in covered if found.coverage < WEAK_BELOW), key=lambda found: found.coverage
    )
    lines += [_suggestion(by_name[found.aspect], department, started=True) for found in weak]
    return lines[:RECOMMENDATIONS_MAX]
