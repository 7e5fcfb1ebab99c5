"""Items that contradict each other in so many words; pure.

Embeddings hardly separate "shoot at night" from "shoot by day". What can be found cheaply is that two
sentences of different items are near by cosine, say the same of the same matter, and deny each other in one
thing (`statements.py`). Contradictions that need knowledge of the world are not found; docs/quality.md says
how many are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from gather_brain.coverage.aspect_scores import Sentences
from gather_brain.coverage.statements import conflict_of, statement_of

SAME_MATTER: Final = 0.35
"""Cosine of two sentences. Which are of the same matter, their words say; this spares comparing all pairs."""
PAIRS_MAX: Final = 5_000
"""Pairs of sentences looked at, the nearest first; 100 notes on one film have some hundreds."""
PAIRS_KEPT: Final = 10_000
"""Pairs whose answer is remembered: a department is measured again after each iteration."""


@dataclass(frozen=True, slots=True)
class Contradicting:
    """Two items, by their places, and the sentences in which they contradict each other."""

    items: tuple[int, int]
    sentences: tuple[str, str]


def contradictions(texts: Sequence[str], sentences: Sentences) -> list[Contradicting]:
    """Return the pairs of items of which a sentence contradicts one of the other, each pair once.

    `texts` are the sentences in the order of `sentences.rows`; the nearest pair of sentences comes first.
    """
    owners = sentences.owners.tolist()
    found: dict[tuple[int, int], Contradicting] = {}
    for one, other in _nearest_pairs(sentences):
        if not _conflict(texts[one], texts[other]):
            continue
        items = (owners[one], owners[other])
        if items not in found:
            found[items] = Contradicting(items, (texts[one], texts[other]))
    return list(found.values())


def _nearest_pairs(sentences: Sentences) -> Iterable[tuple[int, int]]:
    """Return the places of the `PAIRS_MAX` nearest pairs of sentences of different items, nearest first."""
    cosines = sentences.rows @ sentences.rows.T
    is_pair = np.triu(cosines >= SAME_MATTER, 1)
    is_pair &= sentences.owners[:, None] != sentences.owners
    places = np.flatnonzero(is_pair)
    found = cosines.ravel()[places]
    if len(found) > PAIRS_MAX:
        # Only those that count are put in order: a hundred notes may have ten times as many.
        is_near = found >= np.partition(found, -PAIRS_MAX)[-PAIRS_MAX]
        places, found = places[is_near], found[is_near]
    order = np.argsort(-found, kind="stable")[:PAIRS_MAX]
    ones, others = np.divmod(places[order], len(cosines))
    return zip(ones.tolist(), others.tolist(), strict=True)


@lru_cache(maxsize=PAIRS_KEPT)
def _conflict(one: str, other: str) -> bool:
    return conflict_of(statement_of(one), statement_of(other)) is not None
