"""Rows of texts that people rated: depth, actionability and coherence."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from gather_brain.words import sentences
from tests.evals.human.brain_scores import BrainScores, length_of, shared_words
from tests.evals.human.rank_statistics import (
    Floats,
    Metric,
    Places,
    agreement,
    auc,
    over_all,
    spearman,
    within_groups,
)
from tests.evals.human.sets.kept_back_sets import DOMAINS, rated_sentences, rated_stories, suggestions
from tests.evals.human.sets.story_sets import Rated, judged_stories, rated_summaries
from tests.evals.human.tables import LENGTH, Cases, Comparison, Judged

RHO: Final = ("ρ", over_all(spearman))  # noqa: RUF001 - the usual sign
RHO_WITHIN: Final = ("ρ within", within_groups(spearman))  # noqa: RUF001
"""Of texts about the same, on the mean over what they are about."""
AUC: Final = ("AUC", over_all(auc))
DEPTH_GOAL, ACTIONABILITY_GOAL, COHERENCE_GOAL = 0.70, 0.85, 0.35
"""On the sets that they were set for; that of depth is for the figure with length taken out."""
COHERENT: Final = frozenset({2})
"""TTCW's test "do the different elements of the story work together to form a unified whole"."""
ELABORATE: Final = frozenset({12, 13, 14})
"""TTCW's tests of subtext, of a world that can be sensed, and of characters."""
ASKING: Final = re.compile(
    r"\b(?:should|could|would|please|need|needs|wish|hope|want|add|allow|let|make|suggest|recommend)\b",
    re.IGNORECASE,
)
Score = Callable[[str], float]


def summary_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield SummEval-OP's rows of depth and coherence."""
    part = f"SummEval-OP, {'odd' if kept_back else 'even'} products"
    deep = rated_summaries(data, "sp", odd=kept_back)
    yield rated_row("depth", f"specificity, {part}", RHO_WITHIN, deep, (brain.depth, {}))
    held = rated_summaries(data, "co", odd=kept_back)
    ways = (brain.coherence, neighbours(brain))
    yield rated_row("coherence", f"coherence, {part}", RHO_WITHIN, held, ways)


def story_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield TTCW's rows."""
    if not kept_back:
        stories = judged_stories(data, COHERENT)
        ways = (brain.coherence, neighbours(brain))
        yield rated_row("coherence", "one whole, experts on TTCW's stories", RHO, stories, ways)
        elaborate = judged_stories(data, ELABORATE)
        ways = (brain.depth, {})
        yield rated_row("depth", "elaboration, experts on TTCW's stories", RHO, elaborate, ways)


def specificity_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield a row of depth for each domain of the specificity sets."""
    for domain, name in DOMAINS.items() if kept_back else ():
        rated = [
            Rated(str(place), text, (rating,))
            for place, (text, rating) in enumerate(rated_sentences(data, domain))
        ]
        yield rated_row("depth", f"specificity, {name}", RHO, rated, (brain.depth, {}), goal=DEPTH_GOAL)


def suggestion_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield the row of actionability."""
    if kept_back:
        rated = [
            Rated(str(place), text, (float(label),)) for place, (text, label) in enumerate(suggestions(data))
        ]
        asking = {"words of asking": lambda text: float(len(set(ASKING.findall(text.lower()))))}
        ways = (brain.actionability, asking)
        yield rated_row(
            "actionability", "suggestions, SemEval-2019 task 9", AUC, rated, ways, goal=ACTIONABILITY_GOAL
        )


def rated_story_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield HANNA's row of coherence."""
    if kept_back:
        ways = (brain.coherence, neighbours(brain))
        labels = "coherence, stories on WritingPrompts"
        yield rated_row("coherence", labels, RHO, rated_stories(data), ways, goal=COHERENCE_GOAL)


def rated_row(
    measure: str,
    labels: str,
    metric: tuple[str, Metric],
    rated: Sequence[Rated],
    ways: tuple[Score, Mapping[str, Score]],
    *,
    goal: float | None = None,
) -> Comparison:
    """Return the row of one score of rated texts; `ways` are ours and the simple ones beside length."""
    given = np.array([np.mean(each.ratings) for each in rated], np.float64)
    groups = _places([each.group for each in rated])
    ours, simple = ways

    def judged(score: Score) -> Judged:
        return Judged(np.array([score(each.text) for each in rated], np.float64), given)

    cases = Cases(
        judged(ours),
        {LENGTH: judged(length_of), **{name: judged(way) for name, way in simple.items()}},
        groups,
        judged(length_of).scores,
    )
    people = people_of(metric[1], rated, groups)
    return Comparison(
        measure, labels, metric, cases, sample=f"{len(rated):,} texts", people=people, goal=goal
    )


def people_of(metric: Metric, rated: Sequence[Rated], groups: Places) -> float | None:
    """Return how well one person agrees with the others; None where there are single ratings."""
    count = min(len(each.ratings) for each in rated)
    if count < 2:
        return None
    raters = [[each.ratings[person] for each in rated] for person in range(count)]
    return agreement(lambda one, others: metric(one, others, groups), raters)


def neighbours(brain: BrainScores) -> dict[str, Score]:
    """Return the simple ways to see coherence: how near each sentence is to the next."""

    def near(text: str) -> float:
        rows = brain.vectors(sentences(text))
        return float((rows[1:] * rows[:-1]).sum(axis=1).mean()) if len(rows) > 1 else 0.0

    def shared(text: str) -> float:
        found: list[Floats] = [shared_words(one, [other]) for one, other in pairwise(sentences(text))]
        return float(np.mean(found)) if found else 0.0

    return {"cosine of neighbours": near, "words of neighbours": shared}


def _places(names: Sequence[str]) -> Places:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.intp)
