"""How far a text treats an aspect, from the likeness of its passages with what the aspect is called; pure.

A passage is compared with each aspect's nearest facet (a name, a gloss, a part of a gloss), and the note as a
whole too: "It stalls at minute 81" is about its note's matter. What each likeness says depends on how far the
department's other aspects, and the usual aspects of other departments, are as near; words in common say what
cosines do not. A note's evidence for an aspect is the logistic function of all of these, weighted as people's
labels have it with the embedding model at work (`evidence/constants.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gather_brain.coverage.aspects import ASPECTS_ENOUGH, Aspect
from gather_brain.coverage.evidence.constants import Constants
from gather_brain.coverage.evidence.terms import Lexicon, terms
from gather_brain.vectors import Matrix, unit_rows

COMMON_SHARE: Final = 0.6
"""How much of an aspect's mean cosine with the usual film aspects is taken off: "tone" is near to
everything."""
FILM_SHARE: Final = 0.5
"""How much of what the usual film aspects have in common is taken off a department's names, to tell its
matter from film talk in general. Of 0, a half and all, a half told most notes of other trades apart."""
NOTE_SHARE: Final = 0.5
"""Weight of the note's cosine beside the passage's."""
RIVAL_COSINE_MAX: Final = 0.6
"""Another department's aspect that is nearer to one of ours than this is the same thing by another name."""
RIVALRY: Final = 0.4
"""A note treats one topic or two: what is less likely than its likeliest topic falls behind by so much more,
in log odds. A statement does not: a note may make many."""
SHARPNESS: Final = 10.0
"""How much more the nearest of the other aspects counts against one than the rest: two that are nearly as
near leave more doubt than one. Of 4, 6, 10 and 20, 10 chose the best key points by cross-validation over the
topics of KPA-2021's training part, and content units of REALSumm's documents for fitting."""
REST_MIN: Final = 1e-3
"""A cosine of -0.7: rounding must not leave nothing of the others, or less."""
CHANCE: Final = 0.30
CLEAR: Final = 0.85
"""Likelihoods of what is no note on an aspect, and of a clear one."""
ODDS_MAX: Final = 50.0
"""Log odds beyond which nothing changes; the exponential of 89 is too large for 32 bits."""
CHANCE_SHARE: Final = 0.003
"""Of a full score, for all that is below: a hundred strangers must not add up to a note."""
CERTAIN_SHARE: Final = 0.03
"""Of a full score, for what is above: the clearer of two notes counts."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What notes are compared with."""

    facets: Matrix
    """All facets, (facets, d), aspect by aspect, each aspect's name first."""
    starts: NDArray[np.intp]
    """Where each aspect's facets begin."""
    offsets: Matrix
    """What is common to all film talk in each aspect's cosine, (aspects,)."""
    rivals: Matrix
    """Other departments' aspects, (rivals, d)."""
    rival_offsets: Matrix
    matter: Matrix
    """What all aspects together are about, (d,): a note of an office is near to none of it, though it may be
    nearest to one."""
    own_matter: Matrix
    """The same without half of what all film talk has in common, (d,)."""
    film: Matrix
    """And what other departments' are, (d,)."""
    no_trade: Matrix
    """What notes are about that are of no trade, (n, d)."""
    names: Lexicon
    """The words of each aspect's name."""
    glosses: Lexicon
    """And of what is said of it."""
    traits: Mapping[str, Matrix]
    """What the weights of likenesses depend on, 0 to 1, (aspects,): an aspect is a topic, and may be a
    statement, have names and numbers, or be bare, with nothing said of it but its name. A bare topic is one
    that no list knows, and may be one of few."""

    @property
    def topicality(self) -> Matrix:
        """How far each aspect competes with others for a note, 0 to 1, (aspects,): a statement does not."""
        topicality: Matrix = (1 - self.traits["statement"]) ** 2
        return topicality


@dataclass(frozen=True, slots=True)
class Sentences:
    """The passages of all items, (passages, d)."""

    rows: Matrix
    starts: NDArray[np.intp]
    """Where each item's passages begin."""
    owners: NDArray[np.intp]
    """The item that each passage belongs to."""
    items: Matrix
    """One unit row for each item: the mean of its passages."""


def stacked(groups: Sequence[Matrix]) -> Sentences:
    """Put the passages of several items, (passages, d) each and none empty, into one matrix."""
    counts = [len(group) for group in groups]
    means = np.stack([group.mean(axis=0) for group in groups])
    return Sentences(
        rows=np.concatenate(groups),
        starts=np.cumsum([0, *counts[:-1]]),
        owners=np.repeat(np.arange(len(groups)), counts),
        items=unit_rows(means),
    )


