"""Whether two texts differ in nothing but what turns their meaning; pure.

An embedding's cosine hardly sees a negation, another year or name, a tenfold amount, or who did it to whom,
and in a long note neither do the shares of words. Here the words are laid side by side, and what differs is
looked at: such texts are for a reader to judge; nothing that counts likeness may call them duplicates.
"""

import enum
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

from gather_clients.wording.alignment import gaps
from gather_clients.wording.telling_words import Reading, readings_of
from gather_clients.wording.word_kinds import Kind
from gather_clients.wording.word_tables import Pole, are_opposite, is_spaceless, poles_of, word_list

PAIRS_KEPT: Final = 8
"""A pair is looked at for one difference after the other."""
BESIDE_MAX: Final = 3
"""Other words, in all, beside those that turn the meaning: "has a lamp" and "does without a lamp"."""
SHARED_TIMES: Final = 2
"""Words that both texts have, for each of those: else the texts are not the same but for a difference."""
GAP_WORDS_MAX: Final = 40
SCOPE_CHARS: Final = 3
"""Of the word that a negation stands before: "opens" and "open" are one."""
BASE_CHARS_MIN: Final = 3
"""Of the word that a negating prefix stands before."""
NAME_CHARS_MIN: Final = 4
"""Of a name from which another is derived, and the most that is put to it."""
SIGNS_MAX: Final = 4
"""Of a word in scripts that write no spaces."""
BLOCK_WORDS_MAX: Final = 4
"""Of a subject or an object that changed places."""


class Difference(enum.StrEnum):
    """What turns the meaning."""

    NUMBER = "number"
    NAME = "name"
    NEGATION = "negation"
    OPPOSITE = "opposite"
    ROLE = "role"


def telling_differences(one: str, other: str) -> frozenset[Difference]:
    """Return what turns the meaning between two texts that differ in nothing else; empty for all others.

    Words that carry no meaning, endings, and places of words are nothing else. It does not depend on which
    text comes first.
    """
    first, second = sorted((one, other))
    a, b = readings_of(first, second)
    if _is_word_exchange(a.stems, b.stems):
        return frozenset({Difference.ROLE})
    sides, shared = _laid_side_by_side(first, second)
    kinds = [_kinds(left, right) for left, right in sides]
    if not _is_nothing_else(sides, kinds, len(shared[0])):
        return frozenset()
    differences = set[Difference]().union(*kinds) - {Difference.NEGATION}
    if _negated(a, b) != _negated(b, a):
        differences.add(Difference.NEGATION)
    if not _is_passive_once(sides) and _have_exchanged(*shared):
        differences.add(Difference.ROLE)
    return frozenset(differences)


def has_another_word(one: str, other: str) -> bool:
    """Return whether the texts differ in one word of meaning alone, in whose place the other has another.

    "She agrees" and "she refuses" do, and so do "a pan" and "a skillet": no list tells the two apart.
    """
    first, second = sorted((one, other))
    sides, _ = _laid_side_by_side(first, second)
    words = [
        pair for pair in ((_plain_words(left), _plain_words(right)) for left, right in sides) if any(pair)
    ]
    if len(words) != 1 or not all(words[0]):
        return False
    left, right = words[0]
    if all(map(is_spaceless, (*left, *right))):
        return max(map(len, words[0])) <= SIGNS_MAX
    return len(left) == len(right) == 1 and not _is_inflected(left[0], right[0])


def has_other_numbers(one: str, other: str) -> bool:
    """Return whether each text has a number that the other has not, however they are worded."""
    numbers = [
        {word.key for word in reading.words if word.kind is Kind.NUMBER}
        for reading in readings_of(one, other)
    ]
    return bool(numbers[0] - numbers[1]) and bool(numbers[1] - numbers[0])


class _Side:
    """What one of the texts has in a gap and the other has nowhere."""

    def __init__(self, reading: Reading, places: Sequence[int], small: frozenset[str]) -> None:
        self.words = [reading.words[place] for place in places]
        capitals = {word.key for word in self.words if word.is_capital and word.kind is Kind.PLAIN}
        capitals = capitals if reading.has_capitals else set()
        self.names = capitals - small - word_list("pronouns")

    def poles(self) -> frozenset[Pole]:
        """Return of which opposites its words are which side."""
        return frozenset().union(*(poles_of(word.key) for word in self.words[:GAP_WORDS_MAX]))

    def keys(self, *kinds: Kind) -> frozenset[str]:
        """Return the words of some kinds."""
        return frozenset(word.key for word in self.words if word.kind in kinds)


