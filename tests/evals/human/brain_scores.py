"""The brain's own scores of single texts, as its answers have them, and what a simple way would say.

The brain's arithmetic runs in this process over the real embedding model; nothing is stored and asked.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gather_brain.coverage.analysis import Measurement, measure, plan_measurement
from gather_brain.coverage.aspects import Aspect
from gather_brain.words import content_words, sentences, stem
from tests.evals.coverage import Vectors
from tests.evals.human.rank_statistics import Floats

DEPARTMENT = "story"
"""Whose built-in aspects texts are measured against where a set names none: the nearest to all prose."""


class BrainScores:
    """What the brain says with one embedding model."""

    def __init__(self, vectors: Vectors, model: str) -> None:
        self.vectors = vectors
        self.model = model

    def measured(self, texts: Sequence[str], units: Sequence[str] = ()) -> Measurement:
        """Measure notes, against these aspects if there are any; note i has the id "i"."""
        plan = plan_measurement(DEPARTMENT, "", [(str(place), text) for place, text in enumerate(texts)])
        if units:
            plan = replace(plan, aspects=tuple(Aspect(unit, "", written=unit) for unit in units))
        return measure(plan, self.vectors(plan.texts), self.model)

    def depth(self, text: str) -> float:
        """Return the depth of one note, 0-100."""
        return self.measured([text]).depth or 0.0

    def actionability(self, text: str) -> float:
        """Return how actionable one note is, 0-100."""
        return self.measured([text]).actionability or 0.0

    def coherence(self, text: str) -> float:
        """Return the coherence of a text whose sentences are the notes, 0-100."""
        return self.measured(sentences(text)).coherence or 0.0

    def treated(self, text: str, units: Sequence[str]) -> Floats:
        """Return how far a note covers each unit as an aspect, 0-100, (units,)."""
        aspects = self.measured([text], units).coverage.aspects
        return np.array([aspect.coverage for aspect in aspects], np.float64)

    def contradicting(self, texts: Sequence[str]) -> set[frozenset[int]]:
        """Return the pairs of notes, by their places, that contradict each other."""
        found = self.measured(texts).contradictions
        return {frozenset(int(identity) for identity in pair.item_ids) for pair in found}

    def cosines(self, text: str, others: Sequence[str]) -> Floats:
        """Return the plain cosine of a text with each of the others, (others,)."""
        found: Floats = (self.vectors(others) @ self.vectors([text])[0]).astype(np.float64)
        return found


def length_of(text: str) -> float:
    """Return how many words a text has."""
    return float(len(text.split()))


def shared_words(text: str, units: Sequence[str]) -> Floats:
    """Return the share of each unit's content words that the text has, (units,)."""
    has = _stems(text)
    return np.array([len(_stems(unit) & has) / max(len(_stems(unit)), 1) for unit in units], np.float64)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in content_words(text))
