"""Words and sentences of texts: what themes and coverage count; pure."""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Final, TypeVar

T = TypeVar("T")

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001 - both apostrophes are meant
SENTENCE_END: Final = re.compile(r"(?<=[.!?…;])[\"'”’)]*\s+|\n+")  # noqa: RUF001 - closing quotes

SENTENCE_WORDS_MIN: Final = 3
"""Shorter pieces ("Yes.", "Act one:") say too little to match an aspect and join their neighbour."""

STOP_WORDS: Final = frozenset((files("gather_brain") / "stop_words.txt").read_text(encoding="utf-8").split())

KEPT_CHARACTERS_MAX: Final = 1_000
"""Of a text for which something is remembered: most notes, and a bound on the memory of it."""

SUFFIXES: Final = (
    *("ations", "ation", "ments", "ment", "ings", "ing", "ions", "ion", "ies"),
    *("ed", "es", "s", "y", "e"),
)
STEM_MIN: Final = 4


def words(text: str) -> list[str]:
    """Return the text's words in lower case, in order."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]  # noqa: RUF001


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning: no stop words, no single letters."""
    return [word for word in words(text) if len(word) > 1 and word not in STOP_WORDS]


def is_remembered(text: str) -> bool:
    """Return whether the text is short enough for what `remembered` functions make of it to be kept."""
    return len(text) <= KEPT_CHARACTERS_MAX


def remembered(entries: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Return a decorator that keeps what a pure function made of the texts that it was asked for last.

    Workers have a department measured again after each iteration, and nine notes in ten are the same. Of long
    texts nothing is kept.
    """

    def decorated(function: Callable[[str], T]) -> Callable[[str], T]:
        kept = lru_cache(maxsize=entries)(function)

        def called(text: str) -> T:
            return kept(text) if is_remembered(text) else function(text)

        return called

    return decorated


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Cut one common English ending, so that "pacing" and "pace" meet; at least four letters stay."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= STEM_MIN - 1:
            return word[: -len(suffix)]
    return word


def spoken(slug: str) -> str:
    """Return a department's slug as words."""
    return slug.replace("-", " ").replace("_", " ")


def sentences(text: str, limit: int | None = None) -> list[str]:
    """Return the first `limit` sentences, or all; pieces of fewer than three words join the one before."""
    found: list[str] = []
    for piece in SENTENCE_END.split(text):
        trimmed = piece.strip()
        if not trimmed:
            continue
        if found and len(WORD.findall(trimmed)) < SENTENCE_WORDS_MIN:
            found[-1] = f"{found[-1]} {trimmed}"
        else:
            found.append(trimmed)
    return found[:limit]
