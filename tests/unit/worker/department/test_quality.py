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
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.evidence import Heard
from gather_worker.department.outcome import MESSAGE_MAX
from gather_worker.department.quality import (
    GAPS_MAX,
    RUBRIC_PARTS,
    VERDICT_RISE_MAX,
    WEIGHTS,
    Source,
    best_score,
    combine,
    gaps_of,
    unquoted_words,
    weighted,
)
from gather_worker.schemas import QualityVerdict

percent = st.floats(0, 100)


def coverage(
    score: float = 60, gaps: list[CoverageGap] | None = None, **metrics: float | None
) -> CoverageResponse:
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


VERDICT = QualityVerdict(depth=80, coherence=70, actionability=60)


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
    quality = combine(coverage(60), [VERDICT], None)
    assert quality is not None
    assert (quality.coverage, quality.depth, quality.coherence, quality.actionability) == (60, 80, 70, 60)
    assert (quality.coverage_source, quality.rubric_source) == (Source.BRAIN, Source.MODEL)
    assert quality.score == 68.0


def test_without_a_verdict_the_brains_measures_stand_in() -> None:
    """And it says so."""
    quality = combine(coverage(60), [], None)
    assert quality is not None
    assert (quality.depth, quality.coherence, quality.actionability) == (10, 30, 40)
    assert quality.rubric_source is Source.BRAIN


def test_while_the_brain_is_unavailable_the_earlier_coverage_counts() -> None:
    """The notes only became more, so that it is a lower bound."""
    quality = combine(None, [VERDICT], 55)
    assert quality is not None
    assert (quality.coverage, quality.coverage_source) == (55, Source.EARLIER)


@pytest.mark.parametrize(("verdicts", "earlier"), [([], None), ([VERDICT], None), ([], 50.0)])
def test_what_cannot_be_measured_is_not_made_up(
    verdicts: list[QualityVerdict], earlier: float | None
) -> None:
    """No coverage ever, or no rubric at all: no score."""
    assert combine(None, verdicts, earlier) is None


def verdict(depth: float, coherence: float = 50, actionability: float = 50) -> QualityVerdict:
    """Return one reading's verdict."""
    return QualityVerdict(depth=depth, coherence=coherence, actionability=actionability)


def test_the_median_of_the_verdicts_counts_part_by_part() -> None:
    """One reading that is far off moves nothing; how far apart they were is kept."""
    quality = combine(coverage(60), [verdict(80, 10), verdict(20, 70), verdict(75, 60)], None)
    assert quality is not None
    assert (quality.depth, quality.coherence) == (75, 60)
    assert (quality.verdicts, quality.spread) == (3, 60)


def test_a_missing_verdict_of_three_leaves_the_mean_of_the_others() -> None:
    """A failed reading is not a reason to ask again."""
    quality = combine(coverage(60), [verdict(80), verdict(60)], None)
    assert quality is not None
    assert (quality.depth, quality.verdicts, quality.spread) == (70, 2, 20)


