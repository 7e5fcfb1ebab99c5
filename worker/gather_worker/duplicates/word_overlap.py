"""Texts compared by their words alone: cheap, and enough to see copies while the brain is unavailable."""

import unicodedata
from functools import lru_cache
from typing import Final

from gather_contracts.text import normalised, text_hash

HASHES_KEPT: Final = 8192
"""All notes of a project are looked at again in each iteration."""


@lru_cache(maxsize=HASHES_KEPT)
def copy_key(text: str) -> str:
    """Return what is the same for copies only: the hash that all rooms share, and the powers and fractions.

    The hash does not tell those from digits: ten squared, as one writes it, is 102 to it.
    """
    powers = "" if text.isascii() else "".join(filter(_is_power, text))
    return f"{text_hash(text)} {powers}".rstrip()


def _is_power(char: str) -> bool:
    return char.isnumeric() and unicodedata.category(char) == "No"


def word_set(text: str) -> frozenset[str]:
    """Return the different words, numbers and signs of the text."""
    return frozenset(normalised(text).split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the words that both have (Jaccard), 0-1; 0 where there are no words."""
    shared_words = len(one & other)
    return shared_words / (len(one) + len(other) - shared_words) if shared_words else 0.0
