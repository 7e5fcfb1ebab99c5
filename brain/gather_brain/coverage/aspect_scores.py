"""How far a text treats an aspect, from the cosines of its sentences; pure functions on arrays.

A sentence is compared with each aspect's nearest facet (a name, a gloss, a part of a gloss). Three things
keep it from counting for what it is not about: what is common to all film talk is taken off each aspect's
cosine, the department's other aspects compete for it, and so do the usual aspects of other departments.

The shares and the temperature are the maximum-likelihood fit, rounded, on the labelled notes of the
departments for fitting (docs/coverage.md) with all-MiniLM-L6-v2. The thresholds were then loosened (the fit
had .205 and no handicap) until thirty clear notes on six aspects (tests/data/story_notes.json)
reached a coverage of 85. The published figures are of departments that took no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gather_brain.vectors import Matrix, ramp, unit_rows

ITEM_SHARE: Final = 0.5
"""Weight of the item's cosine beside the sentence's: "It stalls at minute 81" is about its note's matter."""
COMMON_SHARE: Final = 0.6
"""How much of an aspect's mean cosine with the usual film aspects is taken off: "tone" is near to
everything."""
ABOUT_NOTHING: Final = 0.17
"""The centred cosine at which a sentence is as likely about the aspect as about nothing here."""
TEMPERATURE: Final = 0.036
"""Difference of centred cosines at which the nearer aspect is e times as likely."""
RIVAL_COSINE_MAX: Final = 0.6
"""Another department's aspect that is nearer to one of ours than this is the same thing by another name."""
RIVAL_HANDICAP: Final = 0.04
"""How much nearer another department's aspect must be, since the note was written for this one."""
CHANCE: Final = 0.15
CERTAIN: Final = 0.50
"""Likelihoods that count as nothing and as a clear note; without a floor a hundred strangers would add up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What sentences are compared with."""

    facets: Matrix
    """All facets, (facets, d), aspect by aspect."""
    starts: NDArray[np.intp]
    """Where each aspect's facets begin."""
    offsets: Matrix
    """What is taken off each aspect's cosine, (aspects,)."""
    rivals: Matrix
    """Other departments' aspects, (rivals, d)."""
    rival_offsets: Matrix


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of all items, (sentences, d)."""

    rows: Matrix
    starts: NDArray[np.intp]
    """Where each item's sentences begin."""
    owners: NDArray[np.intp]
    """The item that each sentence belongs to."""
    items: Matrix
    """One unit row for each item: the mean of its sentences."""


def stacked(groups: Sequence[Matrix]) -> Sentences:
    """Put the sentences of several items, (sentences, d) each and none empty, into one matrix."""
    counts = [len(group) for group in groups]
    means = np.stack([group.mean(axis=0) for group in groups])
    return Sentences(
        rows=np.concatenate(groups),
        starts=np.cumsum([0, *counts[:-1]]),
        owners=np.repeat(np.arange(len(groups)), counts),
        items=unit_rows(means),
    )


def targets_of(facets: Sequence[Matrix], common: Matrix) -> Targets:
    """Return what to compare with; `facets` holds (facets, d) for each aspect, `common` the usual aspects."""
    own = stacked(facets)
    if not len(common):
        nothing = np.zeros(len(facets), np.float32)
        return Targets(own.rows, own.starts, nothing, common, np.zeros(0, np.float32))
    near = common @ own.rows.T
    offsets = COMMON_SHARE * np.maximum.reduceat(near, own.starts, axis=1).mean(axis=0)
    rivals = common[near.max(axis=1) < RIVAL_COSINE_MAX]
    others = max(len(common) - 1, 1)
    rival_offsets = COMMON_SHARE * ((rivals @ common.T).sum(axis=1) - 1) / others
    return Targets(own.rows, own.starts, offsets, rivals, rival_offsets)


def aspect_scores(sentences: Sentences, targets: Targets) -> Matrix:
    """Return how far each item treats each aspect, 0 to 1, (items, aspects): by its likeliest sentence.

    The likelihood is a softmax over the aspects, the nearest rival and "nothing here". An item's row depends
    on that item alone.
    """
    mixed = (1 - ITEM_SHARE) * sentences.rows + ITEM_SHARE * sentences.items[sentences.owners]
    own = _nearest(sentences, targets) - targets.offsets
    rivals = mixed @ targets.rivals.T - targets.rival_offsets - RIVAL_HANDICAP
    rival = rivals.max(axis=1, keepdims=True, initial=-1.0)
    nothing = np.full_like(rival, ABOUT_NOTHING)
    scaled = np.concatenate([own, rival, nothing], axis=1) / TEMPERATURE
    likely = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    likely = likely[:, : own.shape[1]] / likely.sum(axis=1, keepdims=True)
    return ramp(np.maximum.reduceat(likely, sentences.starts, axis=0), CHANCE, CERTAIN)


def _nearest(sentences: Sentences, targets: Targets) -> Matrix:
    """Return the cosine of each sentence, mixed with its item's, with each aspect's nearest facet."""
    rows: Matrix = np.maximum.reduceat(sentences.rows @ targets.facets.T, targets.starts, axis=1)
    items: Matrix = np.maximum.reduceat(sentences.items @ targets.facets.T, targets.starts, axis=1)
    mixed: Matrix = (1 - ITEM_SHARE) * rows + ITEM_SHARE * items[sentences.owners]
    return mixed
