"""Plain measures on text; everything that the demo model claims to have judged comes from here."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_WORD: Final = re.compile(r"[\w']+")

_STOP_LINES: Final = (
    "a an and are as at be because been but by can for from had has have he her his how if in into is it its",
    "not no of on once one only or our she so than that the their them then there they this to two up was we",
    "what when where which while who will with without you your",
    "aber als alle alles am auch auf aus bei bis da damit dann das dass dem den denn der des die dort",
    "durch ein eine einem einen einer eines er erst es für gegen hat hier ihm ihn ihr ihre ihrem ihren",
    "ihrer im ist ja jede jedem jeden jeder jedes kein keine mit nach nicht noch nur ob ohne sein seine",
    "sich sie sind sodass über um und unter vom von vor war was weil wenn wer wie wird wo zu zum zur",
)
STOP_WORDS: Final = frozenset(word for line in _STOP_LINES for word in line.split())
"""English and German ones together: few are words of content in the other language."""


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
