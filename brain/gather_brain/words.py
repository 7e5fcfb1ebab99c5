"""Words and sentences of texts: what themes and coverage count; pure."""

import re
from importlib.resources import files
from typing import Final

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001 - both apostrophes are meant
SENTENCE_END: Final = re.compile(r"(?<=[.!?…;])[\"'”’)]*\s+|\n+")  # noqa: RUF001 - closing quotes

SENTENCE_WORDS_MIN: Final = 3
"""Shorter pieces ("Yes.", "Act one:") say too little to match an aspect and join their neighbour."""

STOP_WORDS: Final = frozenset((files("gather_brain") / "stop_words.txt").read_text(encoding="utf-8").split())

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


def stem(word: str) -> str:
    """Cut one common English ending, so that "pacing" and "pace" meet; at least four letters stay."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= STEM_MIN - 1:
            return word[: -len(suffix)]
    return word


def spoken(slug: str) -> str:
    """Return a department's slug as words."""
    return slug.replace("-", " ").replace("_", " ")


def sentences(text: str, limit: int) -> list[str]:
    """Return the first `limit` sentences; pieces of fewer than three words join the sentence before."""
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
