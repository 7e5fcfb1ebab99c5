"""Pairs of different texts of many languages, and the table of how alike they look."""

from collections.abc import Sequence

import numpy as np

from gather_brain.vectors import Matrix, unit_rows
from gather_contracts.text import text_hash
from tests.evals.pairs.language_pairs import PAIRS, language_pairs, language_rows, languages_table


def embed(texts: Sequence[str]) -> Matrix:
    """Return vectors of a text's letters, of which those beyond 128 fall together."""
    rows = np.zeros((len(texts), 128), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text.lower():
            row[ord(letter) % 128] += 1
    return unit_rows(rows)


def test_there_are_two_hundred_pairs_of_each_language() -> None:
    """Of different texts, always the same; half of most languages' were made alike."""
    found = language_pairs()
    assert len(found) >= 20
    for code, pairs in found.items():
        assert len({frozenset(pair) for pair in pairs}) == PAIRS, code
        assert all(text_hash(one) != text_hash(other) for one, other in pairs)
    german = found["de"]
    assert all(set(one.split()) & set(other.split()) for one, other in german[: PAIRS // 2])
    assert language_pairs() == found


def test_languages_that_look_the_same_come_first() -> None:
    """No two different texts have 1, whatever the model says."""
    rows = language_rows(lambda texts: embed(["a" for _ in texts]), lambda texts: [None] * len(texts), 10)
    assert {row.same for row in rows} == {10}
    assert max(row.highest for row in rows) < 1
    rows = language_rows(embed, lambda texts: ["language"] * len(texts), 10)
    assert [row.same for row in rows] == sorted((row.same for row in rows), reverse=True)
    lines = languages_table(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert "100%" in lines[-1]
