"""Labelled pairs in two parts without a text in common: one to calibrate with, one to measure with."""

import random
from collections.abc import Sequence
from typing import Final

from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.duplicates.clusters import clusters
from gather_worker.duplicates.features import ComparableText

SEED: Final = 1


def split(
    pairs: Sequence[LabelledPair], held_out_share: float
) -> tuple[list[LabelledPair], list[LabelledPair]]:
    """Return the pairs to calibrate with and those that are held out, the same ones every time.

    Pairs that share a text, also by way of other pairs, stay together: results on texts that were calibrated
    on would be too good. A group larger than the whole share is not held out. Texts of the same words count
    as shared: "push-ups" and "push ups" are two texts to a reader, and still too much alike.
    """
    first: dict[str, int] = {}
    links = [
        (place, first.setdefault(ComparableText(text).joined or text.strip(), place))
        for place, pair in enumerate(pairs)
        for text in (pair.a, pair.b)
    ]
    groups = clusters(len(pairs), links)
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
