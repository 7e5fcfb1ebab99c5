"""Which texts a model cannot read: of languages that it was not made for, or of words that it lacks; pure.

The network says of such a text how it looks to a model of other languages, which finds most of one language
alike. So that counts for less in its vector, and the text's characters for more (`unknown_words.py`).
"""

import enum
import re
from collections.abc import Sequence
from typing import Final

from gather_brain.words import STOP_WORDS
from gather_clients.wording.text_language import frequent_words, script_language

LETTERS_MIN: Final = 2
"""Of a script that one language uses: two of Thai are Thai."""
WORDS_MIN: Final = 3
"""Different words that speak for another language: its most frequent ones, and against English those with
accents. One less where none speaks for the model's own."""
ACCENTED: Final = 0.5
"""English has words with accents, most of them names."""
LEAD: Final = 1.2
"""Times as many as speak for the model's languages, or neither is clear."""
LOOKED_AT: Final = 2_000
"""Characters of a text that say its language."""
UNKNOWN_MAX: Final = 0.2
"""Of a text's tokens, those that no vocabulary has."""
LATIN: Final = ((0x41, 0x24F), (0x1E00, 0x1EFF))
"""Where Unicode has the letters that English is written in, with accents and without."""
LATIN_MIN: Final = 0.5
"""Of a text's letters, for a model of English."""
ENGLISH: Final = frozenset({"en"})
"""Is written without accents."""

_WORD: Final = re.compile(r"[^\s\d!-/:-@\[-`{-~«»„“”‘’…–—।،؟۔]+")  # noqa: RUF001 - punctuation is meant
"""Not `\\w`, which leaves out the vowel signs of Indic scripts."""


class Unread(enum.StrEnum):
    """Why a model cannot read a text."""

    LANGUAGE = "language"
    VOCABULARY = "vocabulary"


def unread(text: str, tokens: Sequence[int], unknown: int | None, languages: frozenset[str]) -> Unread | None:
    """Return why a model cannot read a text, None if it can or that is not clear.

    Args:
        text: as it came.
        tokens: what the model reads of it.
        unknown: the token of what its vocabulary lacks, if it has one.
        languages: those that it was made for; none: nobody said.
    """
    if tokens and tokens.count(unknown) > UNKNOWN_MAX * len(tokens):
        return Unread.VOCABULARY
    if not languages or _is_of(text[:LOOKED_AT].lower(), languages):
        return None
    return Unread.LANGUAGE


def _is_of(text: str, languages: frozenset[str]) -> bool:
    """Return whether a text may be in one of the languages."""
    if not text.isascii() and languages == ENGLISH and not _is_latin(text):
        return False
    script = script_language(text, LETTERS_MIN)
    if script:
        return script in languages
    words = dict.fromkeys(word for word in _WORD.findall(text) if len(word) > 1)
    own: float = sum(word in STOP_WORDS for word in words) if "en" in languages else 0
    if own * LEAD > len(words) - own:
        return True
    hits = frequent_words(words)
    own = max(own, *(hits[code] for code in languages))
    other = float(max((found for code, found in hits.items() if code not in languages), default=0))
    if languages == ENGLISH:
        other += sum(not word.isascii() for word in words) * (ACCENTED if own else 1)
    return other < LEAD * own or other < (WORDS_MIN if own else WORDS_MIN - 1)


def _is_latin(text: str) -> bool:
    letters = list(filter(str.isalpha, text))
    latin = sum(any(first <= ord(letter) <= last for first, last in LATIN) for letter in letters)
    return latin >= LATIN_MIN * len(letters)
