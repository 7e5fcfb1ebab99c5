"""From the coverage of aspects to what to write next: gaps, severity, suggestions, recommendations; pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from gather_brain.coverage.analysis import Contradiction, Measurement
from gather_brain.coverage.aspects import VITAL, Aspect
from gather_brain.coverage.coverage_score import AspectCoverage, Coverage
from gather_brain.words import spoken
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
CONTRADICTIONS_MAX: Final = 20
SENTENCE_MAX: Final = 300
"""Characters of a contradicting sentence that are shown."""


def analysis_of(
    coverage: Coverage,
    aspects: Sequence[Aspect],
    department: str,
    contradictions: Sequence[Contradiction] = (),
) -> bodies.CoverageAnalysis:
    """Return covered aspects (best first), gaps (those that cost most first) and what to do next."""
    by_name = {aspect.name: aspect for aspect in aspects}
    covered = [found for found in coverage.aspects if found.coverage >= COVERED_MIN]
    covered.sort(key=lambda found: found.coverage, reverse=True)
    missing = [found for found in coverage.aspects if found.coverage < COVERED_MIN]
    # What the description names goes before what a built-in list adds, as in the score.
    missing.sort(key=lambda found: (-(100 - found.coverage) * by_name[found.aspect].weight, found.aspect))
    gaps = [_gap(found, by_name[found.aspect], department) for found in missing]
    weak = sorted(
        (found for found in covered if found.coverage < WEAK_BELOW), key=lambda found: found.coverage
    )
    recommendations = [
        *(f"Focus next iteration on {gap.aspect.lower()} - this is the biggest gap" for gap in gaps[:1]),
        *(gap.suggestion for gap in gaps[1:]),
        *(_suggestion(by_name[found.aspect], department, started=True) for found in weak),
    ]
    return bodies.CoverageAnalysis(
        covered_aspects=[
            bodies.CoveredAspect(
                aspect=found.aspect,
                coverage=round(found.coverage, 1),
                item_count=len(found.item_ids),
                quality=next(word for least, word in QUALITY if found.coverage >= least),
                items=list(found.item_ids),
            )
            for found in covered
        ],
        gaps=gaps,
        contradictions=[
            bodies.Contradiction(
                items=list(pair.item_ids), sentences=[_shortened(sentence) for sentence in pair.sentences]
            )
            for pair in contradictions[:CONTRADICTIONS_MAX]
        ],
        contradiction_count=len(contradictions),
        recommendations=recommendations[:RECOMMENDATIONS_MAX],
    )


def distribution_of(coverage: Coverage) -> Mapping[str, int]:
    """Return how many items treat each aspect more than any other."""
    return {found.aspect.lower(): found.primary_items for found in coverage.aspects}


def metrics_of(found: Measurement) -> bodies.QualityMetrics:
    """Return the brain's own measures, to a tenth, and why one is missing."""
    depth, coherence, actionability = (
        None if value is None else round(value, 1)
        for value in (found.depth, found.coherence, found.actionability)
    )
    return bodies.QualityMetrics(
        depth=depth,
        breadth=round(found.coverage.breadth, 1),
        coherence=coherence,
        actionability=actionability,
        unmeasured=dict(found.unmeasured),
    )


def _gap(found: AspectCoverage, aspect: Aspect, department: str) -> bodies.CoverageGap:
    # By how little is said, and one step less severe for what is not vital.
    severity = (2 if found.coverage < HIGH_BELOW else 1) - (aspect.weight < VITAL)
    return bodies.CoverageGap(
        aspect=found.aspect,
        coverage=round(found.coverage, 1),
        item_count=len(found.item_ids),
        severity=SEVERITIES[severity],
        suggestion=_suggestion(aspect, department, started=bool(found.item_ids)),
        items=list(found.item_ids),
    )


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= SENTENCE_MAX else f"{sentence[: SENTENCE_MAX - 1]}…"


def _suggestion(aspect: Aspect, department: str, *, started: bool) -> str:
    name = aspect.name if aspect.has_capitals else aspect.name.lower()
    verb = "Expand on" if started else "Add notes on"
    if aspect.gloss or aspect.hints:
        about = aspect.gloss or "; ".join(aspect.hints)
        return f"{verb} {name}: {about}. Name scenes, people and moments of this film."
    team = spoken(department)
    return (
        f"{verb} {name}: say what the {team} department decides about it, in which scenes, for whom and why."
    )