@given(st.lists(st.tuples(percent, percent, percent), min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_verdicts_does_not_matter(
    given_parts: list[tuple[float, float, float]], chance: Any
) -> None:
    """And each part stays between the lowest and the highest verdict."""
    verdicts = [verdict(*parts) for parts in given_parts]
    first = combine(coverage(60), verdicts, None)
    chance.shuffle(verdicts)
    assert combine(coverage(60), verdicts, None) == first
    assert first is not None
    assert first.depth is not None
    assert min(v.depth for v in verdicts) <= first.depth <= max(v.depth for v in verdicts)


@given(st.lists(st.tuples(percent, percent, percent), min_size=1, max_size=5), st.floats(0.01, 1))
def test_copies_raise_no_part(given_parts: list[tuple[float, float, float]], share: float) -> None:
    """The model does not see them; their share is taken from coherence, and from nothing else."""
    verdicts = [verdict(*parts) for parts in given_parts]
    whole, copied = (combine(coverage(60), verdicts, None, distinct_share=part) for part in (1.0, share))
    assert whole is not None
    assert copied is not None
    assert whole.coherence is not None
    assert copied.coherence == pytest.approx(whole.coherence * share)
    assert (copied.coverage, copied.depth, copied.actionability) == (
        whole.coverage, whole.depth, whole.actionability,
    )  # fmt: skip
    assert copied.score <= whole.score


def test_copies_are_charged_once() -> None:
    """The brain's own measure of coherence has counted them already."""
    quality = combine(coverage(60), [], None, distinct_share=0.5)
    assert quality is not None
    assert quality.coherence == 30


@given(percent, percent)
def test_added_notes_beyond_the_window_never_lower_coverage(now: float, earlier: float) -> None:
    """The brain sees the newest notes only; what the older ones covered stays covered."""
    quality = combine(coverage(now), [VERDICT], earlier, is_partial=True)
    assert quality is not None
    assert quality.coverage == max(now, earlier)
    assert quality.coverage_source is (Source.EARLIER if earlier > now else Source.BRAIN)


@given(percent, percent)
def test_while_the_brain_sees_all_notes_its_word_counts(now: float, earlier: float) -> None:
    """Notes can be changed or taken out by people between two measurements."""
    quality = combine(coverage(now), [VERDICT], earlier)
    assert quality is not None
    assert (quality.coverage, quality.coverage_source) == (now, Source.BRAIN)


@given(st.sampled_from(["depth", "coherence", "actionability"]), percent, percent)
def test_each_part_moves_the_score_by_its_weight(part: str, low: float, high: float) -> None:
    """A degradation that lowers a part lowers the score by its share, up to rounding."""
    scores = []
    for value in sorted((low, high)):
        parts = {"depth": 50.0, "coherence": 50.0, "actionability": 50.0, part: value}
        quality = combine(coverage(60), [QualityVerdict(**parts)], None)
        assert quality is not None
        scores.append(quality.score)
    assert scores[1] - scores[0] == pytest.approx(WEIGHTS[part] * abs(high - low), abs=0.11)


def test_what_the_brain_cannot_measure_weighs_nothing() -> None:
    """And the rest more, in its own proportions: the score stays within its parts."""
    quality = combine(coverage(60, actionability=None), [], None)
    assert quality is not None
    assert quality.actionability is None
    assert "actionability" not in quality.sources
    assert quality.score == round((0.4 * 60 + 0.3 * 10 + 0.2 * 30) / 0.9, 1)
    judged = combine(coverage(60, actionability=None), [VERDICT], None)
    assert judged is not None
    assert (judged.actionability, judged.sources["actionability"]) == (60, Source.MODEL)


def test_without_any_part_of_the_rubric_there_is_no_score() -> None:
    """Coverage alone says nothing of how good the notes are."""
    assert combine(coverage(60, depth=None, coherence=None, actionability=None), [], None) is None


@given(st.lists(st.one_of(st.none(), percent), min_size=3, max_size=3), percent)
def test_a_score_stays_between_its_lowest_and_its_highest_part(
    parts: list[float | None], covered: float
) -> None:
    """Whatever is missing."""
    measured = [covered, *(part for part in parts if part is not None)]
    assert min(measured) - 0.05 <= weighted(covered, *parts) <= max(measured) + 0.05


def test_every_part_names_its_source() -> None:
    """For the log, the checkpoint and the user."""
    quality = combine(None, [VERDICT], 55)
    assert quality is not None
    assert quality.sources == {
        "coverage": "earlier", "depth": "model", "coherence": "model", "actionability": "model"
    }  # fmt: skip


def heard_with(quotes: dict[str, int], said: QualityVerdict = VERDICT) -> Heard:
    """Return a verdict with so many quotes found for its parts."""
    return Heard(said, {part: ("a quote",) * quotes.get(part, 0) for part in RUBRIC_PARTS})


def test_a_part_without_a_quote_is_the_brains() -> None:
    """Source, count and words for people name it; copies are charged to the model's coherence alone."""
    found = combine(coverage(60), [heard_with({"depth": 1})], None, distinct_share=0.5)
    assert found is not None
    assert (found.depth, found.coherence, found.actionability) == (80, 30, 40)
    assert found.stood_in_for == ["coherence", "actionability"]
    assert found.sources["coherence"] is Source.BRAIN
    (words,) = unquoted_words(found)
    assert words == (
        "coherence, actionability: the brain's measures, since no quote of the judge's stands in the notes"
    )
    assert len(words) < MESSAGE_MAX


def test_one_verdict_with_a_quote_is_enough_for_its_part() -> None:
    """The others are left out of its median."""
    found = combine(coverage(60), [heard_with({}), heard_with(dict.fromkeys(RUBRIC_PARTS, 1))], None)
    assert found is not None
    assert (found.depth, found.verdicts, found.unquoted["depth"]) == (80, 2, 1)
    assert found.stood_in_for == unquoted_words(found) == unquoted_words(None) == []


def test_what_the_brain_stood_in_for_may_be_anything_next_time() -> None:
    """The next verdict may have a quote."""
    last = combine(coverage(60), [heard_with({"coherence": 1, "actionability": 1})], None)
    assert best_score(60, last) == weighted(60, 100, 85, 75)


def test_a_checkpoint_of_before_quotes_is_read() -> None:
    """Its parts are the judge's."""
    kept = {"score": 70, "coverage": 70, "depth": 70, "coherence": 70, "actionability": 70,
            "coverage_source": "brain", "rubric_source": "model", "verdicts": 1, "spread": 0.0}  # fmt: skip
    read = Checkpoint.model_validate({"_id": "c", "quality": kept}).quality
    assert read is not None
    assert (read.sources["depth"], read.stood_in_for) == (Source.MODEL, [])


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


@given(percent, percent, st.tuples(percent, percent, percent), st.floats(0, 1))
def test_no_usual_verdict_comes_to_more_than_the_best(
    now: float, before: float, parts: tuple[float, float, float], share: float
) -> None:
    """One that rises by no more than is reckoned with; the first may be anything."""
    last = combine(coverage(before), [verdict(*parts)], None)
    risen = [min(100.0, part + share * VERDICT_RISE_MAX) for part in parts]
    found = combine(coverage(now), [verdict(*risen)], last.coverage if last else None, is_partial=True)
    assert last is not None
    assert found is not None
    assert found.score <= best_score(now, last) <= best_score(max(now, before), None)


def test_the_brains_measures_do_not_predict_the_models_next_verdict() -> None:
    """It may say anything then, as after none."""
    last = combine(coverage(60), [], None)
    assert best_score(60, last) == best_score(60, None) == 84
