"""In which language a text seems to be; pure.

A small rule and no model: a script that one language uses decides, else the most frequent words do, and where
neither is clear nothing is said.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
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


def language_in(text: str) -> str | None:
    """Return the code of the language that a text, in any case, seems to be in, None if that is not clear."""
    folded = text.lower()
    return script_language(folded, LETTERS_MIN) or _by_words(folded)


def script_language(text: str, letters_min: int) -> str | None:
    """Return the language whose own script most letters of a text are of, if there are so many letters."""
    if text.isascii():
        return None
    letters = sum(map(str.isalpha, text))
    if letters < letters_min:
        return None
    shares = {code: len(script.findall(text)) / letters for code, script in _scripts().items()}
    if shares["ja"] > KANA_SHARE and shares["ja"] + shares["zh"] > SCRIPT_SHARE:
        return "ja"
    best = max(shares, key=lambda code: shares[code])
    return best if shares[best] > SCRIPT_SHARE else None


def words_in(text: str) -> list[str]:
    """Return a text's words, all of them in their order; `text` in lower case."""
    return _WORD.findall(text)


def language_words(words: Iterable[str]) -> Counter[str]:
    """Return how many of the words are among the most frequent of each language."""
    return Counter(code for word in words for code in _languages_of().get(word, ()))


def _by_words(text: str) -> str | None:
    words = words_in(text)
    if len(words) < WORDS_MIN:
        return None
    (best, most), (_, second) = [*language_words(words).most_common(2), ("", 0), ("", 0)][:2]
    return best if most and most >= WORDS_SHARE * len(words) and most >= LEAD * second else None


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
