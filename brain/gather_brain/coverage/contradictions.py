"""Items that contradict each other in so many words; pure.

Embeddings hardly separate "shoot at night" from "shoot by day". What can be found cheaply is that two
sentences of different items are about the same thing (near by cosine, with a third of the shorter one's
words in common) and that one has a negation, the opposite of a word, or another number before the same noun.
Contradictions that need knowledge of the world are not found; docs/coverage.md says how many are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Final

import numpy as np

from gather_brain.coverage.aspect_scores import Sentences
from gather_brain.words import STOP_WORDS, remembered, stem, words

SAME_MATTER: Final = 0.55
"""Cosine of two sentences. Fitted with the next two: of the departments for fitting (docs/coverage.md) 17 of
21 contradicting notes are found, and none of 106 notes that belong together."""
SHARED_WORDS_MIN: Final = 2
SHARED_PART_MIN: Final = 0.35
PAIRS_MAX: Final = 5_000
"""Pairs of sentences looked at, the nearest first; 100 notes on one film have some hundreds."""

STATEMENTS_KEPT: Final = 6_000
"""Sentences; about 15 MiB when full."""

NEGATIONS: Final = frozenset(
    re.findall(
        r"\S+",
        """
        not no never none nothing nobody nowhere without neither nor cannot hardly don't doesn't didn't isn't
        aren't wasn't weren't won't can't couldn't shouldn't mustn't wouldn't hasn't haven't hadn't
        """,
    )
)
OPPOSITES: Final[dict[str, set[str]]] = {}
for _pair in (files("gather_brain.coverage") / "opposites.txt").read_text(encoding="utf-8").splitlines():
    _one, _other = _pair.split()
    OPPOSITES.setdefault(_one, set()).add(_other)
    OPPOSITES.setdefault(_other, set()).add(_one)

_COUNTED: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBERS: Final = {
    word: str(value) for value, word in enumerate(_COUNTED.split())
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80",
    "ninety": "90", "hundred": "100", "dozen": "12",
}  # fmt: skip

NO_MATTER: Final = STOP_WORDS | NEGATIONS | NUMBERS.keys()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What of a sentence is compared."""

    words: frozenset[str]
    matter: frozenset[str]
    is_negated: bool
    numbers: dict[str, frozenset[str]]
    """The numbers before each noun's stem."""


@dataclass(frozen=True, slots=True)
class Contradicting:
    """Two items, by their places, and the sentences in which they contradict each other."""

    items: tuple[int, int]
    sentences: tuple[str, str]


def contradictions(texts: Sequence[str], sentences: Sentences) -> list[Contradicting]:
    """Return the pairs of items of which a sentence contradicts one of the other, each pair once.

    `texts` are the sentences in the order of `sentences.rows`; the nearest pair of sentences comes first.
    """
    owners = sentences.owners
    near = np.triu(sentences.rows @ sentences.rows.T, 1)
    near[owners[:, None] == owners[None, :]] = 0
    ones, others = np.nonzero(near >= SAME_MATTER)
    nearest = np.argsort(-near[ones, others], kind="stable")[:PAIRS_MAX]
    statements: dict[int, _Statement] = {}
    found: dict[tuple[int, int], Contradicting] = {}
    for one, other in zip(ones[nearest].tolist(), others[nearest].tolist(), strict=True):
        for place in (one, other):
            if place not in statements:
                statements[place] = _statement(texts[place])
        if _contradict(statements[one], statements[other]):
            items = (int(owners[one]), int(owners[other]))
            found.setdefault(items, Contradicting(items, (texts[one], texts[other])))
    return list(found.values())


@remembered(STATEMENTS_KEPT)
def _statement(text: str) -> _Statement:
    found = words(text)
    numbers: dict[str, set[str]] = {}
    for word, after in pairwise(found):
        value = NUMBERS.get(word, word if word.isdigit() else "")
        if value and after not in STOP_WORDS:
            numbers.setdefault(stem(after), set()).add(value)
    matter = frozenset(stem(word) for word in found if len(word) > 1 and word not in NO_MATTER)
    return _Statement(
        frozenset(found),
        matter,
        not NEGATIONS.isdisjoint(found),
        {noun: frozenset(values) for noun, values in numbers.items()},
    )


def _contradict(one: _Statement, other: _Statement) -> bool:
    shared = len(one.matter & other.matter)
    shorter = min(len(one.matter), len(other.matter))
    if shared < SHARED_WORDS_MIN or shared < SHARED_PART_MIN * shorter:
        return False
    only_one, only_other = one.words - other.words, other.words - one.words
    counted = one.numbers.keys() & other.numbers.keys()
    return (
        one.is_negated != other.is_negated
        or any(not only_other.isdisjoint(OPPOSITES.get(word, ())) for word in only_one)
        or any(one.numbers[noun].isdisjoint(other.numbers[noun]) for noun in counted)
    )
