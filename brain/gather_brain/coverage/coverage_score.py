"""How far a department's items cover its aspects; pure functions on arrays, no model and no network.

Three laws hold by construction, and property tests hold them:

- Order does not matter: nothing depends on an item's place.
- An added item never lowers coverage: each item's evidence depends on that item alone, and evidence is
  summed over the heaviest set of items of which no two are duplicates; more items can only add to it.
- A duplicate never raises it: the same text counts once. Of the same thing in nearly the same words the
  clearer wording counts; to count the less clear one would let an added item lower coverage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gather_brain.coverage.near_duplicates import heaviest_without_duplicates
from gather_brain.vectors import Matrix
from gather_brain.words import content_hash, sentences

SATURATION: Final = 1.45
"""Sum of evidence at which an aspect is 63 % covered: one clear note gives 50, two give 75 and three 87."""
ITEM_EVIDENCE_MIN: Final = 0.15
"""From here on an item is named as treating an aspect."""
SENTENCES_MAX: Final = 12
"""Of one item; bounds the cost of 100 items. It does not depend on their number, so the laws stand."""


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
    return sum(map(str.isupper, text))


def coverage_of(
    items: Sequence[Item],
    weighted_aspects: Sequence[tuple[str, float]],
    evidence: Matrix,
    alike: Sequence[int],
    clusters: Sequence[int],
) -> Coverage:
    """Return the coverage of each aspect by the items.

    `items` are distinct (see `distinct_items`) and at least one; `weighted_aspects` are names with their
    weights in the score; `evidence` is (items, aspects). Of `alike` and `clusters` see `duplicates`.
    """
    sums = [heaviest_without_duplicates(column, alike, clusters) for column in evidence.T.tolist()]
    coverages = 100 * (1 - np.exp(-np.array(sums) / SATURATION))
    weights = np.array([weight for _, weight in weighted_aspects])
    names = [name for name, _ in weighted_aspects]
    return Coverage(
        score=float(coverages @ weights / weights.sum()),
        # A half-covered aspect counts as there: breadth asks whether something is said on it, not how much.
        breadth=float(np.minimum(coverages / 50, 1).mean() * 100),
        aspects=tuple(
            _aspect(name, float(coverages[column]), column, items, evidence)
            for column, name in enumerate(names)
        ),
    )


def nothing_covered(names: Sequence[str]) -> Coverage:
    """Return the coverage by no items."""
    return Coverage(0.0, 0.0, tuple(AspectCoverage(name, 0.0, (), 0) for name in names))


def _aspect(
    name: str, coverage: float, column: int, items: Sequence[Item], evidence: Matrix
) -> AspectCoverage:
    weights = evidence[:, column]
    treating = np.flatnonzero(weights >= ITEM_EVIDENCE_MIN).tolist()
    ordered = sorted((-float(weights[place]), items[place].id) for place in treating)
    primary = (evidence.argmax(axis=1) == column) & (weights >= ITEM_EVIDENCE_MIN)
    return AspectCoverage(name, coverage, tuple(identity for _, identity in ordered), int(primary.sum()))
