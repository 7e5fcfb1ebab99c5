"""A text read for what turns its meaning: numbers, negations, names, each as a word of its own kind; pure.

Numbers are found in all digits that Unicode knows, and in English words; negations by short lists of words in
35 languages, and of signs in three that write no spaces (`telling_words.json`); names by their capitals, in
scripts that have any. Words are in one case and one Unicode form: spelling alone makes no difference.
"""

import enum
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from gather_worker.duplicates.features import STEM_CHARS

TEXTS_KEPT: Final = 128
"""A batch and most of the saved notes that it is compared with; 30 KB each, 200 KB at the greatest length."""
CAPITALS_SHARE: Final = 0.6
"""Where more of the words begin with a capital, as in headings, capitals name nothing."""
WORDS_FOR_SHARE: Final = 6
DIGITS_MAX: Final = 30
"""A longer number is a code, and compared as it is written."""
NUMBER_WORDS_MAX: Final = 12
THOUSAND: Final = 1000
"""From which on a number word ends its part: "two hundred thousand and five"."""
GROUP_DIGITS: Final = 3
SEPARATORS: Final = frozenset(".,'٫٬")  # noqa: RUF001 - Arabic ones are meant
ELISION_MAX: Final = 2
"""Of letters before or after an apostrophe that are a word of their own: l', qu', 'd, 're."""

SPACELESS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_OTHER: Final = r"\s\d!-/:-@\[-`{-~«»„“”‘‚’…–—·।،؛؟۔、。「」『』（）！？；：¡¿№°€£¥≤≥±"  # noqa: RUF001 - punctuation is meant
_NUMBER: Final = r"(?:(?<![\w.,:'-])[-+](?=\d))?\d+(?:[.,:'٫٬⁄/]\d+)*"  # noqa: RUF001 - Arabic signs
_SIGN: Final = "[$€£¥%°<>≤≥±]"
_PLAIN: Final = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x2212: "-", 0x2010: "-", 0x2011: "-", 0x200B: None}
_SHORTENED: Final = {"can't": "can", "won't": "will", "shan't": "shall"}
_CONTRACTED: Final = frozenset(
    ["dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "couldnt"]
)
_TENS: Final = frozenset(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])


class Kind(enum.Enum):
    """What a word is; of two texts' words only those of one kind are alike."""

    PLAIN = enum.auto()
    NUMBER = enum.auto()
    WEAK_NUMBER = enum.auto()
    """Such as "one" and "second": a number only where another stands in its place."""
    UNIT = enum.auto()
    NEGATION = enum.auto()
    FILLER = enum.auto()


@dataclass(frozen=True, slots=True)
class Word:
    """One word; `key` is what makes two the same."""

    key: str
    kind: Kind = Kind.PLAIN
    is_capital: bool = False


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
def _data() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(
        files(__package__).joinpath("telling_words.json").read_text(encoding="utf-8")
    )
    return found


@cache
def word_list(name: str) -> frozenset[str]:
    """Return one of the lists of `telling_words.json`."""
    return frozenset(_data()[name].split())


@cache
def negations() -> frozenset[str]:
    """Return the negations of all languages."""
    return frozenset(word for words in _data()["negations"].values() for word in words.split())


@cache
def opposites() -> frozenset[frozenset[str]]:
    """Return the pairs of words of which one is the other's opposite."""
    return frozenset(frozenset(pair.split("/")) for pair in _data()["opposites"].split())


@cache
def _units() -> Mapping[str, str]:
    return {word: unit for unit, words in _data()["units"].items() for word in words.split()}


@cache
def _pattern() -> re.Pattern[str]:
    spaceless = "|".join(sorted(_data()["spaceless_negations"].split(), key=len, reverse=True))
    return re.compile(
        f"(?P<number>{_NUMBER})|(?P<spaceless_negation>{spaceless})|(?P<spaceless>[{SPACELESS}])"
        rf"|(?P<word>[^{_OTHER}{SPACELESS}]+(?:'[^{_OTHER}{SPACELESS}]+)*(?:\+\+|#)?)|(?P<sign>{_SIGN})"
    )


@lru_cache(maxsize=TEXTS_KEPT)
def reading_of(text: str) -> Reading:
    """Return the text's words."""
    words = tuple(_with_numbers(list(_raw_words(text))))
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


def _raw_words(text: str) -> Iterator[Word]:
    """Yield the words, each number as it is written."""
    # Not NFKC, for which ten squared is a hundred and two.
    seen = unicodedata.normalize("NFC", text.translate(_PLAIN))
    for found in _pattern().finditer(seen):
        kind, written = str(found.lastgroup), found.group()
        if kind == "number":
            yield Word(written, Kind.NUMBER)
        elif kind == "word":
            yield from _parts(written)
        else:
            yield _single(written, kind)


def _single(written: str, kind: str) -> Word:
    if kind == "spaceless_negation":
        return Word(written, Kind.NEGATION)
    if kind == "sign":
        return Word(written, Kind.UNIT)
    value = unicodedata.numeric(written, None)
    return Word(written) if value is None else Word(f"#{value:g}", Kind.WEAK_NUMBER)


