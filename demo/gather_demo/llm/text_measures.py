"""Plain measures on text; everything that the demo model claims to have judged comes from here."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from gather_demo.llm.language_words import languages

SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_WORD: Final = re.compile(r"[\w']+")

STOP_WORDS: Final = frozenset(word for each in languages() for word in each.stop_words)


def words(text: str) -> list[str]:
    """Return the words in lower case."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=4096)
def content_words(text: str) -> frozenset[str]:
    """Return the distinct words that carry meaning, cut to their first six letters as a crude stem.

    Remembered, since scoring a hundred notes compares each with each.
    """
    return frozenset(w[:6] for w in words(text) if w not in STOP_WORDS and len(w) > 1)


def likeness(one: str, other: str) -> float:
    """Return the share of the shorter text's content words that the other has too, in [0, 1].

    Containment, not Jaccard: a shortened copy of a text is still a copy of it.
    """
    a, b = content_words(one), content_words(other)
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def sentences(text: str) -> list[str]:
    """Return the sentences, without empty ones."""
    return [s.strip() for s in SENTENCE_END.split(text.strip()) if s.strip()]


def shingles(text: str, size: int = 5) -> frozenset[str]:
    """Return all runs of `size` words."""
    found = words(text)
    return frozenset(" ".join(found[i : i + size]) for i in range(len(found) - size + 1))


def clamp(value: float, least: float, most: float) -> float:
    """Return the value, moved into the range."""
    return max(least, min(most, value))


def cut(text: str, limit: int) -> str:
    """Return the text, shortened at a word's end to at most `limit` characters."""
    if len(text) <= limit:
        return text
    return text[: limit + 1].rsplit(" ", 1)[0][:limit].rstrip(" ,;:")


def mean(values: Iterable[float]) -> float:
    """Return the mean, 0 of nothing."""
    listed: Sequence[float] = list(values)
    return sum(listed) / len(listed) if listed else 0.0