_Sides = Sequence[tuple[_Side, _Side]]


@lru_cache(maxsize=PAIRS_KEPT)
def _laid_side_by_side(one: str, other: str) -> tuple[_Sides, tuple[list[str], list[str]]]:
    """Return what each text has in each gap and the other nowhere, and what both have, in each's order."""
    a, b = readings_of(one, other)
    found = gaps(a.stems, b.stems)
    own_a = _own_places(a, [gap.one for gap in found], b)
    own_b = _own_places(b, [gap.other for gap in found], a)
    small = a.small | b.small
    sides = [
        (_Side(a, left, small), _Side(b, right, small)) for left, right in zip(own_a, own_b, strict=True)
    ]
    return sides, (_without(a, own_a), _without(b, own_b))


def _plain_words(side: _Side) -> list[str]:
    return [word.key for word in side.words if word.kind is Kind.PLAIN]


def _own_places(reading: Reading, lone: Sequence[range], other: Reading) -> list[list[int]]:
    """Return for each gap the places of the text's words that the other text does not have elsewhere."""
    left = Counter(other.stems)
    left.subtract(reading.stems[place] for place in _aligned(reading, lone))
    own = []
    for places in lone:
        here = []
        for place in places:
            if left[reading.stems[place]] > 0:
                left[reading.stems[place]] -= 1
            else:
                here.append(place)
        own.append(here)
    return own


def _aligned(reading: Reading, lone: Sequence[range]) -> list[int]:
    alone = {place for places in lone for place in places}
    return [place for place in range(len(reading.words)) if place not in alone]


def _without(reading: Reading, own: Sequence[Sequence[int]]) -> list[str]:
    """Return the stems that both texts have, in this one's order."""
    gone = {place for places in own for place in places}
    return [stem for place, stem in enumerate(reading.stems) if place not in gone]


def _kinds(left: _Side, right: _Side) -> set[Difference]:
    """Return of which kinds the differences between the two sides of a gap are."""
    kinds = set[Difference]()
    if left.keys(Kind.NUMBER) != right.keys(Kind.NUMBER):
        kinds.add(Difference.NUMBER)
    for loose in ((Kind.NUMBER, Kind.WEAK_NUMBER), (Kind.UNIT,)):
        pair = left.keys(*loose), right.keys(*loose)
        if all(pair) and pair[0] != pair[1]:
            kinds.add(Difference.NUMBER)
    if _named(left, right) and _named(right, left):
        kinds.add(Difference.NAME)
    # In a longer gap there is so much else that nothing follows from it.
    words = [
        (one.key, other.key)
        for one, other in product(left.words[:GAP_WORDS_MAX], right.words[:GAP_WORDS_MAX])
    ]
    if are_opposite(left.poles(), right.poles()):
        kinds.add(Difference.OPPOSITE)
    if left.keys(Kind.NEGATION) != right.keys(Kind.NEGATION) or any(
        _is_negated_by_prefix(one, other) or _is_negated_by_prefix(other, one) for one, other in words
    ):
        kinds.add(Difference.NEGATION)
    return kinds


def _named(here: _Side, there: _Side) -> frozenset[str]:
    """Return the names of a side that the other has in no form: "Egypt" is "Egyptian".

    A name in whose place there is none is a pronoun's, or more of a name: most such texts are duplicates.
    """
    return frozenset(
        name
        for name in here.names
        if not any(_is_derived(*sorted((name, other), key=len)) for other in there.names)
    )


def _is_derived(short: str, long: str) -> bool:
    return (
        len(short) >= NAME_CHARS_MIN and long.startswith(short) and len(long) - len(short) <= NAME_CHARS_MIN
    )


def _is_nothing_else(sides: _Sides, kinds: Sequence[Collection[Difference]], shared: int) -> bool:
    """Return whether the texts are the same but for what turns the meaning and the few words beside it."""
    beside = 0
    for (left, right), here in zip(sides, kinds, strict=True):
        count = _beside(left, right, here)
        if count and not here:
            return False
        beside += count
    return beside <= BESIDE_MAX and SHARED_TIMES * beside <= shared