def _parts(written: str) -> Iterator[Word]:
    """Yield a written word's words: "don't" is "do" and "not", "l'heure" is "l" and "heure"."""
    if written.isnumeric():
        yield Word(written, Kind.NUMBER)  # a fraction or a power, in one sign
        return
    for place, key in enumerate(_split(unicodedata.normalize("NFKC", written).casefold())):
        is_capital = place == 0 and written[0] != written[0].lower() and key != "i"
        yield Word(key, _kind_of(key), is_capital)


def _split(folded: str) -> list[str]:
    stem, _, end = folded.partition("'")
    if folded in _CONTRACTED:
        words = [folded[:-2], "not"]
    elif folded.endswith("n't"):
        words = [_SHORTENED.get(folded, folded[:-3]), "not"]
    elif end == "s":
        words = [stem]
    elif end and min(len(stem), len(end)) <= ELISION_MAX:
        words = [stem, *end.split("'")]
    else:
        words = [folded]
    return words


def _kind_of(key: str) -> Kind:
    data = _data()
    if key in negations():
        kind = Kind.NEGATION
    elif key in data["numbers"] or key in data["scales"]:
        kind = Kind.NUMBER
    elif key in data["weak_numbers"]:
        kind = Kind.WEAK_NUMBER
    else:
        kind = Kind.FILLER if key in word_list("fillers") else Kind.PLAIN
    return kind


def _with_numbers(written: Sequence[Word]) -> Iterator[Word]:
    """Yield the words with each number in one form: "two hundred and five" and "205" are the same."""
    words = [word for at, word in enumerate(written) if not _is_within_number(written, at)]
    place = 0
    while place < len(words):
        word = words[place]
        if word.kind is Kind.NUMBER:
            value, place = _number_at(words, place)
            yield Word(value, Kind.NUMBER)
            if place < len(words) and words[place].key in _units():
                yield Word(f"unit {_units()[words[place].key]}", Kind.UNIT)
                place += 1
            continue
        if word.kind is Kind.UNIT:
            word = Word(f"unit {_units().get(word.key, word.key)}", Kind.UNIT)
        elif word.kind is Kind.WEAK_NUMBER and word.key in _data()["weak_numbers"]:
            word = Word(f"#{_data()['weak_numbers'][word.key]}", Kind.WEAK_NUMBER)
        yield word
        place += 1


def _number_at(words: Sequence[Word], place: int) -> tuple[str, int]:
    """Return the number that begins at a place, and the place after it."""
    value = written_value(words[place].key)
    end = place + 1
    if value is None:
        return f"#{words[place].key}", end
    scales, numbers = _data()["scales"], {**_data()["numbers"], **_data()["weak_numbers"]}
    total, part = Fraction(0), value
    for before, word in itertools.pairwise(words[place : place + NUMBER_WORDS_MAX]):
        if word.key in scales:
            part *= scales[word.key]
            if scales[word.key] >= THOUSAND:
                total, part = total + part, Fraction(0)
        elif word.key in numbers and before.key in {*scales, *_TENS}:
            part += Fraction(numbers[word.key])
        else:
            break
        end += 1
    return f"#{total + part}", end


def _is_within_number(words: Sequence[Word], at: int) -> bool:
    """Return whether a word is the "and" of "two hundred and five"."""
    is_and = 0 < at < len(words) - 1 and words[at].key == "and"
    return is_and and words[at - 1].key in _data()["scales"] and words[at + 1].key in _data()["numbers"]


def written_value(written: str) -> Fraction | None:
    """Return what a number in digits, a sign or a word is worth; None for what is a code, such as a time.

    Separators before three digits each, as in "1,000" and "1.000.000", part thousands; else the last one is
    the decimal sign.
    """
    known = {**_data()["numbers"], **_data()["scales"]}
    if written in known:
        return Fraction(known[written])
    if not any(char.isdecimal() for char in written):
        return None
    digits = "".join(str(unicodedata.decimal(char, char)) for char in written)
    parts, separators = re.split(r"\D", digits.lstrip("+-")), re.findall(r"\D", digits.lstrip("+-"))
    if len(digits) > DIGITS_MAX or not set(separators) <= SEPARATORS:
        return None
    decimals = ""
    if separators and not _is_grouped(parts, separators):
        if separators[-1] in separators[:-1] or len(set(separators[:-1])) > 1:
            return None
        decimals = parts.pop()
    value = Fraction(int("".join(parts) + decimals), 10 ** len(decimals))
    return -value if digits.startswith("-") else value


def _is_grouped(parts: Sequence[str], separators: Sequence[str]) -> bool:
    is_even = all(len(part) == GROUP_DIGITS for part in parts[1:])
    return is_even and len(set(separators)) == 1 and 0 < len(parts[0].lstrip("0")) <= GROUP_DIGITS
