"""The brain's own measures of depth, coherence and actionability, 0-100 each; pure.

They are what a reader could count: different words, names and numbers, closeness of each item to the rest,
sentences that say what to do, notes that contradict each other in so many words. A rubric-bound
model call judges better; these stand in for it when it fails, and unlike it they never change for the same
items.

Near duplicates count as one note with what they have in common: saying a thing twice gains nothing.

Constants marked "fitted" were set on hand-written notes of 40-70 words
(tests/data/story_notes.json) so that they come out between 60 and 97 on each measure, notes cut to
eight words below 50; those of coherence on the labelled departments for fitting (docs/coverage.md).
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gather_brain.coverage.evidence.constants import DEFAULT_MODEL
from gather_brain.coverage.instruction_cues import LANGUAGES, anchor_pattern, pieces, strength_of
from gather_brain.vectors import Matrix, ramp, unit_rows
from gather_brain.words import STOP_WORDS, remembered, stem, words
from gather_clients.wording.content_words import content_words
from gather_clients.wording.text_language import WORDLESS, language_of_text, main_language

DETAIL_WORDS: Final = 15
"""Different content words at which an item has 63 % of full detail; fitted."""
SPECIFICS: Final = 2.0
"""Names and numbers at which it has 63 % of full precision; fitted."""
VOLUME_WORDS: Final = 220
"""Different content words over all items for 63 % of full volume; about ten good notes."""
DETAIL_SHARE: Final = 0.45
PRECISION_SHARE: Final = 0.25
"""The rest is volume: depth grows with the work done, and mostly with how each note is made."""

CLOSENESS: Final[Mapping[str, tuple[float, float]]] = {
    DEFAULT_MODEL: (0.12, 0.47),
    "bge-small-en-v1.5-w8a8": (0.52, 0.68),
    "multilingual-e5-small-w8a8": (0.22, 0.43),
}
"""How near an item that belongs not at all is to the others, and one that surely does, by embedding model.

