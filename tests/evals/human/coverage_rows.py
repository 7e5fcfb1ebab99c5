"""Rows of what coverage rests on: whether a text treats an aspect, by people who looked for it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tests.evals.human.brain_scores import BrainScores, length_of, shared_words
from tests.evals.human.rank_statistics import Floats, agreement, auc, spearman, top_half_precision
from tests.evals.human.rated_rows import AUC, RHO, RHO_WITHIN, people_of
from tests.evals.human.sets.key_points_set import Stance, stances
from tests.evals.human.sets.realsumm_set import answers, summaries
from tests.evals.human.sets.story_sets import Film, films, rated_summaries
from tests.evals.human.tables import COSINE, LENGTH, WORDS, Cases, Comparison, Judged

OURS, PLACE = "ours", "place in the text"
UNIT_GOAL, SUMMARY_GOAL = 0.78, 0.40
MATCH_GOALS: Final = {"strict": 0.80, "relaxed": 0.90}
TURNING_POINTS: Final = (
    "an event that opens the story after the setting and the characters are introduced",
    "an event that changes the plans and sets the main goal of the story",
    "an event after which the main characters are committed to their goal and cannot go back",
    "an event in which everything falls apart, a major setback",
    "the climax, the final event that resolves the main story",
)
"""In our words. Source: Papalampidi, Keller, Lapata: Movie plot analysis via turning point identification."""
USUAL_PLACES: Final = (0.10, 0.25, 0.50, 0.75, 0.95)
"""Where screenwriters expect the five in a film. Source: Hauge, Storytelling made easy, as quoted there."""
Evidence = Callable[[str, Sequence[str]], Floats]
"""How far a text treats each of the units, (units,)."""


def ways_of(brain: BrainScores) -> dict[str, Evidence]:
    """Return our way and the simple ones."""
    return {OURS: brain.treated, COSINE: brain.cosines, WORDS: shared_words}


@dataclass(slots=True)
class Gathered:
    """Scores by way, labels, groups and lengths of cases, as they come."""

    scores: dict[str, list[float]] = field(default_factory=dict)
    labels: list[float] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)

    def add(self, scores: dict[str, float], label: float, group: int, length: float) -> None:
        """Add one case."""
        for way, score in scores.items():
            self.scores.setdefault(way, []).append(score)
        self.labels.append(label)
        self.groups.append(group)
        self.lengths.append(length)

    def cases(self) -> Cases:
        """Return them as arrays, length being one of the simple ways."""
        labels = np.array(self.labels, np.float64)
        lengths = np.array(self.lengths, np.float64)
        judged = {way: Judged(np.array(found, np.float64), labels) for way, found in self.scores.items()}
        ours = judged.pop(OURS)
        return Cases(
            ours, {LENGTH: Judged(lengths, labels), **judged}, np.array(self.groups, np.intp), lengths
        )


def unit_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield REALSumm's rows: content units one by one, and their share in a summary."""
    units, wholes = Gathered(), Gathered()
    for each in summaries(data, odd=kept_back):
        found = {way: score(each.text, each.units) for way, score in ways_of(brain).items()}
        length = length_of(each.text)
        for place, label in enumerate(each.present):
            units.add({way: scores[place] for way, scores in found.items()}, label, each.document, length)
        means = {way: float(scores.mean()) for way, scores in found.items()}
        wholes.add(means, float(np.mean(each.present)), each.document, length)
    part = f"REALSumm, {'odd' if kept_back else 'even'} documents"
    asked = list(answers(data, odd=kept_back))
    yield Comparison(
        "coverage evidence", f"content units, {part}", AUC, units.cases(), goal=UNIT_GOAL,
        sample=f"{len(units.labels):,} units", people=_unit_agreement(asked),
    )  # fmt: skip
    for metric, people in ((RHO, _share_agreement(asked)), (RHO_WITHIN, None)):
        yield Comparison(
            "coverage", f"share of units in a summary, {part}", metric, wholes.cases(), goal=SUMMARY_GOAL,
            sample=f"{len(wholes.labels):,} summaries", people=people,
        )  # fmt: skip


