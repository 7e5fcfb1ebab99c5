"""A text read for what turns its meaning: numbers, negations, names, each as a word of its own kind; pure.

Numbers are found in all digits that Unicode knows, and in words; names by their capitals, in scripts that
have any; what a word says in a language stands in `word_tables.py`. Words are in one case and one Unicode
form: spelling alone makes no difference.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from gather_clients.wording.text_language import language_of_pair
from gather_clients.wording.word_kinds import STEM_CHARS, Kind, Word
from gather_clients.wording.word_tables import (
    SPACELESS,
    fillers,
    folded,
    negating_parts,
    negations,
    number_words,
    spaceless_words,
    word_list,
)
from gather_clients.wording.written_numbers import NUMERALS, compound_value, with_numbers

TEXTS_KEPT: Final = 128
"""A batch and most of the saved notes that it is compared with; 30 KB each, 200 KB at the greatest length."""
WORDS_KEPT: Final = 4096
CAPITALS_SHARE: Final = 0.6
"""Where more of the words begin with a capital, as in headings, capitals name nothing."""
WORDS_FOR_SHARE: Final = 6
ELISION_MAX: Final = 2
"""Of letters before or after an apostrophe that are a word of their own: l', qu', 'd, 're."""

_OTHER: Final = r"\s\d!-/:-@\[-`{-~«»„“”‘‚’…–—·।،؛؟۔、。「」『』（）！？；：¡¿№°€£¥≤≥±"  # noqa: RUF001 - punctuation is meant
_NUMBER: Final = r"(?:(?<![\w.,:'-])[-+](?=\d))?\d+(?:[.,:'٫٬⁄/]\d+)*"  # noqa: RUF001 - Arabic signs
_SIGN: Final = "[$€£¥%°<>≤≥±]"
_PLAIN: Final = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x2212: "-", 0x2010: "-", 0x2011: "-", 0x200B: None}
_HYPHENED: Final = re.compile(r"\b(un|non|dis)-(?=[^\W\d_]{3})", re.IGNORECASE)
"""A negating prefix that is written as a word of its own."""
_SHORTENED: Final = {"can't": "can", "won't": "will", "shan't": "shall"}
_CONTRACTED: Final = frozenset(
    ["dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "couldnt"]
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text's words, in order."""

    words: tuple[Word, ...]
    stems: tuple[str, ...]
    """Of each word what stays when it is inflected, roughly; names and numbers whole."""
    has_capitals: bool
    """Whether capitals name anything: not in headings, nor in scripts without them."""
    small: frozenset[str]
    """Words that stand there without a capital."""


@cache
def _pattern() -> re.Pattern[str]:
    spaceless = "|".join(map(re.escape, sorted(spaceless_words(), key=len, reverse=True)))
    return re.compile(
        f"(?P<number>{_NUMBER})|(?P<numeral>[{NUMERALS}]{{2,}})|(?P<known>{spaceless})"
        f"|(?P<spaceless>[{SPACELESS}])"
        rf"|(?P<word>[^{_OTHER}{SPACELESS}]+(?:'[^{_OTHER}{SPACELESS}]+)*(?:\+\+|#)?)|(?P<sign>{_SIGN})"
    )


def readings_of(one: str, other: str) -> tuple[Reading, Reading]:
    """Return the words of two texts, both read in the language that they seem to be in."""
    language = language_of_pair(one, other)
    return reading_of(one, language), reading_of(other, language)


@lru_cache(maxsize=TEXTS_KEPT)
def reading_of(text: str, language: str | None = None) -> Reading:
    """Return the text's words; without a language those count that mean the same in all."""
    words = tuple(with_numbers(list(_raw_words(text, language)), language))
    capital = sum(word.is_capital for word in words)
    return Reading(
        words=words,
        stems=tuple(
            word.key if word.is_capital or word.kind is not Kind.PLAIN else word.key[:STEM_CHARS]
            for word in words
        ),
        has_capitals=0 < capital <= max(CAPITALS_SHARE * len(words), WORDS_FOR_SHARE),
        small=frozenset(word.key for word in words if not word.is_capital),
    )


def _raw_words(text: str, language: str | None) -> Iterator[Word]:
    """Yield the words, each number as it is written."""
    # Not NFKC, for which ten squared is a hundred and two.
    seen = _HYPHENED.sub(r"\1", unicodedata.normalize("NFC", text.translate(_PLAIN)))
    for found in _pattern().finditer(seen):
        kind, written = str(found.lastgroup), found.group()
        if kind == "number":
            yield Word(written, Kind.NUMBER)
        elif kind == "word":
            yield from _parts(written, language)
        else:
            yield _single(written, kind)


def _single(written: str, kind: str) -> Word:
    if kind == "sign":
        return Word(written, Kind.UNIT)
    if kind == "numeral":
        return Word(written, Kind.NUMBER)
    if kind == "known":
        return Word(written, spaceless_words()[written])
    value = unicodedata.numeric(written, None)
    return Word(written) if value is None else Word(f"#{value:g}", Kind.WEAK_NUMBER)


@lru_cache(maxsize=WORDS_KEPT)
def _parts(written: str, language: str | None) -> tuple[Word, ...]:
    """Return a written word's words: "don't" is "do" and "not", "l'heure" is "l" and "heure"."""
    if written.isnumeric():
        return (Word(written, Kind.NUMBER),)  # a fraction or a power, in one sign
    is_capital = written[0] != written[0].lower()
    return tuple(
        Word(key, _kind_of(key, language), is_capital and place == 0 and key != "i")
        for place, key in enumerate(_split(folded(written), language))
    )


def _split(word: str, language: str | None) -> list[str]:
    stem, _, end = word.partition("'")
    if word in _CONTRACTED:
        words = [word[:-2], "not"]
    elif word.endswith("n't"):
        words = [each for each in (_SHORTENED.get(word, word[:-3]), "not") if each]
    elif end == "s":
        words = [stem]
    elif end and min(len(stem), len(end)) <= ELISION_MAX and word not in number_words(language).values:
        words = [stem, *end.split("'")]
    elif word not in negations(language) and (found := negating_parts(language).search(word)):
        words = [word[: found.start()], "not"]
    else:
        words = [word]
    return words


def _kind_of(key: str, language: str | None) -> Kind:
    numbers = number_words(language)
    if key in negations(language) or key == "not" or key.startswith(tuple(word_list("negation_beginnings"))):
        kind = Kind.NEGATION
    elif key in numbers.values or key in numbers.scales or compound_value(key) is not None:
        kind = Kind.NUMBER
    elif key in numbers.weak:
        kind = Kind.WEAK_NUMBER
    else:
        kind = Kind.FILLER if key in fillers(language) else Kind.PLAIN
    return kind
