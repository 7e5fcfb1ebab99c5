"""How far a department's items cover its aspects; pure functions on arrays, no model and no network.

Three laws hold by construction, and property tests hold them:

- Order does not matter: nothing depends on an item's place.
- An added item never lowers coverage: each item's evidence depends on that item alone, and evidence is
  summed over the heaviest set of items of which no two are duplicates; more items can only add to it.
- A duplicate never raises it: the same text counts once, and so does the same thing in nearly the same words.

The constants were fitted on thirty hand-written notes on six aspects (tests/contract/brain/story_notes.json)
with all-MiniLM-L6-v2: a note's best sentence stands .23 (median) above the other aspects for its own aspect
and .04 for another, and a text on another trade altogether reaches a raw cosine of .22 at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gather_brain.text import content_hash, sentences
from gather_brain.vectors import Matrix, ramp, unit_rows

COSINE_LOW: Final = 0.20
COSINE_HIGH: Final = 0.40
"""Raw cosine of a sentence with an aspect's nearest facet: off topic up to low, surely on topic from high."""
MARGIN_LOW: Final = 0.05
MARGIN_HIGH: Final = 0.30
"""That cosine less the mean over the other aspects: whether it is about this aspect or the film at large."""
RIVAL_SCALE: Final = 0.06
"""A sentence counts for an aspect less by exp(-difference / scale) where another aspect is nearer."""
SATURATION: Final = 1.4
"""Sum of evidence at which an aspect is 63 % covered; three clear notes on it give about 88 %."""
NEAR_DUPLICATE: Final = 0.92
"""Cosine of two items' vectors; different notes on one film reach .60 here, .81 in larger sets."""
ITEM_EVIDENCE_MIN: Final = 0.15
"""From here on an item is named as treating an aspect."""
SENTENCES_MAX: Final = 12
"""Of one item; bounds the cost of 100 items. It does not depend on their number, so the laws stand."""
SEARCH_STEPS_MAX: Final = 2000
"""For the heaviest set without duplicates, which is found at once unless the items are made to confuse it."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text to analyse, with its sentences."""

    id: str
    content: str
    sentences: tuple[str, ...]


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

    Two texts are the same when they differ in case, punctuation and spacing only.
    """
    first: dict[str, tuple[str, str]] = {}
    # Of several spellings the one with fewest capitals stands, since capitals can pass for names.
    for identity, content in sorted(texts, key=lambda pair: (_capitals(pair[1]), pair[1], pair[0])):
        first.setdefault(content_hash(content), (identity, content))
    return [
        Item(identity, content, tuple(sentences(content, SENTENCES_MAX)) or (content,))
        for _, (identity, content) in sorted(first.items())
    ]


def _capitals(text: str) -> int:
    return sum(letter.isupper() for letter in text)


def item_vectors(sentence_vectors: Sequence[Matrix]) -> Matrix:
    """Return one unit row for each item: the mean of its sentences."""
    return unit_rows(np.stack([rows.mean(axis=0) for rows in sentence_vectors]).astype(np.float32))


def evidence_of(sentence_vectors: Matrix, facet_vectors: Sequence[Matrix]) -> Matrix:
    """Return how far one item treats each aspect, 0 to 1: its best sentence for it.

    `sentence_vectors` is (sentences, d); `facet_vectors` holds (facets, d) for each aspect.
    """
    cosines = np.stack([(sentence_vectors @ facets.T).max(axis=1) for facets in facet_vectors], axis=1)
    strength = ramp(cosines, COSINE_LOW, COSINE_HIGH)
    count = cosines.shape[1]
    if count > 1:
        others = (cosines.sum(axis=1, keepdims=True) - cosines) / (count - 1)
        nearest = cosines.max(axis=1, keepdims=True)
        strength = strength * ramp(cosines - others, MARGIN_LOW, MARGIN_HIGH)
        strength = strength * np.exp((cosines - nearest) / RIVAL_SCALE)
    best: Matrix = strength.max(axis=0)
    return best


def coverage_of(
    items: Sequence[Item],
    sentence_vectors: Sequence[Matrix],
    aspects: Sequence[str],
    facet_vectors: Sequence[Matrix],
) -> Coverage:
    """Return the coverage of each aspect by the items; no items cover nothing.

    `items` are distinct (see `distinct_items`); `sentence_vectors` holds (sentences, d) for each of them.
    """
    if not items:
        none = tuple(AspectCoverage(name, 0.0, (), 0) for name in aspects)
        return Coverage(0.0, 0.0, none)
    evidence = np.stack([evidence_of(rows, facet_vectors) for rows in sentence_vectors])
    alike = near_duplicates(item_vectors(sentence_vectors))
    found = tuple(_aspect(name, column, items, evidence, alike) for column, name in enumerate(aspects))
    coverages = np.array([aspect.coverage for aspect in found])
    return Coverage(
        score=float(coverages.mean()),
        # A half-covered aspect counts as there: breadth asks whether something is said on it, not how much.
        breadth=float(np.minimum(coverages / 50, 1).mean() * 100),
        aspects=found,
    )


def _aspect(
    name: str, column: int, items: Sequence[Item], evidence: Matrix, alike: Sequence[int]
) -> AspectCoverage:
    weights = [float(weight) for weight in evidence[:, column]]
    total = heaviest_without_duplicates(weights, alike)
    treating = sorted(
        (
            (weight, item.id)
            for weight, item in zip(weights, items, strict=True)
            if weight >= ITEM_EVIDENCE_MIN
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    primary = (evidence.argmax(axis=1) == column) & (evidence[:, column] >= ITEM_EVIDENCE_MIN)
    return AspectCoverage(
        aspect=name,
        coverage=100 * (1 - float(np.exp(-total / SATURATION))),
        item_ids=tuple(identity for _, identity in treating),
        primary_items=int(primary.sum()),
    )


def near_duplicates(vectors: Matrix) -> list[int]:
    """Return, for each item, the others that say nearly the same, as a set of bits."""
    near = vectors @ vectors.T >= NEAR_DUPLICATE
    np.fill_diagonal(near, val=False)
    return [sum(1 << int(other) for other in np.flatnonzero(row)) for row in near]


def heaviest_without_duplicates(weights: Sequence[float], alike: Sequence[int]) -> float:
    """Return the greatest sum of weights over items of which no two are near duplicates.

    This is the maximum weight independent set. Exact by branching on the item with most duplicates; where
    that takes too many steps (only texts made for it), the greedy sum, heaviest first.
    """
    everything = sum(1 << index for index, weight in enumerate(weights) if weight > 0)
    steps = 0

    def heaviest(mask: int) -> float:
        nonlocal steps
        steps += 1
        if steps > SEARCH_STEPS_MAX:
            raise _TooManyStepsError
        members = _members(mask)
        most = max(members, key=lambda index: (alike[index] & mask).bit_count(), default=None)
        if most is None or not alike[most] & mask:
            return sum(weights[index] for index in members)
        rest = mask & ~(1 << most)
        return max(weights[most] + heaviest(rest & ~alike[most]), heaviest(rest))

    try:
        return heaviest(everything)
    except _TooManyStepsError:
        return _greedy(weights, alike)


class _TooManyStepsError(Exception):
    """The exact search would take too long."""


def _members(mask: int) -> list[int]:
    return [index for index in range(mask.bit_length()) if mask >> index & 1]


def _greedy(weights: Sequence[float], alike: Sequence[int]) -> float:
    taken = 0
    total = 0.0
    for index in sorted(range(len(weights)), key=lambda index: (-weights[index], index)):
        if not alike[index] & taken:
            taken |= 1 << index
            total += weights[index]
    return total
