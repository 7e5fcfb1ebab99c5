"""The brain's own measures of depth, coherence and actionability, 0-100 each; pure.

They are what a reader could count: different words, names and numbers, closeness of each item to the rest,
words that ask for an action, notes that contradict each other in so many words. A rubric-bound
model call judges better; these stand in for it when it fails, and unlike it they never change for the same
items.

Near duplicates count as one note with what they have in common: saying a thing twice gains nothing.

Constants marked "fitted" were set on hand-written notes of 40-70 words
(tests/data/story_notes.json) so that they come out between 60 and 97 on each measure, notes cut to
eight words below 50; those of coherence on the labelled departments for fitting (docs/coverage.md).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gather_brain.vectors import Matrix, ramp, unit_rows
from gather_brain.words import STOP_WORDS, remembered, stem, words

DETAIL_WORDS: Final = 15
"""Different content words at which an item has 63 % of full detail; fitted."""
SPECIFICS: Final = 2.0
"""Names and numbers at which it has 63 % of full precision; fitted."""
VOLUME_WORDS: Final = 220
"""Different content words over all items for 63 % of full volume; about ten good notes."""
DETAIL_SHARE: Final = 0.45
PRECISION_SHARE: Final = 0.25
"""The rest is volume: depth grows with the work done, and mostly with how each note is made."""

COHERENCE_LOW: Final = 0.10
COHERENCE_HIGH: Final = 0.45
"""Cosine of an item with the centre of all others: office notes have .1 (median), notes of another trade on
another film .36, a department's own .5; fitted."""

OFF_TOPIC_LOSS: Final = 0.5
RELEVANT: Final = 0.3
"""Score at which a note surely belongs to the department; its own notes have .8 (median), strangers 0."""
COHERENT_NOTES: Final = 4
"""Further notes from which on the number of notes no longer counts: two may be alike by chance."""

CUES: Final = 3.0
"""Cues at which an item is 63 % actionable; fitted."""

ACTION_WORDS: Final = frozenset(
    stem(word)
    for word in re.findall(
        r"\S+",
        """
        add ask avoid begin bring build burn carry change check choose colour compare cover cut
        decide define deliver describe drop end expose find follow frame give hang hold join
        keep leave let light limit list make mark match mention mix move must need never note
        open only pair place plan plant play point prepare pull push record remove repeat
        replace rest reveal run schedule score set shoot should show shift speak start stay
        stop swap take tell test track turn use wait watch work write
        """,
    )
)
ANCHOR: Final = re.compile(
    r"\b(?:acts?|scenes?|shots?|pages?|minutes?|seconds?|hours?|days?|nights?|weeks?|reels?|takes?|frames?|"
    r"metres?|millimetres?|mm|stops?|percent|per cent|first|second|third|last|midpoint|opening|ending|climax|"
    r"before|after|whenever|until|instead|each|every)\b",
    re.IGNORECASE,
)
NUMBER: Final = re.compile(r"\d+")
NAME: Final = re.compile(r"(?<=[\w,;:'’–-] )[A-ZÀ-Þ][\w'’]+")  # noqa: RUF001


FEATURES_KEPT: Final = 1_500
"""Texts: the notes of fifteen departments; about 10 MiB when full of notes of 75 words."""


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """What can be counted in a text."""

    vocabulary: frozenset[str]
    specifics: frozenset[str]
    verbs: frozenset[str]
    anchors: frozenset[str]


@remembered(FEATURES_KEPT)
def features_of(text: str) -> TextFeatures:
    """Return what can be counted in the text."""
    numbers = frozenset(NUMBER.findall(text))
    found = words(text)
    return TextFeatures(
        vocabulary=frozenset(stem(word) for word in found if len(word) > 1 and word not in STOP_WORDS),
        specifics=numbers | (frozenset(name.lower() for name in NAME.findall(text)) - STOP_WORDS),
        # Different cues, so that saying "use" five times is not five instructions.
        verbs=frozenset(stem(word) for word in found) & ACTION_WORDS,
        anchors=numbers | {match.lower() for match in ANCHOR.findall(text)},
    )


def common_features(texts: Sequence[str]) -> TextFeatures:
    """Return what near duplicates have in common."""
    each = [features_of(text) for text in texts]
    if len(each) == 1:
        return each[0]
    return TextFeatures(
        vocabulary=frozenset.intersection(*(features.vocabulary for features in each)),
        specifics=frozenset.intersection(*(features.specifics for features in each)),
        verbs=frozenset.intersection(*(features.verbs for features in each)),
        anchors=frozenset.intersection(*(features.anchors for features in each)),
    )


def depth_of(notes: Sequence[TextFeatures]) -> float:
    """Return the level of detail: different words and specifics of the mean note, and words over all."""
    if not notes:
        return 0.0
    each = [
        DETAIL_SHARE * _saturated(len(note.vocabulary), DETAIL_WORDS)
        + PRECISION_SHARE * _saturated(len(note.specifics), SPECIFICS)
        for note in notes
    ]
    together = len(frozenset().union(*(note.vocabulary for note in notes)))
    volume = (1 - DETAIL_SHARE - PRECISION_SHARE) * _saturated(together, VOLUME_WORDS)
    return 100 * (math.fsum(each) / len(each) + volume)


def coherence_of(vectors: Matrix, relevance: Matrix, count: int, contradicted: int) -> float:
    """Return how far the notes speak of one department's film with one voice, each different from the others.

    The mean of how far each note belongs, times the share of items that repeat no other, times the share of
    notes that no other contradicts. A note belongs by its closeness to the centre of all others, and by half
    only where it treats no aspect of the department.

    `vectors` (notes, d) has one row for each note (near duplicates are one), `relevance` (notes,) how far it
    treats its best aspect, 0 to 1; `count` is the number of items that the notes come from. One note has
    nothing to hold together: 0.
    """
    notes = len(vectors)
    if notes < 2:  # noqa: PLR2004
        return 0.0
    others = unit_rows(vectors.sum(axis=0, keepdims=True) - vectors)
    closeness = ramp((vectors * others).sum(axis=1), COHERENCE_LOW, COHERENCE_HIGH)
    belonging = closeness * (1 - OFF_TOPIC_LOSS * (1 - ramp(relevance, 0.0, RELEVANT)))
    different = notes / count
    undisputed = 1 - contradicted / notes
    enough = min((notes - 1) / COHERENT_NOTES, 1.0)
    return 100 * float(belonging.mean()) * different * undisputed * enough


def actionability_of(notes: Sequence[TextFeatures]) -> float:
    """Return how far a reader could work from the mean note: action verbs, and when, where, how much."""
    if not notes:
        return 0.0
    cues = (len(note.verbs) + len(note.anchors) / 2 for note in notes)
    return 100 * math.fsum(_saturated(count, CUES) for count in cues) / len(notes)


def _saturated(count: float, scale: float) -> float:
    return 1 - math.exp(-count / scale)
