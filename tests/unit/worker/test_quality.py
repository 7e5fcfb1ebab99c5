"""The quality score and its laws."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.brain import (
    CoverageAnalysis,
    CoverageGap,
    CoverageResponse,
    CoverageTiming,
    QualityMetrics,
)
from gather_worker.answers import QualityVerdict
from gather_worker.quality import GAPS_MAX, WEIGHTS, Source, combine, gaps_of, weighted

percent = st.floats(0, 100)


def coverage(score: float = 60, gaps: list[CoverageGap] | None = None, **metrics: float) -> CoverageResponse:
    """Return the brain's answer."""
    measures: dict[str, Any] = {"depth": 10, "breadth": 20, "coherence": 30, "actionability": 40, **metrics}
    return CoverageResponse(
        department="story",
        coverage_score=score,
        analysis=CoverageAnalysis(covered_aspects=[], gaps=gaps or [], recommendations=[]),
        item_distribution={},
        quality_metrics=QualityMetrics(**measures),
        timing=CoverageTiming(embedding_time_ms=0, analysis_time_ms=0, total_time_ms=0),
    )


VERDICT = QualityVerdict(depth=80, coherence=70, actionability=60, reason="")


def test_the_weights_are_the_requirements() -> None:
    """40, 30, 20, 10, and nothing else."""
    assert WEIGHTS == {"coverage": 0.40, "depth": 0.30, "coherence": 0.20, "actionability": 0.10}
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((100, 100, 100, 100), 100), ((0, 0, 0, 0), 0), ((100, 0, 0, 0), 40), ((0, 100, 0, 0), 30),
     ((0, 0, 100, 0), 20), ((0, 0, 0, 100), 10), ((75, 72, 85, 70), 75.6), ((120, -5, 50, 50), 55)],
)  # fmt: skip
def test_the_score_is_the_weighted_sum(parts: tuple[float, float, float, float], expected: float) -> None:
    """Parts outside of 0-100 are clipped: no source may push the score over its weight."""
    assert weighted(*parts) == expected


@given(st.tuples(percent, percent, percent, percent), st.sampled_from(range(4)), percent)
def test_raising_a_part_never_lowers_the_score(
    parts: tuple[float, float, float, float], which: int, other: float
) -> None:
    """Monotonous in each part, and always within 0-100."""
    raised = list(parts)
    raised[which] = max(parts[which], other)
    assert 0 <= weighted(*parts) <= weighted(*raised) <= 100


def test_the_models_verdict_goes_before_the_brains_measures() -> None:
    """Coverage from the brain, the rubric from the model; both sources are recorded."""
    quality = combine(coverage(60), VERDICT, None)
    assert quality is not None
    assert (quality.coverage, quality.depth, quality.coherence, quality.actionability) == (60, 80, 70, 60)
    assert (quality.coverage_source, quality.rubric_source) == (Source.BRAIN, Source.MODEL)
    assert quality.score == 68.0


def test_without_a_verdict_the_brains_measures_stand_in() -> None:
    """And it says so."""
    quality = combine(coverage(60), None, None)
    assert quality is not None
    assert (quality.depth, quality.coherence, quality.actionability) == (10, 30, 40)
    assert quality.rubric_source is Source.BRAIN


def test_while_the_brain_is_away_the_earlier_coverage_counts() -> None:
    """The notes only became more, so that it is a lower bound."""
    quality = combine(None, VERDICT, 55)
    assert quality is not None
    assert (quality.coverage, quality.coverage_source) == (55, Source.EARLIER)


@pytest.mark.parametrize(("verdict", "earlier"), [(None, None), (VERDICT, None), (None, 50.0)])
def test_what_cannot_be_measured_is_not_made_up(
    verdict: QualityVerdict | None, earlier: float | None
) -> None:
    """No coverage ever, or no rubric at all: no score."""
    assert combine(None, verdict, earlier) is None


def test_gaps_come_least_covered_first_and_bounded() -> None:
    """They go into the next prompt."""
    gaps = [
        CoverageGap(aspect=f"a{i}", coverage=100 - i, item_count=0, severity="high", suggestion="x" * 500)
        for i in range(20)
    ]
    lines = gaps_of(coverage(gaps=gaps))
    assert len(lines) == GAPS_MAX
    assert lines[0].startswith("a19: ")
    assert max(len(line) for line in lines) <= 200
