"""What two sentences say of the same matter, laid beside each other, and where they deny each other; pure.

A sentence is read into clauses, a clause into words of the kinds of `gather_clients.wording`: of which
language they are, and which are negations, numbers and opposites, is known there in many languages.

- **Negation.** One clause denies what the other sentence says: every word that the negation covers stands in
  the other sentence, where nothing denies it, and so do most of the clause's other words. "No boats at night"
  denies "two boats are out at night", but "no crane" does not.
- **Opposite.** A word's opposite stands in the other sentence, both are denied or neither, and most of the
  rest is the same. Man and woman, son and daughter are two people and no contradiction.
- **Number.** The same thing is counted twice, differently, and most of the rest is the same.
- **Role, name.** Two words changed places, or one name stands in another's, and nothing else differs.
"""

import enum
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from gather_brain.words import remembered, stem
from gather_clients.wording.differences import Difference, telling_differences
from gather_clients.wording.telling_words import reading_of
from gather_clients.wording.text_language import language_of_text
from gather_clients.wording.word_kinds import Kind, Word
from gather_clients.wording.word_tables import Pole, are_opposite, poles_of

STATEMENTS_KEPT: Final = 6_000
"""Sentences; about 20 MiB when full."""
SHARED_MIN: Final = 2
"""Words of meaning that the two sentences share; fewer say nothing of the same matter."""
DENIED_SHARE: Final = 0.75
"""Of the words of a denying clause that stand in the other sentence."""
SENTENCE_SHARE: Final = 0.4
"""Of the words of a sentence one clause of which denies, those that stand in the other; with a third, thirty
notes on one film (tests/data/story_notes.json) would contradict each other five times."""
REST_SHARE: Final = 0.7
"""Of the shorter sentence's words, without those that are opposite or counted, that stand in the other."""
CLAUSE_WORDS_MIN: Final = 2
"""Of a clause that is compared by itself: a piece of one word is about anything."""
ALIKE_CHARS_MIN: Final = 3
EXCHANGED_MAX: Final = 2
"""Words of meaning that only one has, where a name stands in another's place."""

_WORDS: Final[dict[str, Any]] = json.loads(
    (files("gather_brain.coverage") / "statement_words.json").read_text("utf-8")
)
_CLAUSE: Final = re.compile(
    r"[,;:()–—。，、；：।]"  # noqa: RUF001
    r"|\s(?:and|but|while|whereas|although|und|aber|sondern|et|mais|y|pero|और|लेकिन|पर)\s",
    re.IGNORECASE,
)
_LIGHT: Final = frozenset(" ".join(_WORDS["light"]).split())
_SAME: Final[dict[str, str]] = _WORDS["same"]
_WIDER: Final = {wide: frozenset(map(stem, narrow.split())) for wide, narrow in _WORDS["wider"].items()}
"""Where none of the wider is there, none of the narrower is."""
_NONE: Final = frozenset[str]()
_LABELS: Final = frozenset(" ".join(_WORDS["labels"]).split())
"""A number after one of them names which it is."""
_PEOPLE: Final = frozenset(" ".join(_WORDS["people"]).split())
"""Of two people one is no opposite of the other; nor are "from" and "to" where both are said of a way."""


_FURTHER: Final[dict[str, frozenset[Pole]]] = {}
for _line, _pair in enumerate(" ".join(_WORDS["opposites"]).split(), 1):
    for _side, _word in enumerate(_pair.split("/")):
        _FURTHER[_word] = _FURTHER.get(_word, frozenset()) | {(-_line, _side)}
"""Opposites beside those of `gather_clients.wording`, by which the worker's figures were measured."""


class Conflict(enum.StrEnum):
    """In what two sentences deny each other."""

    NEGATION = "negation"
    OPPOSITE = "opposite"
    NUMBER = "number"
    ROLE = "role"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence."""

    content: tuple[str, ...]
    """The stems of its words of meaning, in order."""
    denied: tuple[str, ...]
    """Those that a negation covers: those after it, or all where none follows."""
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What of a sentence is compared."""

    text: str
    clauses: tuple[Clause, ...]
    content: frozenset[str]
    denied: frozenset[str]
    words: frozenset[str]
    counted: tuple[tuple[str, str], ...]
    """What is counted, its stem, and the number."""
    poles: frozenset[Pole]


