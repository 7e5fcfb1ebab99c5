"""In which language a text seems to be; pure.

A small rule and no model: a script that one language uses decides, else the most frequent words do, and where
neither is clear nothing is said.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

LETTERS_MIN: Final = 20
"""In a script of its own; a name or a title is no language."""
WORDS_MIN: Final = 20
SCRIPT_SHARE: Final = 0.5
KANA_SHARE: Final = 0.1
"""Japanese is written with Chinese characters too, Chinese never with these."""
WORDS_SHARE: Final = 0.12
"""Of all words, those that the language's list has: 20 to 50 % of its running text, in others under 10 %."""
LEAD: Final = 1.2
"""Times as many as of the next language, or neither is named."""

_WORD: Final = re.compile(r"[^\s\d!-/:-@\[-`{-~«»„“”‘’…–—।،؟۔]+")  # noqa: RUF001 - punctuation is meant
"""Not `\\w`, which leaves out the vowel signs of Indic scripts."""


def language_name(code: str) -> str | None:
    """Return the English name of a language, None if it is unknown."""
    entry = _languages().get(code)
    return entry["name"] if entry else None


def language_in(text: str, *, letters_min: int = LETTERS_MIN, words_min: int = WORDS_MIN) -> str | None:
    """Return the code of the language that a text seems to be in, None if that is not clear.

    Args:
        text: in any case.
        letters_min: fewer letters of a script of its own say nothing.
        words_min: fewer words say nothing.
    """
    folded = text.lower()
    return (None if text.isascii() else _by_script(folded, letters_min)) or _by_words(folded, words_min)


def _by_script(text: str, letters_min: int) -> str | None:
    letters = sum(map(str.isalpha, text))
    if letters < letters_min:
        return None
    shares = {code: len(script.findall(text)) / letters for code, script in _scripts().items()}
    if shares["ja"] > KANA_SHARE and shares["ja"] + shares["zh"] > SCRIPT_SHARE:
        return "ja"
    best = max(shares, key=lambda code: shares[code])
    return best if shares[best] > SCRIPT_SHARE else None


def _by_words(text: str, words_min: int) -> str | None:
    words = Counter(_WORD.findall(text))
    total = words.total()
    if total < words_min:
        return None
    hits = defaultdict[str, int](int)
    for word, count in words.items():
        for code in _languages_of().get(word, ()):
            hits[code] += count
    best, second = [*sorted(hits, key=lambda code: hits[code], reverse=True), "", ""][:2]
    is_clear = hits[best] >= WORDS_SHARE * total and hits[best] >= LEAD * hits[second]
    return best or None if is_clear else None


@cache
def _languages() -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("languages.json").read_text(encoding="utf-8")
    )
    return found


@cache
def _scripts() -> Mapping[str, re.Pattern[str]]:
    return {
        code: re.compile(f"[{entry['script']}]") for code, entry in _languages().items() if "script" in entry
    }


@cache
def _languages_of() -> Mapping[str, tuple[str, ...]]:
    """Return the languages among whose most frequent words each word is."""
    found = defaultdict[str, tuple[str, ...]](tuple)
    for code, entry in _languages().items():
        for word in dict.fromkeys(entry.get("words", "").split()):
            found[word] += (code,)
    return dict(found)
