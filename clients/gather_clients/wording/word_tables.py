"""What the tables of words say in each language; pure.

A word may mean something else in another language ("on" is ten in Turkish, "mai" is never in Italian and more
in Romanian). So the texts say which language's tables hold (`text_language.py`); where that is not clear the
words of all languages count that mean nothing else anywhere.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain
from typing import Any, Final

from gather_clients.wording.word_kinds import Kind

ENGLISH: Final = "en"

SPACELESS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_SPACELESS_SIGN: Final = re.compile(f"[{SPACELESS}]")


@cache
def _table(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(
        files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    )
    return found


def folded(word: str) -> str:
    """Return a word in one case and one Unicode form; the Turkish capital I with a dot is an i."""
    return unicodedata.normalize("NFKC", word).casefold().replace("i̇", "i")


def _split(words: str | list[str]) -> list[str]:
    return folded(words if isinstance(words, str) else " ".join(words)).split()


@cache
def word_list(name: str) -> frozenset[str]:
    """Return one of the lists of `telling_words.json` that hold for all languages."""
    return frozenset(_split(_table("telling_words")[name]))


@cache
def units() -> Mapping[str, str]:
    """Return each unit's one name by its forms."""
    return {word: unit for unit, words in _table("telling_words")["units"].items() for word in words.split()}


@cache
def _small_words() -> Mapping[str, Mapping[str, frozenset[str]]]:
    return {
        code: {kind: frozenset(_split(words)) for kind, words in entry.items()}
        for code, entry in _table("function_words").items()
    }


@cache
def function_words(language: str | None) -> frozenset[str]:
    """Return the words that say in which language a text is: articles, pronouns and the like."""
    return frozenset(chain.from_iterable(_small_words().get(language or "", {}).values()))


@cache
def tabled_words() -> Mapping[str, frozenset[str]]:
    """Return each language's words that carry no meaning, negate or count."""
    tables = _number_tables()
    return {
        code: function_words(code)
        | _listed_negations().get(code, frozenset())
        | frozenset(_number_values(code) if code in tables else ())
        for code in {*_small_words(), *_listed_negations()}
    }


@cache
def _listed_negations() -> Mapping[str, frozenset[str]]:
    return {code: frozenset(_split(words)) for code, words in _table("telling_words")["negations"].items()}


@cache
def negations(language: str | None) -> frozenset[str]:
    """Return the negations of all languages, without those that mean something else in this one."""
    listed = _listed_negations()
    own = listed.get(language or "", frozenset())
    return frozenset(chain.from_iterable(listed.values())) - (function_words(language) - own)


@cache
def fillers(language: str | None) -> frozenset[str]:
    """Return the words that carry no meaning."""
    return word_list("fillers") | _small_words().get(language or "", {}).get("fillers", frozenset())


@cache
def negating_parts(language: str | None) -> re.Pattern[str]:
    """Return what negates a word from within or at its end; before it stands what is negated."""
    parts = _table("telling_words")["negating_parts"]
    held = [part for code, part in parts.items() if language in {code, None} or code != "tr"]
    return re.compile(f"(?<=..)(?:{'|'.join(held)})")


@cache
def _spaceless_numbers() -> Mapping[str, Fraction]:
    written = (entry.get("spaceless", "") for entry in _number_tables().values())
    return {
        unicodedata.normalize("NFC", word): Fraction(value)
        for word, value in (pair.split("/") for pair in " ".join(written).split())
    }


@cache
def spaceless_words() -> Mapping[str, Kind]:
    """Return the words of scripts without spaces that are more than their signs."""
    data = _table("telling_words")
    poles = (word for table in _poles() for word in table if is_spaceless(word))
    found = {unicodedata.normalize("NFC", word): Kind.PLAIN for word in poles if len(word) > 1}
    for kind, words in ((Kind.PLAIN, "spaceless_words"), (Kind.NEGATION, "spaceless_negations")):
        found |= dict.fromkeys(unicodedata.normalize("NFC", data[words]).split(), kind)
    return found | dict.fromkeys(_spaceless_numbers(), Kind.NUMBER)


def is_spaceless(word: str) -> bool:
    """Return whether a word is of a script that writes no spaces."""
    return bool(_SPACELESS_SIGN.match(word))


@dataclass(frozen=True, slots=True)
class NumberWords:
    """The number words of a language."""

    values: Mapping[str, Fraction]
    weak: Mapping[str, Fraction]
    """Such as "one" and "second": a number only where another stands in its place."""
    scales: Mapping[str, Fraction]
    joiners: frozenset[str]
    """Stand between tens and ones."""
    all: Mapping[str, Fraction]


