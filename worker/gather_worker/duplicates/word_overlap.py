"""Texts compared by their words alone: cheap, and enough to see copies while the brain is unavailable."""

from functools import lru_cache
from typing import Final

from gather_contracts import text as shared
from gather_contracts.text import normalised

HASHES_KEPT: Final = 8192
"""All notes of a project are looked at again in each iteration."""


@lru_cache(maxsize=HASHES_KEPT)
def text_hash(text: str) -> str:
    """Return the hash that all rooms share, remembered."""
    return shared.text_hash(text)


def word_set(text: str) -> frozenset[str]:
    """Return the different words, numbers and signs of the text."""
    return frozenset(normalised(text).split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the words that both have (Jaccard), 0-1; 0 where there are no words."""
    shared_words = len(one & other)
    return shared_words / (len(one) + len(other) - shared_words) if shared_words else 0.0
