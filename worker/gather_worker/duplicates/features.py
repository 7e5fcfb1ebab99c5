"""What two texts have in common, in numbers: the cheap half of finding duplicates; pure.

The embedding's cosine sees meaning and misses a changed number, name or negation; words see those and miss a
paraphrase. A calibration (`calibration.py`) weighs both. Every feature is symmetric in the two texts.
Calibrations depend on every detail of how words are found here, so that this is not `gather_contracts.text`.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from gather_clients.wording.alignment import subsequence_rows
from gather_clients.wording.word_kinds import STEM_CHARS

T = TypeVar("T")

WORDS_MAX: Final = 160
"""Two notes that differ do so before it; bounds the cost of the longest common subsequence."""

STOP_WORDS: Final = frozenset(
    re.findall(
        r"\S+",
        """
        a an the of to in on at by for with and or but is are was were be been being it its this that these
        those he she they him his her their them i you we as from not no
        """,
    )
)
NEGATIONS: Final = frozenset(
    ["not", "no", "never", "nobody", "nothing", "neither", "nor", "without", "none", "cannot"]
)

WORD: Final = re.compile(r"\w+")
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
NAME: Final = re.compile(r"(?<=[\w,;:'’] )[^\W\d_a-zß-ÿ]\w+")  # noqa: RUF001 - both apostrophes are meant

FEATURES: Final = (
    "cosine",
    "word_jaccard",
    "content_containment",
    "content_jaccard",
    "trigram_dice",
    "length_ratio",
    "numbers_differ",
    "names_differ",
    "negation_differs",
    "bigram_dice",
    "subsequence",
    "unshared_max",
    "unshared_min",
    "log_words",
    "stem_jaccard",
    "log_unshared_min",
    "log_unshared_max",
)
RISING: Final = frozenset(
    {
        "cosine",
        "word_jaccard",
        "content_containment",
        "content_jaccard",
        "trigram_dice",
        "subsequence",
        "stem_jaccard",
    }
)
"""More of these never makes two texts less alike; a calibration must hold to it."""
FALLING: Final = frozenset(
    {
        "numbers_differ",
        "names_differ",
        "negation_differs",
        "unshared_max",
        "unshared_min",
        "log_unshared_min",
        "log_unshared_max",
    }
)


@dataclass(frozen=True)
class ComparableText:
    """A text with what comparing needs of it, each part made once."""

    text: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The first words, in one case and one Unicode form."""
        folded = unicodedata.normalize("NFKC", self.text).casefold()
        return tuple(WORD.findall(folded)[:WORDS_MAX])

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The different words."""
        return frozenset(self.words)

    @cached_property
    def content_words(self) -> frozenset[str]:
        """The different words that carry meaning."""
        return self.word_set - STOP_WORDS

    @cached_property
    def stems(self) -> frozenset[str]:
        """The beginnings of the words that carry meaning."""
        return frozenset(word[:STEM_CHARS] for word in self.content_words)

    @cached_property
    def joined(self) -> str:
        """The words with one space between them."""
        return " ".join(self.words)

    @cached_property
    def trigrams(self) -> Counter[str]:
        """Runs of three characters, with how often each occurs."""
        return Counter(self.joined[at : at + 3] for at in range(len(self.joined) - 2))

    @cached_property
    def bigrams(self) -> Counter[tuple[str, str]]:
        """Neighbouring words, with how often each pair occurs."""
        return Counter(zip(self.words, self.words[1:], strict=False))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The different numbers."""
        return frozenset(NUMBER.findall(self.text))

    @cached_property
    def names(self) -> frozenset[str]:
        """The different capitalised words that no sentence begins with."""
        return frozenset(NAME.findall(self.text))

    @cached_property
    def is_negated(self) -> bool:
        """Whether a word of negation is there."""
        return bool(self.word_set & NEGATIONS)


def features_of(one: ComparableText, other: ComparableText, cosine: float) -> tuple[float, ...]:
    """Return the features in the order of `FEATURES`; `cosine` is raw, 0 to 1."""
    shares = sorted((_unshared(one, other), _unshared(other, one)))
    stems = sorted((len(one.stems - other.stems), len(other.stems - one.stems)))
    lengths = sorted((len(one.joined), len(other.joined)))
    return (
        cosine,
        _jaccard(one.word_set, other.word_set),
        _containment(one.content_words, other.content_words),
        _jaccard(one.content_words, other.content_words),
        _dice(one.trigrams, other.trigrams),
        lengths[0] / max(lengths[1], 1),
        float(one.numbers != other.numbers),
        1 - _jaccard(one.names, other.names) if one.names | other.names else 0.0,
        float(one.is_negated != other.is_negated),
        _dice(one.bigrams, other.bigrams),
        2 * _subsequence(one.words, other.words) / max(len(one.words) + len(other.words), 1),
        shares[1],
        shares[0],
        math.log1p(min(len(one.words), len(other.words))),
        _jaccard(one.stems, other.stems),
        math.log1p(stems[0]),
        math.log1p(stems[1]),
    )


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _containment(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(min(len(one), len(other)), 1)


def _unshared(one: ComparableText, other: ComparableText) -> float:
    """Return the share of one's content words that the other lacks."""
    return len(one.content_words - other.content_words) / max(len(one.content_words), 1)


def _dice(one: Counter[T], other: Counter[T]) -> float:
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence of words."""
    return len(one) - subsequence_rows(one, other)[-1].bit_count()
