"""Rows of pairs: contradictions and duplicates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gather_brain.words import sentences
from gather_worker.calibrate.report import opinions_of
from gather_worker.calibrate.split import split
from gather_worker.cli.arguments import HELD_OUT_DEFAULT
from gather_worker.duplicates.calibration import Decision, shipped_calibration
from tests.evals.human.brain_scores import BrainScores, length_of, shared_words
from tests.evals.human.rank_statistics import best_cut, f1, over_all, precision_recall
from tests.evals.human.sets.kept_back_sets import entailments
from tests.evals.human.sets.story_sets import faulty_summaries
from tests.evals.human.tables import COSINE, LENGTH, WORDS, Cases, Comparison, Judged
from tests.evals.pairs.pair_sets import read_sets

CONTRADICTION_GOAL, DUPLICATE_GOAL = 0.85, 0.82
FLAT: Final = 0.90
"""The worker's cosine where no calibration is shipped for a model."""


@dataclass(frozen=True, slots=True)
class _Called:
    """What is called a case of something, what people call one, and how far simple ways see each."""

    called: Sequence[float]
    labels: Sequence[float]
    groups: Sequence[int]
    simple: dict[str, Sequence[float]]

    def row(self, measure: str, of: str, unit: str, goal: float | None = None) -> Comparison:
        """Return the row; each simple way has the best cut on these very cases."""
        called, labels = (np.array(each, np.float64) for each in (self.called, self.labels))
        cut = {name: Judged(best_cut(scores, labels), labels) for name, scores in self.simple.items()}
        always = Judged(np.ones_like(labels), labels)
        precision, recall = precision_recall(called, labels)
        return Comparison(
            measure,
            of,
            (f"F1, P {precision:.2f} R {recall:.2f}", over_all(f1)),
            Cases(Judged(called, labels), {"always yes": always, **cut}, np.array(self.groups, np.intp)),
            sample=f"{len(labels):,} {unit}",
            goal=goal,
        )


def contradiction_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield StorySumm's row: the sentences of a summary that people call wrong by the story."""
    if kept_back:
        return
    called, labels, groups = list[float](), list[float](), list[int]()
    length, cosine, words = list[float](), list[float](), list[float]()
    for number, each in enumerate(faulty_summaries(data)):
        story = sentences(each.story)
        pairs = brain.contradicting([*story, *each.sentences])
        for place, text in enumerate(each.sentences, start=len(story)):
            called.append(float(any(place in pair and min(pair) < len(story) for pair in pairs)))
            length.append(length_of(text))
            cosine.append(-float(brain.cosines(text, story).max()))
            words.append(-max(float(shared_words(one, [text])[0]) for one in story))
        labels += each.is_wrong
        groups += [number] * len(each.sentences)
    simple: dict[str, Sequence[float]] = {LENGTH: length, COSINE: cosine, WORDS: words}
    found = _Called(called, labels, groups, simple)
    yield found.row("contradictions", "wrong sentences, StorySumm", "sentences")


def entailment_rows(data: Path, brain: BrainScores, *, kept_back: bool) -> Iterator[Comparison]:
    """Yield SICK's row."""
    if kept_back:
        pairs = entailments(data)
        found = _Called(
            [float(bool(brain.contradicting([one, other]))) for one, other, _ in pairs],
            [label for _, _, label in pairs],
            range(len(pairs)),
            _simple(brain, [(one, other) for one, other, _ in pairs]),
        )
        yield found.row("contradictions", "contradictions, SICK", "pairs", CONTRADICTION_GOAL)


def duplicate_rows(folder: Path, brain: BrainScores) -> Iterator[Comparison]:
    """Yield a row for each set of labelled pairs, of the pairs that no calibration was made on."""
    calibration = shipped_calibration(brain.model)
    for name, pairs in read_sets(folder).items():
        held_out = split(pairs, HELD_OUT_DEFAULT)[1]
        simple = _simple(brain, [(pair.a, pair.b) for pair in held_out])
        called = [cosine >= FLAT for cosine in simple[COSINE]]
        if calibration:
            opinions = opinions_of(held_out, simple[COSINE], Decision(calibration))
            called = [opinion.is_duplicate for opinion in opinions.cautious]
        labels = [float(pair.duplicate) for pair in held_out]
        found = _Called([float(each) for each in called], labels, range(len(held_out)), simple)
        way = "no model" if calibration else "no calibration, flat cosine"
        yield found.row("duplicates", f"{name}, held out, {way}", "pairs", DUPLICATE_GOAL)


def _simple(brain: BrainScores, pairs: Sequence[tuple[str, str]]) -> dict[str, Sequence[float]]:
    """Return how far simple ways see that two texts are alike."""
    one, other = (brain.vectors([pair[side] for pair in pairs]) for side in (0, 1))
    return {
        LENGTH: [-abs(length_of(a) - length_of(b)) for a, b in pairs],
        COSINE: [max(0.0, float(cosine)) for cosine in (one * other).sum(axis=1)],
        WORDS: [float(shared_words(a, [b])[0]) for a, b in pairs],
    }