@remembered(STATEMENTS_KEPT)
def statement_of(text: str) -> Statement:
    """Return what of a sentence is compared."""
    language = language_of_text(text)
    parts = [reading_of(part, language).words for part in _CLAUSE.split(text) if part.strip()]
    clauses = tuple(_clause(words) for words in parts)
    keys = frozenset(word.key for words in parts for word in words)
    return Statement(
        text=text,
        clauses=clauses,
        content=frozenset(each for clause in clauses for each in clause.content),
        denied=frozenset(each for clause in clauses for each in clause.denied),
        words=keys,
        counted=tuple(pair for words in parts for pair in _counted(words)),
        poles=_poles_of(keys - _PEOPLE),
    )


def _clause(words: Sequence[Word]) -> Clause:
    content = [(place, _stem(word)) for place, word in enumerate(words) if _has_meaning(word)]
    every = tuple(each for _, each in content)
    keys = frozenset(word.key for word in words if word.kind is not Kind.NEGATION)
    first = next((place for place, word in enumerate(words) if word.kind is Kind.NEGATION), None)
    if first is None:
        return Clause(every, (), words=keys)
    after = tuple(each for place, each in content if place > first)
    return Clause(every, after if first < len(words) - 1 else every, words=keys)


def _has_meaning(word: Word) -> bool:
    return (word.kind is Kind.PLAIN or word.kind is Kind.UNIT) and word.key not in _LIGHT


def _stem(word: Word) -> str:
    return stem(_SAME.get(word.key, word.key))


def _counted(words: Sequence[Word]) -> Iterable[tuple[str, str]]:
    for place, word in enumerate(words[:-1]):
        if word.kind is not Kind.NUMBER and word.kind is not Kind.WEAK_NUMBER:
            continue
        if not place or words[place - 1].key not in _LABELS:
            after = words[place + 1]
            if _has_meaning(after):
                yield _stem(after), word.key


def conflict_of(one: Statement, other: Statement) -> Conflict | None:
    """Return in what the two deny each other, None if in nothing; the order does not matter."""
    if one.content.isdisjoint(other.content) or not _may_differ(one, other):
        return None
    if _shared(one.content, other.content) < SHARED_MIN:
        return None
    if _denies(one, other) or _denies(other, one):
        return Conflict.NEGATION
    if _are_opposite(one, other):
        return Conflict.OPPOSITE
    if _are_counted_differently(one, other):
        return Conflict.NUMBER
    return _exchanged(one, other)


def _may_differ(one: Statement, other: Statement) -> bool:
    """Return whether they have anything in which two sentences can deny each other; most have not."""
    return bool(
        one.denied
        or other.denied
        or (one.counted and other.counted)
        or len(one.content ^ other.content) <= EXCHANGED_MAX
        or are_opposite(one.poles, other.poles)
    )


def _denies(one: Statement, other: Statement) -> bool:
    """Return whether a clause of the one denies what the other says.

    A clause that shares a single word, such as "not to Ada", says it of what the whole sentence is about.
    """
    if not one.denied:
        return False
    is_alike = _shared(one.content, other.content) >= SENTENCE_SHARE * len(one.content)
    return any(
        _is_denied(clause, other)
        for clause in one.clauses
        if clause.denied and (is_alike or _shared(clause.content, other.content) >= SHARED_MIN)
    )


def _is_denied(clause: Clause, other: Statement) -> bool:
    """Return whether the clause denies what the other sentence says."""
    if not all(_stands_in(word, other.content) for word in clause.denied):
        return False
    if any(_stands_in(word, other.denied) for word in clause.denied):
        return False
    if not _is_in_order(clause, other) or _turned(clause.words, other.words):
        return False
    return _shared(clause.content, other.content) >= DENIED_SHARE * len(clause.content)


