"""Texts compared by their words alone: cheap, and enough to see copies while the brain is away."""

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final

HASHES_KEPT: Final = 8192
"""All notes of a project are looked at again in each iteration."""
_WORD: Final = re.compile(r"\w+")
_LINE_BREAK: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # control characters: they rule terminals and break lines of logs
    "\u061c\u202a-\u202e\u2066-\u2069"  # text direction: shows other words than are there
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # marks and tags: words that nobody sees
    "\ufdd0-\ufdef\ufffe\uffff]"  # no characters
)
"""Joiners stay: Persian, Indic scripts and emoji are written with them."""


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


def encodable(text: str) -> str:
    """Return the text without halves of characters (lone surrogates): JSON can hold them, UTF-8 cannot."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def clean(text: str) -> str:
    """Return the text fit to be stored: nothing in it but what a reader sees, no outer space.

    Of control characters tabs and line breaks stay, the latter all as line feeds.
    """
    return _UNSEEN.sub("", _LINE_BREAK.sub("\n", encodable(text))).strip()


def letters(text: str) -> int:
    """Return how many of the characters are letters or digits, in any script."""
    return sum(map(str.isalnum, text))


def shortened(text: str, length: int) -> str:
    """Return the text in one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
