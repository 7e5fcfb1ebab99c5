"""Labelled pairs in two parts, one to calibrate with and one to measure with, that have no text in common."""

import random
from collections.abc import Sequence
from typing import Final

from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.duplicates.clusters import clusters
from gather_worker.duplicates.word_overlap import text_hash

SEED: Final = 1


def split(
    pairs: Sequence[LabelledPair], held_out_share: float
) -> tuple[list[LabelledPair], list[LabelledPair]]:
    """Return the pairs to calibrate with and those that are held out, the same ones every time.

    Pairs that share a text, also by way of other pairs, stay together: of a text that is known from
    calibrating, measuring would show too much. What the same texts make more than the share of, is not held
    out.
    """
    groups = _groups(pairs)
    random.Random(SEED).shuffle(groups)  # noqa: S311 - the same every time, no secret
    wanted = round(len(pairs) * held_out_share)
    held_out: list[int] = []
    for group in groups:
        if len(held_out) + len(group) <= wanted:
            held_out += group
    out = frozenset(held_out)
    return (
        [pair for place, pair in enumerate(pairs) if place not in out],
        [pair for place, pair in enumerate(pairs) if place in out],
    )


def _groups(pairs: Sequence[LabelledPair]) -> list[list[int]]:
    """Return the places of the pairs that hang together."""
    first: dict[str, int] = {}
    links = [
        (place, first.setdefault(text_hash(text), place))
        for place, pair in enumerate(pairs)
        for text in (pair.a, pair.b)
    ]
    return clusters(len(pairs), links)
