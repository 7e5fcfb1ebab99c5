"""The words by which notes and aspects are compared, in any script; pure.

A word stands for itself without its ending, and for a part for its beginning: languages bend words at their
end. Scripts that write no spaces have no words to find; two characters that follow one another stand for one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from gather_brain.vectors import Matrix
from gather_brain.words import STOP_WORDS, remembered, stem

TERMS_KEPT: Final = 6_000
"""Passages; about 15 MiB when full."""
WORD: Final = re.compile(r"[^\s!-&(-/:-@\[-`{-~«»„“”‘…–—।॥،؟。、，！？：；・「」『』（）《》]+")  # noqa: RUF001
"""Not `\\w`, which leaves out the vowel signs of Indic scripts."""
UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
BEGINNING: Final = 6
BEGINNING_WEIGHT: Final = 0.7
WORDS_FULL: Final = 8
"""Different words from which on an aspect is a statement; a topic ("pacing") has one or two."""


@remembered(TERMS_KEPT)
def terms(text: str) -> Mapping[str, str]:
    """Return a text's terms, each with the beginning of its word (the whole of a short one)."""
    return {
        term: start
        for word in WORD.findall(text.lower())
        for term, start in _terms_of(word.strip("'’"))  # noqa: RUF001
    }


def _terms_of(word: str) -> Iterator[tuple[str, str]]:
    runs = UNSPACED.findall(word)
    if runs:
        pairs = [run[place : place + 2] for run in runs for place in range(max(1, len(run) - 1))]
        yield from zip(pairs, pairs, strict=True)
    elif (len(word) > 1 or word.isdigit()) and word not in STOP_WORDS:
        yield stem(word) if word.isascii() else word, word[:BEGINNING]


def _specific(text: str) -> float:
    """Return the share of names and numbers; capitals at the beginning or everywhere make no names.

    In a title ("The Design of the Sets") the small words have none.
    """
    words = [word for word in WORD.findall(text) if word not in STOP_WORDS]
    names = [word[0].isupper() or word.isdigit() for word in words]
    return min(1.0, sum(names[1:]) / max(1, len(terms(text)))) if not all(names) else 0.0


class Lexicon:
    """The terms of a department's aspects, those that few of them have being the heavier."""

    def __init__(self, aspects: Sequence[str]) -> None:
        """Take the aspects' texts."""
        each = [terms(text) for text in aspects]
        known = {term: start for found in each for term, start in found.items()}
        self._places = {term: place for place, term in enumerate(known)}
        self._starts: dict[str, list[int]] = {}
        for term, start in known.items():
            self._starts.setdefault(start, []).append(self._places[term])
        has: Matrix = np.array([[term in found for found in each] for term in known], np.float32)
        has = has.reshape(len(known), len(aspects))
        # Inverse document frequency, the aspects being the documents.
        weighted = has * np.log1p(len(aspects) / np.maximum(has.sum(axis=1, keepdims=True), 1))
        self._weights: Matrix = weighted / np.maximum(weighted.sum(axis=0), 1e-9)
        self.statements: Matrix = np.minimum(has.sum(axis=0) / WORDS_FULL, 1)
        """How far each aspect is a statement rather than a topic, 0 to 1, (aspects,)."""
        self.specifics: Matrix = np.array([_specific(text) for text in aspects], np.float32)
        """What share of its words are names and numbers, 0 to 1, (aspects,)."""

    def shares(self, texts: Sequence[Mapping[str, str]]) -> Matrix:
        """Return the share of each aspect's terms that each text has, 0 to 1, (texts, aspects)."""
        found = np.zeros((len(texts), len(self._places)), np.float32)
        for row, text in zip(found, texts, strict=True):
            for term, start in text.items():
                for place in self._starts.get(start, ()):
                    row[place] = max(row[place], BEGINNING_WEIGHT)
                if term in self._places:
                    row[self._places[term]] = 1.0
        shares: Matrix = found @ self._weights
        return shares