def _unit_agreement(asked: Sequence[list[list[int]]]) -> float | None:
    raters = [[said for given in asked for said in given[rater]] for rater in range(4)]
    return agreement(lambda one, others: auc(one, others > 0.5), raters) if asked else None


def _share_agreement(asked: Sequence[list[list[int]]]) -> float | None:
    raters = [[float(np.mean(given[rater])) for given in asked] for rater in range(4)]
    return agreement(spearman, raters) if asked else None


def review_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield SummEval-OP's row: how much of what reviews say a summary has, the reviews being the aspects."""
    rated = rated_summaries(data, "ac", odd=kept_back)
    gathered = Gathered()
    for each in rated:
        found = {way: float(score(each.text, each.about).mean()) for way, score in ways_of(brain).items()}
        gathered.add(found, float(np.mean(each.ratings)), int(each.group), length_of(each.text))
    cases = gathered.cases()
    part = f"SummEval-OP, {'odd' if kept_back else 'even'} products"
    yield Comparison(
        "coverage", f"aspect coverage, {part}", RHO_WITHIN, cases, sample=f"{len(rated):,} texts",
        people=people_of(RHO_WITHIN[1], rated, cases.groups),
    )  # fmt: skip


def turning_point_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield TRIPOD's row: whether sentences of a synopsis are turning points, those being the aspects."""
    gathered = Gathered()
    found = films(data, test=kept_back)
    for number, film in enumerate(found):
        marked = {place for points in film.turning_points for place in points}
        for place, text in enumerate(film.sentences):
            scores = {way: float(score(text, TURNING_POINTS).max()) for way, score in ways_of(brain).items()}
            share = place / max(len(film.sentences) - 1, 1)
            scores[PLACE] = -min(abs(share - usual) for usual in USUAL_PLACES)
            gathered.add(scores, float(place in marked), number, length_of(text))
    yield Comparison(
        "coverage evidence", f"turning points, TRIPOD {'test' if kept_back else 'train'}", AUC,
        gathered.cases(), sample=f"{len(gathered.labels):,} sentences", people=_marks_agreement(found),
    )  # fmt: skip


def _marks_agreement(found: Sequence[Film]) -> float | None:
    one, others = list[float](), list[float]()
    for film in found:
        for person, own in enumerate(film.turning_points):
            rest = {
                place
                for other, points in enumerate(film.turning_points)
                if other != person
                for place in points
            }
            if rest:
                one += [float(place in own) for place in range(len(film.sentences))]
                others += [float(place in rest) for place in range(len(film.sentences))]
    return auc(one, others) if one else None


def key_point_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield KPA-2021's rows: the best key point of each argument, strict and relaxed."""
    for part in ("test",) if kept_back else ("train", "dev"):
        sides = stances(data, part)
        chosen = {way: _chosen(sides, score) for way, score in ways_of(brain).items()}
        groups = np.repeat(np.arange(len(sides)), [len(side.arguments) for side in sides])
        for undecided, (name, goal) in enumerate(MATCH_GOALS.items()):
            judged = {
                way: Judged(scores, np.where(np.isnan(labels), float(undecided), labels))
                for way, (scores, labels) in chosen.items()
            }
            ours = judged.pop(OURS)
            yield Comparison(
                "note–aspect matching", f"key points, KPA-2021 {part}", (f"mAP {name}", top_half_precision),  # noqa: RUF001
                Cases(ours, judged, groups), sample=f"{len(groups):,} arguments", goal=goal,
            )  # fmt: skip


def _chosen(sides: Sequence[Stance], score: Evidence) -> tuple[Floats, Floats]:
    """Return the score of each argument's best key point, and its label: 1, 0, or nan where undecided."""
    scores, labels = list[float](), list[float]()
    for side in sides:
        texts = [text for _, text in side.key_points]
        for identity, argument in side.arguments:
            found = score(argument, texts)
            best = int(found.argmax())
            scores.append(float(found[best]))
            labels.append(side.matches.get((identity, side.key_points[best][0]), np.nan))
    return np.array(scores, np.float64), np.array(labels, np.float64)
