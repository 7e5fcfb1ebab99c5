"""Whether two texts differ in nothing but what turns their meaning; pure.

An embedding's cosine hardly sees a negation, another year or name, a tenfold amount, or who did it to whom,
and in a long note neither do the shares of words. Here the words are laid side by side, and what differs is
looked at: such texts are for a reader to judge; nothing that counts likeness may call them duplicates.
"""

import enum
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import product
from typing import Final

from gather_worker.duplicates.alignment import gaps
from gather_worker.duplicates.telling_words import Kind, Reading, Word, opposites, reading_of, word_list

BESIDE_MAX: Final = 3
"""Other words of one text in a gap that a telling word explains: "opens" and "does not open"."""
SCOPE_CHARS: Final = 3
"""Of the word that a negation stands before: "opens" and "open" are one."""
BASE_CHARS_MIN: Final = 3
"""Of the word that a negating prefix stands before."""
BLOCK_WORDS_MAX: Final = 6
"""Of a subject or an object that changed places."""


class Difference(enum.StrEnum):
    """What turns the meaning."""

    NUMBER = "number"
    NAME = "name"
    NEGATION = "negation"
    OPPOSITE = "opposite"
    ROLE = "role"


Side = Sequence[Word]


def telling_differences(one: str, other: str) -> frozenset[Difference]:
    """Return what turns the meaning between two texts that differ in nothing else; empty for all others.

    Words that carry no meaning, endings, and places of words are nothing else. It does not depend on which
    text comes first.
    """
    a, b = (reading_of(text) for text in sorted((one, other)))
    names = a.named | b.named | ((a.capitals | b.capitals) - a.small - b.small - word_list("pronouns"))
    found = gaps(a.stems, b.stems)
    own_a, own_b = (
        _own_places(a, [gap.one for gap in found], b),
        _own_places(b, [gap.other for gap in found], a),
    )
    kinds = set[Difference]()
    for left, right in zip(own_a, own_b, strict=True):
        sides = [a.words[place] for place in left], [b.words[place] for place in right]
        here = _kinds(*sides, names)
        if not _is_explained(*sides, here, names):
            return frozenset()
        kinds |= here - {Difference.NEGATION}
    if _negated(a, b) != _negated(b, a):
        kinds.add(Difference.NEGATION)
    if _have_exchanged(_without(a, own_a), _without(b, own_b), names):
        kinds.add(Difference.ROLE)
    return frozenset(kinds)


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


def _kinds(left: Side, right: Side, names: Collection[str]) -> set[Difference]:
    """Return of which kinds the differences between the two sides of a gap are."""
    kinds = set[Difference]()
    if _keys(left, Kind.NUMBER) != _keys(right, Kind.NUMBER):
        kinds.add(Difference.NUMBER)
    for loose in ((Kind.NUMBER, Kind.WEAK_NUMBER), (Kind.UNIT,)):
        pair = _keys(left, *loose), _keys(right, *loose)
        if all(pair) and pair[0] != pair[1]:
            kinds.add(Difference.NUMBER)
    if _differ_in_names(left, right, names):
        kinds.add(Difference.NAME)
    if any(frozenset((one.key, other.key)) in opposites() for one, other in product(left, right)):
        kinds.add(Difference.OPPOSITE)
    if _keys(left, Kind.NEGATION) != _keys(right, Kind.NEGATION) or any(
        _is_negated_by_prefix(one.key, other.key) or _is_negated_by_prefix(other.key, one.key)
        for one, other in product(left, right)
    ):
        kinds.add(Difference.NEGATION)
    return kinds


def _keys(side: Side, *kinds: Kind) -> frozenset[str]:
    return frozenset(word.key for word in side if word.kind in kinds)


def _differ_in_names(left: Side, right: Side, names: Collection[str]) -> bool:
    """Return whether the sides name different ones; a pronoun names whom the other text names."""
    named = [frozenset(word.key for word in side if word.key in names) for side in (left, right)]
    pronouns = word_list("pronouns")
    is_meant = [any(word.key in pronouns for word in side) for side in (left, right)]
    return any(
        named[here] - named[there] and (named[there] or not is_meant[there])
        for here, there in ((0, 1), (1, 0))
    )