def _is_in_order(clause: Clause, other: Statement) -> bool:
    """Return whether who is said not to do it stands before what is done in the other sentence, too."""
    order = [word for each in other.clauses for word in each.content]
    before = clause.content[: len(clause.content) - len(clause.denied)]
    if not before or clause.denied == clause.content:
        return True
    who = next((place for place, word in enumerate(order) if _is_same(word, before[-1])), None)
    what = next((place for place, word in enumerate(order) if _is_same(word, clause.denied[0])), None)
    return who is None or what is None or who < what


def _are_opposite(one: Statement, other: Statement) -> bool:
    if not are_opposite(one.poles, other.poles) or bool(one.denied) != bool(other.denied):
        return False
    turned = _turned(one.words, other.words)
    return bool(turned) and _rest_is_shared(one, other, {stem(word) for word in turned})


def _turned(one: frozenset[str], other: frozenset[str]) -> set[str]:
    """Return the words of either that only one has, and of which the other has an opposite."""
    sides = one - other - _PEOPLE, other - one - _PEOPLE
    poles = [_poles_of(side) for side in sides]
    if not are_opposite(*poles):
        return set()
    return {word for at in (0, 1) for word in sides[at] if are_opposite(_word_poles(word), poles[1 - at])}


def _poles_of(words: Collection[str]) -> frozenset[Pole]:
    return frozenset().union(*map(_word_poles, words))


@lru_cache(maxsize=20_000)
def _word_poles(word: str) -> frozenset[Pole]:
    """Return of which opposites a word is which side, in any of its forms: "smiling" is as "smile"."""
    base = stem(word)
    forms = {word, base, f"{base}e", word.removesuffix("ly"), base[:-1] if base[-2:-1] == base[-1:] else base}
    return frozenset().union(*(poles_of(form) | _FURTHER.get(form, frozenset()) for form in forms))


def _are_counted_differently(one: Statement, other: Statement) -> bool:
    there = dict(other.counted)
    differing = {
        what
        for what, number in one.counted
        if what in there and (what, number) not in other.counted and (what, there[what]) not in one.counted
    }
    return bool(differing) and _rest_is_shared(one, other, differing)


def _rest_is_shared(one: Statement, other: Statement, apart: Collection[str]) -> bool:
    """Return whether the sentences, or two clauses of them, are the same but for some words."""
    if _is_shared(one.content - set(apart), other.content - set(apart), least=1):
        return True
    return any(
        _is_shared(
            frozenset(left.content) - set(apart),
            frozenset(right.content) - set(apart),
            least=CLAUSE_WORDS_MIN,
        )
        for left in one.clauses
        for right in other.clauses
        if not set(apart).isdisjoint(left.content) and not set(apart).isdisjoint(right.content)
    )


def _is_shared(one: frozenset[str], other: frozenset[str], *, least: int) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= least and _shared(short, long) >= REST_SHARE * len(short)


def _exchanged(one: Statement, other: Statement) -> Conflict | None:
    if len(one.content ^ other.content) > EXCHANGED_MAX:
        return None
    found = telling_differences(one.text, other.text)
    if Difference.ROLE in found:
        return Conflict.ROLE
    return Conflict.NAME if found == {Difference.NAME} else None


def _shared(words: Collection[str], others: frozenset[str]) -> int:
    others_alone = [word for word in words if word not in others]
    return len(words) - len(others_alone) + sum(_is_like_one_of(others, word) for word in others_alone)


def _stands_in(word: str, others: frozenset[str]) -> bool:
    return word in others or _is_like_one_of(others, word)


def _is_like_one_of(others: frozenset[str], word: str) -> bool:
    return (
        not _WIDER.get(word, _NONE).isdisjoint(others)
        or _shortened(word) in others
        or word in _all_shortened(others)
    )


def _is_same(word: str, other: str) -> bool:
    same = word == other or other in _WIDER.get(word, _NONE)
    return same or _shortened(word) == other or word == _shortened(other)


def _shortened(word: str) -> str | None:
    """Return the stem without its last letter, which may be of the same word: "sit" of "sitt"."""
    return word[:-1] if len(word) > ALIKE_CHARS_MIN else None


@lru_cache(maxsize=STATEMENTS_KEPT)
def _all_shortened(words: frozenset[str]) -> frozenset[str | None]:
    return frozenset(map(_shortened, words))
