"""Items that say nearly the same, and how to count what several say once; pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from gather_brain.coverage.evidence.constants import DEFAULT_MODEL
from gather_brain.vectors import Matrix

NEAR_DUPLICATE: Final[Mapping[str, float]] = {
    DEFAULT_MODEL: 0.88,
    "bge-small-en-v1.5-w8a8": 0.91,
    "multilingual-e5-small-w8a8": 0.92,
}
"""Cosine of two items' vectors (means of sentences), by embedding model. With the default, paraphrases of the
labelled departments for fitting have .85 to .99 (nine in ten above .89), different notes at most .60,
contradicting ones .58 to .89. The others call as many pairs duplicates that are none
(`python -m tests.evals.pairs.near_duplicate_cuts`). A model that is not named has the default's."""
SEARCH_STEPS_MAX: Final = 1000
"""For the heaviest set without duplicates of one cluster; only adversarial items need so many."""


def near_duplicates(vectors: Matrix, model: str = DEFAULT_MODEL) -> list[int]:
    """Return, for each item, the others that say nearly the same, as a set of bits.

    `model` made the vectors, as its name stands on nodes.
    """
    near = vectors @ vectors.T >= NEAR_DUPLICATE.get(model, NEAR_DUPLICATE[DEFAULT_MODEL])
    np.fill_diagonal(near, val=False)
    alike = [0] * len(near)
    for one, other in np.argwhere(near).tolist():
        alike[one] |= 1 << other
    return alike


def clusters_of(alike: Sequence[int]) -> list[int]:
    """Return the connected groups of near duplicates, each as a set of bits."""
    found = []
    rest = (1 << len(alike)) - 1
    while rest:
        cluster = edge = rest & -rest
        while edge:
            reached = 0
            for member in members(edge):
                reached |= alike[member]
            edge = reached & ~cluster
            cluster |= edge
        found.append(cluster)
        rest &= ~cluster
    return found


def members(mask: int) -> list[int]:
    """Return the places of the bits."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found


def heaviest_without_duplicates(
    weights: Sequence[float], alike: Sequence[int], clusters: Sequence[int]
) -> float:
    """Return the greatest sum of weights over items of which no two are near duplicates.

    This is the maximum weight independent set, found for each cluster by itself: at once where all its
    members are alike, else by branching on the item with most duplicates. Where that takes too many steps
    (adversarial texts only), the greedy sum, heaviest first.
    """
    return sum(_heaviest_of(cluster, weights, alike) for cluster in clusters)


def _heaviest_of(cluster: int, weights: Sequence[float], alike: Sequence[int]) -> float:
    inside = members(cluster)
    if all(alike[index] | 1 << index == cluster for index in inside):
        return max(weights[index] for index in inside)
    steps = 0

    def heaviest(mask: int) -> float:
        nonlocal steps
        steps += 1
        if steps > SEARCH_STEPS_MAX:
            raise _TooManyStepsError
        left = members(mask)
        most = max(left, key=lambda index: (alike[index] & mask).bit_count(), default=None)
        if most is None or not alike[most] & mask:
            return sum(weights[index] for index in left)
        rest = mask & ~(1 << most)
        return max(weights[most] + heaviest(rest & ~alike[most]), heaviest(rest))

    try:
        return heaviest(cluster)
    except _TooManyStepsError:
        taken, total = 0, 0.0
        for index in sorted(inside, key=lambda index: (-weights[index], index)):
            if not alike[index] & taken:
                taken |= 1 << index
                total += weights[index]
        return total


class _TooManyStepsError(Exception):
    """The exact search would take too long."""