Medians on the departments for fitting, in this order: office notes .09, .53 and .24, notes of another trade
on another film .26, .60 and .30, a department's own .40, .65 and .39. A model that is not named has the
default's.
"""

NEIGHBOURS: Final = 3
"""Nearest items that count beside all others: a film has more than one matter, each with notes of its own."""
NEAREST_SHARE: Final = np.float32(1 / 3)
"""With half, a note that contradicts another would gain too much by standing near to it."""
REPEATED_MAX: Final = 0.05
"""Share of three words in a row that notes on one film have in common, without that one says it again."""

OFF_TOPIC_LOSS: Final = 0.5
RELEVANT: Final = 0.3
"""Score at which a note surely belongs to the department; its own notes have .8 (median), strangers 0."""
COHERENT_NOTES: Final = 6
"""Further notes from which on the number of notes no longer counts: a few may be alike by chance."""

INSTRUCTION_CUES: Final = 4.0
"""What a sentence that surely says what to do counts for, in cues."""
ANCHOR_CUES: Final = 0.6
"""What a word that says when, where or how many counts for."""
CUES: Final = 1.6
"""Cues at which an item is 63 % actionable; set so that the notes named above keep their mean of 83."""

NUMBER: Final = re.compile(r"\d+")
NAME: Final = re.compile(r"(?<=[\w,;:'’–-] )[A-ZÀ-Þ][\w'’]+")  # noqa: RUF001


FEATURES_KEPT: Final = 1_500
"""Texts: the notes of fifteen departments; about 10 MiB when full of notes of 75 words."""
NAMELESS: Final = frozenset({"de", "hi", "zh", "ja"})
"""Languages in which capitals name nothing, or everything: what is precise there, the words must show."""
NAMELESS_SHARE: Final = 0.49
"""Of a note's detail, what stands in for its precision there: the quotient of both means on the English notes
for fitting."""
WORDS_OF: Final[Mapping[str, float]] = {
    "de": 1.22, "fr": 1.31, "es": 1.33, "hi": 1.51, "zh": 1.41, "ja": 1.08,
}  # fmt: skip
"""How many content words a note has in a language for each that it has in English: fewer small words are
known there, and signs are counted by twos. Of 20 notes of two departments, the same in each language
(tests/data/coverage/languages); `make language-report` prints it."""
ENGLISH: Final = "en"
UNCLEAR_CHARS_MAX: Final = 300
"""Of all items: the words of so few characters need not say in which language they are."""


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """What can be counted in a text."""

    vocabulary: frozenset[str]
    specifics: frozenset[str]
    anchors: frozenset[str]
    """Numbers, and words that say when, where or how many."""
    told: float = 0.0
    """How many of its sentences say what to do, each by how surely it does."""
    language: str | None = ENGLISH
    """None where it is not clear."""

    @property
    def has_names(self) -> bool:
        """Return whether names can be told from other words."""
        return self.language not in NAMELESS


@remembered(FEATURES_KEPT)
def features_of(text: str) -> TextFeatures:
    """Return what can be counted in the text, read in the language that it seems to be in."""
    language = language_of_text(text)
    read_as = language if language in LANGUAGES else ENGLISH
    numbers = frozenset(NUMBER.findall(text))
    names = frozenset[str]() if read_as in NAMELESS else frozenset(map(str.lower, NAME.findall(text)))
    return TextFeatures(
        vocabulary=_vocabulary(text, language),
        specifics=numbers | (names - STOP_WORDS),
        anchors=numbers | {found.lower() for found in anchor_pattern(read_as).findall(text)},
        told=_told(text, read_as if language else None),
        language=language,
    )


def _vocabulary(text: str, language: str | None) -> frozenset[str]:
    if language in {ENGLISH, None}:
        return frozenset(stem(word) for word in words(text) if len(word) > 1 and word not in STOP_WORDS)
    return frozenset(content_words(text, language))


def _told(text: str, language: str | None) -> float:
    """Return the sum over sentences of how surely each says what to do; one that repeats words adds nothing.

    Only a later sentence is left out for an earlier one, so that cutting words off the end raises nothing.
    """
    told, before = 0.0, list[frozenset[str]]()
    for piece in pieces(text):
        said = frozenset(piece.lower().split())
        if not any(said <= other for other in before):
            told += strength_of(piece, language)
            before.append(said)
    return told


def common_features(texts: Sequence[str]) -> TextFeatures:
    """Return what near duplicates have in common."""
    each = [features_of(text) for text in texts]
    if len(each) == 1:
        return each[0]
    return TextFeatures(
        vocabulary=frozenset.intersection(*(features.vocabulary for features in each)),
        specifics=frozenset.intersection(*(features.specifics for features in each)),
        anchors=frozenset.intersection(*(features.anchors for features in each)),
        told=min(features.told for features in each),
        language=each[0].language,
    )


def depth_of(notes: Sequence[TextFeatures]) -> float:
    """Return the level of detail: different words and specifics of the mean note, and words over all.

    Words count as many as English ones would, in the language that most notes are in: what shows no language,
    such as a note cut short, is read in that too.
    """
    if not notes:
        return 0.0
    spoken = Counter(note.language for note in notes if note.language).most_common(1)
    times = WORDS_OF.get(spoken[0][0] or ENGLISH, 1.0) if spoken else 1.0
    each = [_detail_of(note, times) for note in notes]
    together = len(frozenset().union(*(note.vocabulary for note in notes))) / times
    volume = (1 - DETAIL_SHARE - PRECISION_SHARE) * _saturated(together, VOLUME_WORDS)
    return 100 * (math.fsum(each) / len(each) + volume)


def _detail_of(note: TextFeatures, times: float) -> float:
    detail = _saturated(len(note.vocabulary) / times, DETAIL_WORDS)
    named = _saturated(len(note.specifics), SPECIFICS)
    precision = named if note.has_names else max(named, NAMELESS_SHARE * detail)
    return DETAIL_SHARE * detail + PRECISION_SHARE * precision


def coherence_of(
    vectors: Matrix,
    relevance: Matrix,
    count: int,
    contradicted: int,
    *,
    fresh: float = 1.0,
    model: str = DEFAULT_MODEL,
) -> float:
    """Return how far the notes speak of one department's film with one voice, each different from the others.

    The mean of how far each note belongs, times the share of items that repeat no other, times the share of
    notes that no other contradicts, times `fresh` squared, since both that say the same lose by it. A note
    belongs by its closeness to all others and to the nearest ones, and by half only where it treats no aspect
    of the department.

    Args:
        vectors: (notes, d), one row for each note; near duplicates are one.
        relevance: (notes,), how far each treats its best aspect, 0 to 1.
        count: the items that the notes come from.
        contradicted: how many notes others contradict.
        fresh: the share of what is said that is said once, 0 to 1 (`freshness_of`).
        model: that made the vectors, as its name stands on nodes.

    One note has nothing to hold together: 0.
    """
    notes = len(vectors)
    if notes < 2:  # noqa: PLR2004
        return 0.0
    closeness = ramp(_closeness(vectors), *CLOSENESS.get(model, CLOSENESS[DEFAULT_MODEL]))
    belonging = closeness * (1 - OFF_TOPIC_LOSS * (1 - ramp(relevance, 0.0, RELEVANT)))
    different = notes / count
    undisputed = 1 - contradicted / notes
    enough = min((notes - 1) / COHERENT_NOTES, 1.0)
    return 100 * float(belonging.mean()) * different * undisputed * enough * fresh**2


def _closeness(vectors: Matrix) -> Matrix:
    """Return for each note its cosine with the centre of the others, mixed with that with the nearest."""
    centres = unit_rows(vectors.sum(axis=0, keepdims=True) - vectors)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    neighbours = min(NEIGHBOURS, len(vectors) - 1)
    nearest = np.partition(cosines, -neighbours, axis=1)[:, -neighbours:]
    found: Matrix = (1 - NEAREST_SHARE) * (vectors * centres).sum(axis=1) + NEAREST_SHARE * nearest.mean(
        axis=1
    )
    return found


def freshness_of(texts: Sequence[str]) -> float:
    """Return the share of three words in a row that stand once in the texts; a few may be said again.

    Machines that lose the thread say the same again and again, in sentences that are no near duplicates.
    """
    said = [three for text in texts for three in _threes(text)]
    share = len(set(said)) / len(said) if said else 1.0
    return min(share + REPEATED_MAX, 1.0)


@remembered(FEATURES_KEPT)
def _threes(text: str) -> tuple[tuple[str, ...], ...]:
    found = words(text)
    return tuple(zip(found, found[1:], found[2:], strict=False))


def actionability_of(notes: Sequence[TextFeatures]) -> float:
    """Return how far a reader could work from the mean note: what to do, and when, where, how much."""
    if not notes:
        return 0.0
    cues = (INSTRUCTION_CUES * note.told + ANCHOR_CUES * len(note.anchors) for note in notes)
    return 100 * math.fsum(_saturated(count, CUES) for count in cues) / len(notes)


def unmeasured_in(texts: Sequence[str], readable: Sequence[bool] = ()) -> dict[str, str]:
    """Return which measures say nothing of these items, and why.

    Args:
        texts: the items.
        readable: of some of them, whether the embedding model can read them; empty where that is not known.
    """
    found = dict[str, str]()
    language = main_language(texts)
    named = f"the language {language!r}" if language else "a language that their words do not show"
    if language in WORDLESS:
        found["depth"] = f"the items seem to be in {named}, whose words are not told apart here"
    letters = "".join(texts)[:UNCLEAR_CHARS_MAX]
    is_short = len(letters) < UNCLEAR_CHARS_MAX and (letters.isascii() or language is None)
    if language not in LANGUAGES and not is_short:
        known = ", ".join(LANGUAGES)
        found["actionability"] = f"the items seem to be in {named}; instructions are known in {known}"
    if readable and 2 * sum(readable) < len(readable):
        found["coherence"] = "the embedding model cannot read most of the items"
    return found


def _saturated(count: float, scale: float) -> float:
    return 1 - math.exp(-count / scale)