@cache
def _number_tables() -> Mapping[str, Mapping[str, str]]:
    return {
        code: {kind: words if isinstance(words, str) else " ".join(words) for kind, words in entry.items()}
        for code, entry in _table("number_words").items()
        if isinstance(entry, dict)
    }


@dataclass(frozen=True, slots=True)
class Compounds:
    """How a language writes several numbers as one word."""

    parts: re.Pattern[str]
    values: Mapping[str, Fraction]
    """Of the parts; what only joins two is worth nothing."""
    scales: frozenset[str]


@cache
def compounds() -> tuple[Compounds, ...]:
    """Return those of all languages that do."""
    made = []
    for code, entry in _number_tables().items():
        if "joins" in entry:
            values = {**dict.fromkeys(entry["joins"].split(), Fraction(0)), **_number_values(code)}
            parts = re.compile("|".join(sorted(values, key=len, reverse=True)))
            made.append(Compounds(parts, values, frozenset(_values(code, "scales"))))
    return tuple(made)


def _number_values(code: str) -> dict[str, Fraction]:
    return {**_values(code, "weak"), **_values(code, "scales"), **_values(code, "numbers")}


def _values(code: str, kind: str) -> dict[str, Fraction]:
    pairs = (pair.split("/") for pair in _split(_number_tables()[code].get(kind, "")))
    return {word: Fraction(value) for word, value in pairs}


@cache
def _plain_in_others() -> frozenset[str]:
    """Return the number words that are a common word, or another number, somewhere else."""
    found, ambiguous = dict[str, Fraction](), set(_split(_table("number_words")["ambiguous"]))
    for code in _number_tables():
        for word, value in {**_values(code, "numbers"), **_values(code, "scales")}.items():
            if found.setdefault(word, value) != value:
                ambiguous.add(word)
            if any(word in function_words(other) for other in _small_words() if other != code):
                ambiguous.add(word)
    return frozenset(ambiguous)


@cache
def number_words(language: str | None) -> NumberWords:
    """Return English number words, those of all languages that mean nothing else, and the language's own."""
    tables = _number_tables()
    own = language if language is not None and language in tables else ENGLISH
    plain = function_words(language) | (_plain_in_others() if language != ENGLISH else frozenset())

    def merged(kind: str) -> dict[str, Fraction]:
        of_all = {word: value for code in tables for word, value in _values(code, kind).items()}
        english = _values(ENGLISH, kind)
        certain = {word: value for word, value in of_all.items() if word not in _plain_in_others()}
        return {**certain, **_without(english, plain), **_values(own, kind)}

    values, scales = {**merged("numbers"), **_spaceless_numbers()}, merged("scales")
    weak = {**_without(_values(ENGLISH, "weak"), plain | values.keys()), **_values(own, "weak")}
    joiners = frozenset({"and", *tables[own].get("and", "").split()})
    return NumberWords(values, weak, scales, joiners, {**weak, **scales, **values})


def _without(words: Mapping[str, Fraction], others: frozenset[str]) -> dict[str, Fraction]:
    return {word: value for word, value in words.items() if word not in others}


Pole = tuple[int, int]
"""A pair of opposites, and the side of it."""


@cache
def _poles() -> tuple[Mapping[str, frozenset[Pole]], Mapping[str, frozenset[Pole]]]:
    """Return the poles of whole words, and of beginnings."""
    whole, beginnings = defaultdict[str, set[Pole]](set), defaultdict[str, set[Pole]](set)
    pairs = [pair for words in _table("opposites").values() for pair in _split(words)]
    for place, pair in enumerate(pairs):
        for side, words in enumerate(pair.split("/")):
            for word in words.split(","):
                (beginnings if word.endswith("-") else whole)[word.removesuffix("-")].add((place, side))
    return tuple({word: frozenset(at) for word, at in table.items()} for table in (whole, beginnings))  # type: ignore[return-value]


@lru_cache(maxsize=4096)
def poles_of(word: str) -> frozenset[Pole]:
    """Return of which opposites the word is which side, in any language."""
    whole, beginnings = _poles()
    starts = (beginnings.get(word[:end], frozenset()) for end in range(1, len(word) + 1))
    return whole.get(word, frozenset()).union(*starts)


def are_opposite(one: frozenset[Pole], other: frozenset[Pole]) -> bool:
    """Return whether words of these poles say the opposite of each other."""
    return any((place, 1 - side) in other for place, side in one)