def _is_explained(left: Side, right: Side, kinds: Collection[Difference], names: Collection[str]) -> bool:
    """Return whether nothing else differs in a gap than what turns the meaning, and what comes with it."""
    rest = [
        [word.key for word in side if word.kind is Kind.PLAIN and word.key not in names]
        for side in (left, right)
    ]
    if Difference.NAME not in kinds:
        for side, plain in zip((left, right), rest, strict=True):
            plain += [word.key for word in side if word.key in names]
    most = BESIDE_MAX if kinds else 0
    lone = [
        sum(not any(_is_inflected(one, other) for other in rest[there]) for one in rest[here])
        for here, there in ((0, 1), (1, 0))
    ]
    return max(lone) <= most


def _is_inflected(one: str, other: str) -> bool:
    """Return whether two words may be forms of one: "save" and "saving"."""
    shortest = min(len(one), len(other))
    shared = next((at for at in range(shortest) if one[at] != other[at]), shortest)
    return shared >= max(SCOPE_CHARS, shortest - 1)


def _negated(reading: Reading, other: Reading) -> Counter[str]:
    """Return what the text negates: of each word that a negation stands before, the beginning."""
    there = {word.key for word in other.words}
    scopes = Counter[str]()
    for place, word in enumerate(reading.words):
        if word.kind is Kind.NEGATION:
            after = (each.key for each in reading.words[place + 1 :] if each.kind is Kind.PLAIN)
            scopes[next(after, "")[:SCOPE_CHARS]] += 1
        elif word.kind is Kind.PLAIN and word.key not in there:
            bases = (word.key[len(prefix) :] for prefix in word_list("negating_prefixes"))
            found = next((b for b in bases if b in there and _is_negated_by_prefix(word.key, b)), None)
            if found is not None:
                scopes[found[:SCOPE_CHARS]] += 1
    return scopes


def _is_negated_by_prefix(word: str, base: str) -> bool:
    prefix = word.removesuffix(base)
    return len(base) >= BASE_CHARS_MIN and prefix != word and prefix in word_list("negating_prefixes")


def _have_exchanged(one: Sequence[str], other: Sequence[str], names: Collection[str]) -> bool:
    """Return whether words of the same text changed places with each other, around one that did not."""
    if one == other:
        return False
    start = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
    end = next(at for at in range(len(one)) if one[-1 - at] != other[-1 - at])
    inner, against = one[start : len(one) - end], other[start : len(other) - end]
    return (
        _is_block_exchange(inner, against)
        or _is_word_exchange(inner, against)
        or _is_name_exchange(inner, against, names)
    )


def _is_block_exchange(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the one is A m B and the other B m A; "A and B" is "B and A"."""
    count = len(one)
    return any(
        first + last < count
        and one[:first] == other[count - first :]
        and one[count - last :] == other[:last]
        and one[first : count - last] == other[last : count - first]
        and not word_list("connectives").issuperset(one[first : count - last])
        for first, last in product(range(1, BLOCK_WORDS_MAX + 1), repeat=2)
    )


def _is_word_exchange(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two words stand in each other's places, wherever they stand."""
    places = [at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
    pairs = {frozenset((one[at], other[at])) for at in places}
    between = [one[at] for at in range(len(one)) if at not in set(places)]
    return len(pairs) == 1 and not word_list("connectives").issuperset(between)


def _is_name_exchange(one: Sequence[str], other: Sequence[str], names: Collection[str]) -> bool:
    """Return whether the names stand in another order, and all else as it was."""
    plain = [[stem for stem in side if stem not in names] for side in (one, other)]
    return plain[0] == plain[1] and _name_groups(one, names) != _name_groups(other, names)


def _name_groups(stems: Sequence[str], names: Collection[str]) -> list[list[str]]:
    """Return the names in order; those that only a connective parts are in no order."""
    groups: list[list[str]] = [[]]
    for stem in stems:
        if stem in names:
            groups[-1].append(stem)
        elif stem not in word_list("connectives"):
            groups.append([])
    return [sorted(group) for group in groups if group]
