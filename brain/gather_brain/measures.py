"""The brain's own measures of depth, coherence and actionability, 0-100 each; pure.

They are what a reader could count: different words, names and numbers, closeness of the items to each other,
words that tell somebody to do something. A rubric-bound model call judges better; these stand in for it when
it fails, and unlike it they never change for the same items. They cannot see contradictions.

Constants marked "fitted" were set so that hand-written notes of 40-70 words
(tests/contract/brain/story_notes.json) come out between 60 and 97 on each measure, notes cut to eight words
below 50.
"""

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from gather_brain.coverage import NEAR_DUPLICATE, Item
from gather_brain.text import STOP_WORDS, content_words, stem, words
from gather_brain.vectors import Matrix

DETAIL_WORDS: Final = 15
"""Different content words at which an item has 63 % of full detail; fitted."""
SPECIFICS: Final = 2.0
"""Names and numbers at which it has 63 % of full precision; fitted."""
VOLUME_WORDS: Final = 220
"""Different content words over all items for 63 % of full volume; about ten good notes."""
DETAIL_SHARE: Final = 0.45
PRECISION_SHARE: Final = 0.25
"""The rest is volume: depth grows with the work done, and mostly with how each note is made."""

COHERENCE_LOW: Final = 0.05
COHERENCE_HIGH: Final = 0.30
"""Mean cosine between items: texts with nothing in common, and notes on one film (median .27); fitted."""

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


def depth_of(items: Sequence[Item]) -> float:
    """Return the level of detail: different words and specifics of the mean item, and words over all."""
    if not items:
        return 0.0
    each = [
        DETAIL_SHARE * _saturated(len(_vocabulary(item.content)), DETAIL_WORDS)
        + PRECISION_SHARE * _saturated(_specifics(item.content), SPECIFICS)
        for item in items
    ]
    together = len(set().union(*(_vocabulary(item.content) for item in items)))
    volume = (1 - DETAIL_SHARE - PRECISION_SHARE) * _saturated(together, VOLUME_WORDS)
    return 100 * (math.fsum(each) / len(each) + volume)


def coherence_of(vectors: Matrix, repeated: int) -> float:
    """Return how far the items speak of one film: mean cosine between them, less their redundancy.

    Fewer than two items have nothing to hold together and score 0. `repeated` is how many items were left
    out because their text was there already; near duplicates among `vectors` are counted here.
    """
    count = len(vectors)
    if count < 2:  # noqa: PLR2004
        return 0.0
    cosines = vectors @ vectors.T
    pairs = count * (count - 1)
    between = (cosines < NEAR_DUPLICATE) & ~np.eye(count, dtype=bool)
    mean = float(cosines[between].sum()) / pairs
    closeness = min(max((mean - COHERENCE_LOW) / (COHERENCE_HIGH - COHERENCE_LOW), 0.0), 1.0)
    different = int(between.sum()) / pairs * count / (count + repeated)
    return 100 * closeness * different * (count - 1) / count


def actionability_of(items: Sequence[Item]) -> float:
    """Return how far somebody could work from the mean item: verbs of doing, and when, where, how much."""
    if not items:
        return 0.0
    return 100 * math.fsum(_saturated(_cues(item.content), CUES) for item in items) / len(items)


def _saturated(count: float, scale: float) -> float:
    return 1 - math.exp(-count / scale)


def _vocabulary(text: str) -> set[str]:
    return {stem(word) for word in content_words(text)}


def _specifics(text: str) -> int:
    return len(set(NUMBER.findall(text))) + len({name.lower() for name in NAME.findall(text)} - STOP_WORDS)


def _cues(text: str) -> float:
    """Count different cues, so that saying "use" five times is not five instructions."""
    verbs = {stem(word) for word in words(text)} & ACTION_WORDS
    anchors = {match.lower() for match in ANCHOR.findall(text)} | set(NUMBER.findall(text))
    return len(verbs) + len(anchors) / 2
