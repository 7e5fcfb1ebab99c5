"""Advice names the widest gap first, and says what to write."""

from gather_brain.coverage.analysis import Contradiction
from gather_brain.coverage.aspects import OKAY, Aspect
from gather_brain.coverage.coverage_score import AspectCoverage, Coverage
from gather_brain.coverage.recommendations import (
    CONTRADICTIONS_MAX,
    SENTENCE_MAX,
    analysis_of,
    distribution_of,
)

ASPECTS = [Aspect("Pacing", "tempo of the acts"), Aspect("Weather", ""), Aspect("Plot", "order of events")]


def _coverage(pacing: float, weather: float, plot: float) -> Coverage:
    found = (
        AspectCoverage("Pacing", pacing, ("a",) if pacing else (), 1),
        AspectCoverage("Weather", weather, (), 0),
        AspectCoverage("Plot", plot, ("b", "c"), 2),
    )
    return Coverage((pacing + weather + plot) / 3, 50, found)


def test_gaps_come_widest_first_with_severity_and_suggestion() -> None:
    """The worker puts them into its next prompt."""
    analysis = analysis_of(_coverage(30, 0, 90), ASPECTS, "story")
    assert [(gap.aspect, gap.severity) for gap in analysis.gaps] == [
        ("Weather", "high"),
        ("Pacing", "medium"),
    ]
    assert analysis.gaps[0].suggestion.startswith("Add notes on weather")
    assert "tempo of the acts" in analysis.gaps[1].suggestion
    assert analysis.recommendations[0] == "Focus next iteration on weather - this is the biggest gap"


def test_gaps_and_contradictions_name_their_items() -> None:
    """The clearest and the surest first; long sentences are cut, and there are not too many."""
    pairs = [Contradiction(("b", "c"), ("It is day.", "w" * 999))] * (CONTRADICTIONS_MAX + 1)
    analysis = analysis_of(_coverage(30, 0, 90), ASPECTS, "story", pairs)
    assert [gap.items for gap in analysis.gaps] == [[], ["a"]]
    assert len(analysis.contradictions) == CONTRADICTIONS_MAX
    first = analysis.contradictions[0]
    assert (first.items, first.sentences[0]) == (["b", "c"], "It is day.")
    assert len(first.sentences[1]) == SENTENCE_MAX


def test_what_a_built_in_list_adds_is_less_severe_than_what_the_description_names() -> None:
    """Vital and okay, as in the score."""
    aspects = [Aspect("Pacing", ""), Aspect("Weather", "", weight=OKAY), Aspect("Plot", "", weight=OKAY)]
    analysis = analysis_of(_coverage(30, 0, 45), aspects, "story")
    assert [(gap.aspect, gap.severity) for gap in analysis.gaps] == [
        ("Pacing", "medium"),
        ("Weather", "medium"),
        ("Plot", "low"),
    ]


def test_a_suggestion_says_what_is_usual_where_no_gloss_is_known() -> None:
    """The trade's vocabulary helps a writer too."""
    aspects = [Aspect("Pacing", "", ("slow and fast",)), Aspect("Weather", ""), Aspect("Plot", "")]
    first = analysis_of(_coverage(0, 90, 90), aspects, "story").gaps[0]
    assert "slow and fast" in first.suggestion


def test_covered_aspects_come_best_first_with_a_word_for_their_quality() -> None:
    """As the requirements show it."""
    analysis = analysis_of(_coverage(74, 62, 90), ASPECTS, "story")
    assert [(found.aspect, found.quality) for found in analysis.covered_aspects] == [
        ("Plot", "excellent"),
        ("Pacing", "good"),
        ("Weather", "fair"),
    ]
    assert not analysis.gaps
    assert "weather" in analysis.recommendations[0]


def test_nothing_is_recommended_where_nothing_is_missing() -> None:
    """Advice without a reason would be noise."""
    assert analysis_of(_coverage(90, 80, 76), ASPECTS, "story").recommendations == []


def test_the_distribution_counts_each_aspects_own_items() -> None:
    """Aspects without items are named too."""
    assert distribution_of(_coverage(30, 0, 90)) == {"pacing": 1, "weather": 0, "plot": 2}
