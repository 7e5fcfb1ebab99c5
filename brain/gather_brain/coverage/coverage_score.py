"""How far a department's items cover its aspects; pure functions on arrays, no model and no network.

Three laws hold by construction, and property tests hold them:

- Order does not matter: nothing depends on an item's place.
- An added item never lowers coverage: an item's scores depend on that item alone, and they are summed
  over the heaviest set of items of which no two are duplicates; more items can only add to it.
- A duplicate never raises it: the same text counts once. Of the same thing in nearly the same words the
  clearer wording counts; to count the less clear one would let an added item lower coverage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np

from gather_brain.coverage.evidence.passages import PASSAGES_MAX, SENTENCES_TOGETHER_MAX, passages
from gather_brain.coverage.near_duplicates import heaviest_without_duplicates
from gather_brain.vectors import Matrix
from gather_brain.words import remembered
from gather_contracts.text import text_hash

SATURATION: Final = 1.45
"""Sum of scores at which an aspect is 63 % covered: one clear note gives 50, two give 75 and three 87."""
ITEM_SCORE_MIN: Final = 0.15
"""From here on an item is named as treating an aspect."""
SENTENCES_MAX: Final = PASSAGES_MAX * SENTENCES_TOGETHER_MAX
"""Of one item that are measured."""
READINGS_KEPT: Final = 1_500
"""Texts: the notes of fifteen departments; about 3 MiB when full of notes of 75 words."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text to analyse, with its passages: sentences, entries of lists, rows of tables."""

    id: str
    content: str
    sentences: tuple[str, ...]
    sentences_left_out: int = 0
    """How many more it has."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What of a text does not depend on the others."""

    capitals: int
    text_hash: str
    sentences: tuple[str, ...]
    sentences_left_out: int


@dataclass(frozen=True, slots=True)
class AspectCoverage:
    """How well one aspect is covered, 0-100, and by which items, the strongest first."""

    aspect: str
    coverage: float
    item_ids: tuple[str, ...]
    primary_items: int
    """How many items treat this aspect more than any other."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """`score` and `breadth` are 0-100; `aspects` are in the department's order."""

    score: float
    breadth: float
    aspects: tuple[AspectCoverage, ...]


def distinct_items(texts: Sequence[tuple[str, str]]) -> list[Item]:
    """Return the items of (id, content) pairs without those whose text is there already, in a fixed order.

    Two texts are the same when `text_hash` is.
    """
    first: dict[str, tuple[str, str, _Reading]] = {}
    read = [(_reading(content), content, identity) for identity, content in texts]
    # Of several spellings the one with fewest capitals stands, since capitals can pass for names.
    for reading, content, identity in sorted(read, key=lambda each: (each[0].capitals, *each[1:])):
        first.setdefault(reading.text_hash, (identity, content, reading))
    return [
        Item(identity, content, reading.sentences, reading.sentences_left_out)
        for _, (identity, content, reading) in sorted(first.items(), key=itemgetter(0))
    ]


@remembered(READINGS_KEPT)
def _reading(text: str) -> _Reading:
    found, left_out = passages(text)
    return _Reading(sum(map(str.isupper, text)), text_hash(text), found, left_out)


def coverage_of(
    items: Sequence[Item],
    weighted_aspects: Sequence[tuple[str, float]],
    scores: Matrix,
    alike: Sequence[int],
    clusters: Sequence[int],
) -> Coverage:
    """Return the coverage of each aspect by the items.

    `items` are distinct (see `distinct_items`) and at least one; `weighted_aspects` are names with their
    weights in the score; `scores` is (items, aspects). `alike` and `clusters` are those of `near_duplicates`.
    """
    sums = [heaviest_without_duplicates(column, alike, clusters) for column in scores.T.tolist()]
    coverages = 100 * (1 - np.exp(-np.array(sums) / SATURATION))
    weights = np.array([weight for _, weight in weighted_aspects])
    best = scores.argmax(axis=1)
    aspects = []
    for column, (name, _) in enumerate(weighted_aspects):
        is_treated = scores[:, column] >= ITEM_SCORE_MIN
        places = np.flatnonzero(is_treated).tolist()
        ranked = sorted((-float(scores[place, column]), items[place].id) for place in places)
        primary = int(((best == column) & is_treated).sum())
        ids = tuple(identity for _, identity in ranked)
        aspects.append(AspectCoverage(name, float(coverages[column]), ids, primary))
    return Coverage(
        score=float(coverages @ weights / weights.sum()),
        # A half-covered aspect counts as there: breadth asks whether something is said on it, not how much.
        breadth=float(np.minimum(coverages / 50, 1).mean() * 100),
        aspects=tuple(aspects),
    )


def nothing_covered(names: Sequence[str]) -> Coverage:
    """Return the coverage by no items."""
    return Coverage(0.0, 0.0, tuple(AspectCoverage(name, 0.0, (), 0) for name in names))
