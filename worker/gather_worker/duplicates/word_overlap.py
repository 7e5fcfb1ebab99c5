"""Texts compared by their words alone: cheap, and enough to see copies while the brain is away."""

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final

HASHES_KEPT: Final = 8192
"""All notes of a project are looked at again in each iteration."""
_WORD: Final = re.compile(r"\w+")


def normalised(text: str) -> str:
    """Return the words of the text, in one case and one Unicode form (NFKC), without punctuation."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


@lru_cache(maxsize=HASHES_KEPT)
def text_hash(text: str) -> str:
    """Return a hash that is equal for texts that differ in case, spacing and punctuation only.

    A text without any word (only symbols) is hashed as it stands.
    """
    return hashlib.sha256((normalised(text) or text.strip()).encode()).hexdigest()


def word_set(text: str) -> frozenset[str]:
    """Return the different words of the text."""
    return frozenset(normalised(text).split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the words that both have (Jaccard), 0-1; 0 where there are no words."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0
