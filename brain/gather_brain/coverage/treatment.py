"""Which texts treat a department beyond doubt, though they were written for none; pure functions on arrays.

Coverage asks how far a note of a department treats its aspects. A note that was written for no department
needs a stricter question, since most notes of a film touch an aspect of every trade by chance. It must be
near to what the department is for, nearer than to what is no trade's matter, and hardly less near than to any
other trade's; and one of the department's aspects must be what it is likeliest about. Each text is judged by
itself, so that neither order nor other texts matter.

The constants are those with which most notes are found on the labelled notes for fitting, at a precision of
0.9 there (docs/quality.md has the figures, also of the notes that took no part), with all-MiniLM-L6-v2.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gather_brain.coverage.aspect_scores import Sentences, Targets, passages_of
from gather_brain.coverage.aspects import typical_text
from gather_brain.coverage.film_departments import DEPARTMENTS
from gather_brain.vectors import Matrix
from gather_brain.words import spoken

COSINE_MIN: Final = 0.20
"""Of the text with what the department is for."""
NO_MATTER_MARGIN: Final = 0.08
"""How much nearer it must be to the department than to what is no trade's matter."""
TRADE_MARGIN: Final = -0.05
"""How much nearer than to another trade; below 0, since a note may treat two."""
TRADE_COSINE_MAX: Final = 0.55
"""A trade that is nearer to the department than this is the same by another name, or a part of it."""
RELEVANCE_MIN: Final = 0.465
"""Likelihood of the text's clearest aspect against all others, those of other departments among them."""
ABOUT_NOTHING: Final = 0.17
"""The centred cosine at which a passage is as likely about an aspect as about nothing here."""
TEMPERATURE: Final = 0.036
"""Difference of centred cosines at which the nearer aspect is e times as likely."""
RIVAL_HANDICAP: Final = 0.04
"""How much nearer another department's aspect must be."""

TRADES: Final = tuple(typical_text(name) for name in DEPARTMENTS)
NO_MATTER: Final = (
    (
        "Messages within the team: thanks, dates of calls, deadlines, links, folders, votes, names and titles"
        " of the film"
    ),
    (
        "What the film is about: a logline, the premise in one sentence, the place and its history, the"
        " audience, references to other films"
    ),
)
"""What people write beside notes for a trade."""
COMPARED: Final = (*TRADES, *NO_MATTER)


def matter_of(department: str, description: str) -> str:
    """Return the text that stands for what a department is for."""
    return f"{spoken(department)}: {description}" if description.strip() else typical_text(department)


def relevance_of(sentences: Sentences, targets: Targets) -> NDArray[np.float32]:
    """Return how clearly each item is about one of the aspects, 0 to 1, (items,): by its likeliest passage.

    The likelihood is a softmax over the aspects, the nearest rival and "nothing here". It is stricter than
    coverage, which asks of each aspect apart.
    """
    mixed = passages_of(sentences)
    own = np.maximum.reduceat(mixed @ targets.facets.T, targets.starts, axis=1) - targets.offsets
    rivals = mixed @ targets.rivals.T - targets.rival_offsets - RIVAL_HANDICAP
    rival = rivals.max(axis=1, keepdims=True, initial=-1.0)
    scaled = np.concatenate([own, rival, np.full_like(rival, ABOUT_NOTHING)], axis=1) / TEMPERATURE
    likely = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    clearest = likely[:, : own.shape[1]].max(axis=1) / likely.sum(axis=1)
    relevance: NDArray[np.float32] = np.maximum.reduceat(clearest, sentences.starts)
    return relevance


def treating(rows: Matrix, relevance: NDArray[np.float32]) -> list[int]:
    """Return the places of the texts that treat the department, the nearest first.

    Args:
        rows: unit rows of the department's `matter_of`, of `COMPARED`, and of each whole text.
        relevance: how clearly each text treats its clearest aspect, 0 to 1.
    """
    (matter,), trades, no_matter, texts = np.split(rows, np.cumsum([1, len(TRADES), len(NO_MATTER)]))
    near = texts @ matter
    rivals = trades[trades @ matter < TRADE_COSINE_MAX]
    rival = (texts @ rivals.T).max(axis=1, initial=-1.0)
    nothing = (texts @ no_matter.T).max(axis=1)
    is_found = (
        (near >= COSINE_MIN)
        & (near - nothing >= NO_MATTER_MARGIN)
        & (near - rival >= TRADE_MARGIN)
        & (relevance >= RELEVANCE_MIN)
    )
    places: list[int] = np.flatnonzero(is_found).tolist()
    return sorted(places, key=lambda place: -float(near[place]))