def _beside(left: _Side, right: _Side, kinds: Collection[Difference]) -> int:
    """Return how many other words the two sides of a gap do not share, of the side that has more."""
    named = [_named(left, right), _named(right, left)] if Difference.NAME in kinds else [frozenset[str]()] * 2
    rest = [
        [word for word in _plain_words(side) if word not in names and not _turns(word, there)]
        for side, there, names in ((left, right, named[0]), (right, left, named[1]))
    ]
    if max(map(len, rest)) > GAP_WORDS_MAX:
        return GAP_WORDS_MAX
    return max(
        sum(not any(_is_inflected(one, other) for other in rest[1 - here]) for one in rest[here])
        for here in (0, 1)
    )


def _turns(word: str, there: _Side) -> bool:
    """Return whether a word is the opposite or the negation of one of the other side."""
    return are_opposite(poles_of(word), there.poles()) or any(
        _is_negated_by_prefix(word, each.key) or _is_negated_by_prefix(each.key, word)
        for each in there.words[:GAP_WORDS_MAX]
    )


def _is_passive_once(sides: _Sides) -> bool:
    """Return whether one of the texts says by whom something is done, and the other who does it."""
    agents = [
        any(word.key in word_list("agents") for pair in sides for word in pair[at].words) for at in (0, 1)
    ]
    return agents[0] != agents[1]


def _is_inflected(one: str, other: str) -> bool:
    """Return whether two words may be forms of one: "save" and "saving"."""
    shortest = min(len(one), len(other))
    shared = next((at for at in range(shortest) if one[at] != other[at]), shortest)
    return shared >= max(SCOPE_CHARS, shortest - 1)


def _negated(reading: Reading, other: Reading) -> Counter[str]:
    """Return what the text negates: of each word that a negation stands before, the beginning."""
    there = {word.key for word in other.words}
    scopes, after = Counter[str](), ""
    for word in reversed(reading.words):
        if word.kind is Kind.NEGATION:
            scopes[after] += 1
        elif word.kind is Kind.PLAIN:
            after = word.key[:SCOPE_CHARS]
            base = "" if word.key in there else _base(word.key, there)
            if base:
                scopes[base[:SCOPE_CHARS]] += 1
    return scopes


def _base(word: str, there: Collection[str]) -> str:
    """Return the word without its negating prefix, if the other text has it so; else nothing."""
    bases = (word.removeprefix(prefix) for prefix in word_list("negating_prefixes"))
    return next((base for base in bases if base in there and _is_negated_by_prefix(word, base)), "")


def _is_negated_by_prefix(word: str, base: str) -> bool:
    prefix = word.removesuffix(base)
    return len(base) >= BASE_CHARS_MIN and prefix != word and prefix in word_list("negating_prefixes")


def _have_exchanged(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether words of the same text changed places with each other, around one that did not."""
    if one == other:
        return False
    start = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
    end = next(at for at in range(len(one)) if one[-1 - at] != other[-1 - at])
    return _is_block_exchange(one[start : len(one) - end], other[start : len(other) - end])


def _is_block_exchange(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the one is A m B and the other B m A; "A and B" is "B and A"."""
    count = len(one)
    if one[0] in word_list("places") or other[0] in word_list("places"):
        return False  # "in the harbour a boat burns" has no one who changed places
    return any(
        first + last < count
        and one[:first] == other[count - first :]
        and one[count - last :] == other[:last]
        and one[first : count - last] == other[last : count - first]
        and not word_list("connectives").issuperset(one[first : count - last])
        for first, last in product(range(1, BLOCK_WORDS_MAX + 1), repeat=2)
    )


def _is_word_exchange(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two words stand in each other's places, wherever they do, and all else is the same."""
    if len(one) != len(other):
        return False
    places = [at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
    exchanged = {(one[at], other[at]) for at in places}
    if len(exchanged) != 2 or len(frozenset().union(*exchanged)) != 2:  # noqa: PLR2004 - there and back
        return False
    between = one[places[0] + 1 : places[-1]]
    return not word_list("connectives").issuperset(between)