def targets_of(
    facets: Sequence[Matrix], aspects: Sequence[Aspect], common: Matrix, no_trade: Matrix
) -> Targets:
    """Return what to compare with.

    Args:
        facets: (facets, d) for each aspect.
        aspects: what they are called.
        common: the usual film aspects, (common, d).
        no_trade: what notes are about that are of no trade, (n, d).
    """
    own = stacked(facets)
    names = Lexicon([aspect.cased for aspect in aspects])
    glosses = Lexicon([" ".join(aspect.facets[1:]) for aspect in aspects])
    called = own.rows[own.starts]
    matter = _mean_direction(called)
    nothing = np.zeros(len(facets), np.float32)
    bare = np.array([len(facet) == 1 for facet in facets], np.float32)
    unknown = bare * (1 - names.statements) ** 2
    traits = {
        "topic": nothing + 1,
        "statement": names.statements,
        "specific": names.specifics,
        "bare": bare,
        "unknown": unknown,
        # What stands out among few says little of what a note is about.
        "few": unknown * max(0.0, 1 - len(facets) / ASPECTS_ENOUGH),
    }
    targets = Targets(
        own.rows, own.starts, offsets=nothing, rivals=common, rival_offsets=nothing[:0], matter=matter,
        own_matter=matter, film=np.zeros_like(matter), no_trade=no_trade, names=names, glosses=glosses,
        traits=traits,
    )  # fmt: skip
    if not len(common):
        return targets
    near = common @ own.rows.T
    rivals = common[near.max(axis=1) < RIVAL_COSINE_MAX]
    return replace(
        targets,
        offsets=COMMON_SHARE * np.maximum.reduceat(near, own.starts, axis=1).mean(axis=0),
        rivals=rivals,
        rival_offsets=COMMON_SHARE * (rivals @ common.T).mean(axis=1),
        own_matter=_mean_direction(unit_rows(called - FILM_SHARE * common.mean(axis=0))),
        film=rivals.sum(axis=0) / max(len(rivals), 1),
    )


def _mean_direction(rows: Matrix) -> Matrix:
    """Return the unit row, (d,), that rows point to together."""
    direction: Matrix = unit_rows(rows.mean(axis=0, keepdims=True))[0]
    return direction


def aspect_scores(
    sentences: Sentences, texts: Sequence[str], targets: Targets, constants: Constants
) -> Matrix:
    """Return how far each item treats each aspect, 0 to 1, (items, aspects).

    `texts` are the passages in the order of `sentences.rows`. An item's row depends on that item alone.
    """
    found = likenesses(sentences, texts, targets)
    odds = constants.log_odds(found, targets.traits)
    behind = odds.max(axis=1, keepdims=True) - odds
    odds -= RIVALRY * targets.topicality * behind
    likely: Matrix = (1 / (1 + np.exp(-odds.clip(-ODDS_MAX, ODDS_MAX)))).astype(np.float32)
    above = np.clip((likely - CHANCE) / (CLEAR - CHANCE), 0, 1)
    certain = np.clip((likely - CLEAR) / (1 - CLEAR), 0, 1)
    by_chance = np.minimum(likely / CHANCE, 1)
    scores: Matrix = CHANCE_SHARE * by_chance + CERTAIN_SHARE * certain
    scores += (1 - CHANCE_SHARE - CERTAIN_SHARE) * above
    return scores


def likenesses(sentences: Sentences, texts: Sequence[str], targets: Targets) -> dict[str, Matrix]:
    """Return each kind of likeness of each item with each aspect, (items, aspects).

    Of a kind that passages have, an item has its best.
    """
    found = [terms(text) for text in texts]
    whole = [dict[str, str]() for _ in sentences.items]
    for owner, has in zip(sentences.owners.tolist(), found, strict=True):
        whole[owner].update(has)
    mixed = passages_of(sentences)
    facets = mixed @ targets.facets.T
    near: Matrix = np.maximum.reduceat(facets, targets.starts, axis=1)
    centred = near - targets.offsets
    rivals = mixed @ targets.rivals.T - targets.rival_offsets
    # A lone aspect has none beside it; the usual ones of other departments take their place.
    beside = centred if centred.shape[1] > 1 else np.hstack([centred, rivals])
    passages = {
        "near": near,
        "name": facets[:, targets.starts],
        "margin": centred - _others(beside)[:, : near.shape[1]],
        "lead": centred - _rest(beside)[:, : near.shape[1]],
        "rival": targets.topicality * (centred - rivals.max(axis=1, keepdims=True, initial=0.0)),
        "passage_words": targets.names.shares(found),
    }
    matter, own_matter = sentences.items @ targets.matter, sentences.items @ targets.own_matter
    film = sentences.items @ targets.film
    of_no_trade = (sentences.items @ targets.no_trade.T).max(axis=1, initial=0.0)
    return {
        "matter": np.outer(matter, targets.topicality),
        "own_matter": np.outer(own_matter, targets.topicality),
        "film": np.outer(film, targets.topicality),
        "no_trade": np.outer(of_no_trade, targets.topicality),
        **{kind: np.maximum.reduceat(each, sentences.starts, axis=0) for kind, each in passages.items()},
        "words": targets.names.shares(whole),
        "gloss_words": targets.glosses.shares(whole),
        "common": np.tile(targets.offsets, (len(whole), 1)),
    }


def passages_of(sentences: Sentences) -> Matrix:
    """Return the passages' rows, each mixed with its note's, whose matter it is about: "It stalls at 81"."""
    mixed: Matrix = (1 - NOTE_SHARE) * sentences.rows + NOTE_SHARE * sentences.items[sentences.owners]
    return mixed


def _others(near: Matrix) -> Matrix:
    """Return, for each aspect, the nearest of the other aspects; the aspect itself where it has none."""
    if near.shape[1] < 2:  # noqa: PLR2004
        return near
    ranked = np.partition(near, -2, axis=1)
    others: Matrix = np.where(near == ranked[:, -1:], ranked[:, -2:-1], ranked[:, -1:])
    return others


def _rest(near: Matrix) -> Matrix:
    """Return, for each aspect, how near all others are together; the aspect itself where it has none."""
    if near.shape[1] < 2:  # noqa: PLR2004
        return near
    each = np.exp(SHARPNESS * near)
    rest: Matrix = np.log(np.maximum(each.sum(axis=1, keepdims=True) - each, REST_MIN)) / SHARPNESS
    return rest
