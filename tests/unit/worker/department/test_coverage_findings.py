"""What a measurement found is kept for people, within bounds."""

from gather_contracts.brain import (
    Contradiction,
    CoverageAnalysis,
    CoverageGap,
    CoverageResponse,
    CoverageTiming,
    QualityMetrics,
)
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.coverage_findings import (
    CONTRADICTIONS_MAX,
    GAPS_MAX,
    RECOMMENDATIONS_MAX,
    Findings,
    findings_of,
)

LARGEST_BYTES = 200_000
"""A checkpoint with the largest findings stays far below MongoDB's 16 MB."""


def gap(aspect: str = "Pacing", items: list[str] | None = None) -> CoverageGap:
    return CoverageGap(
        aspect=aspect, coverage=12.5, item_count=1, severity="high", suggestion="Add it.", items=items or []
    )


def coverage(
    gaps: list[CoverageGap],
    pairs: list[Contradiction] | None = None,
    recommendations: list[str] | None = None,
) -> CoverageResponse:
    return CoverageResponse(
        department="story",
        coverage_score=61.5,
        analysis=CoverageAnalysis(
            covered_aspects=[],
            gaps=gaps,
            contradictions=pairs or [],
            recommendations=recommendations or [],
        ),
        item_distribution={},
        quality_metrics=QualityMetrics(depth=0, breadth=0, coherence=0, actionability=0),
        timing=CoverageTiming(embedding_time_ms=0, analysis_time_ms=0, total_time_ms=0),
    )


def test_findings_name_the_notes_that_they_are_about() -> None:
    """In the brain's order, under names that other languages expect."""
    pair = Contradiction(items=["n1", "n2"], sentences=["It is shot at night.", "It is shot by day."])
    found = findings_of(coverage([gap(items=["n3"]), gap("Theme")], [pair], ["Focus on pacing"]))
    rest = {"coverage": 12.5, "severity": "high", "suggestion": "Add it."}
    assert found.model_dump(by_alias=True) == {
        "iteration": 0,
        "coverage": 61.5,
        "gaps": [
            {"aspect": "Pacing", **rest, "notes": ["n3"]},
            {"aspect": "Theme", **rest, "notes": []},
        ],
        "contradictions": [
            {"notes": ["n1", "n2"], "sentences": ["It is shot at night.", "It is shot by day."]}
        ],
        "recommendations": ["Focus on pacing"],
    }


def test_findings_are_bounded_and_hold_what_a_reader_sees() -> None:
    """However much a brain answers."""
    long = "ஊ\u202e\x00" * 9000
    many = findings_of(
        coverage(
            [gap(long, [long] * 99).model_copy(update={"suggestion": long, "severity": long})] * 99,
            [Contradiction(items=[long] * 9, sentences=[long] * 9)] * 99,
            [long] * 99,
        )
    )
    counts = (len(many.gaps), len(many.contradictions), len(many.recommendations))
    assert counts == (
        GAPS_MAX,
        CONTRADICTIONS_MAX,
        RECOMMENDATIONS_MAX,
    )
    text = many.model_dump_json(by_alias=True)
    assert len(text.encode()) < LARGEST_BYTES
    assert "\u202e" not in text
    assert "\\u0000" not in text


def test_the_last_findings_stay_until_coverage_is_measured_again() -> None:
    """They say after which iteration they were made."""
    found = findings_of(coverage([gap()]))
    first = Checkpoint(id="c").accepted([]).scored(None, [], [], found)
    assert first.findings == found.model_copy(update={"iteration": 1})
    assert first.accepted([]).scored(None, None, []).findings == first.findings
    assert Checkpoint.model_validate(first.model_dump(by_alias=True)) == first


def test_a_checkpoint_of_an_older_version_has_no_findings() -> None:
    """It is loaded all the same."""
    document = Checkpoint(id="c", gaps=["g"]).model_dump(by_alias=True)
    del document["findings"]
    assert Checkpoint.model_validate(document).findings is None
    assert Findings(coverage=1).gaps == []
