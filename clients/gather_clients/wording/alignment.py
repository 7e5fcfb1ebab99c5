"""Two texts' words laid side by side: which of them stand in both, in the same order; pure."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Words between two places where the texts agree: those of each text; one of the two may have none."""

    one: range
    other: range


def subsequence_rows(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[int]:
    """Return the table of the longest common subsequence, a row for each word of `other` and one before them.

    In a row, bit j is 0 where word j of `one` makes the subsequence longer; so its zeros are the length.

    Source: bit-parallel algorithm of Hyyrö 2004, "Bit-parallel LCS-length computation revisited": one integer
    holds a row, so that two notes of 100 words take 100 steps and not 10,000.
    """
    places: dict[Hashable, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    row = everything = (1 << len(one)) - 1
    rows = [row]
    for word in other:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & everything
        rows.append(row)
    return rows


def gaps(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[Gap]:
    """Return what the two do not share, in order, around a longest common subsequence of their words.

    Two texts of the greatest length, in words of one letter, take some 30 ms.
    """
    start = _common_start(one, other)
    end = min(_common_start(one[::-1], other[::-1]), min(len(one), len(other)) - start)
    inner_one, inner_other = one[start : len(one) - end], other[start : len(other) - end]
    edges = [(-1, -1), *_matches(inner_one, inner_other), (len(inner_one), len(inner_other))]
    found = [
        Gap(range(start + a + 1, start + next_a), range(start + b + 1, start + next_b))
        for (a, b), (next_a, next_b) in itertools.pairwise(edges)
    ]
    return [gap for gap in found if gap.one or gap.other]


def _common_start(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _matches(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence, in order."""
    rows = subsequence_rows(one, other)
    found = []
    a, b = len(one), len(other)
    while a and b:
        if one[a - 1] == other[b - 1]:
            a, b = a - 1, b - 1
            found.append((a, b))
        elif rows[b] >> (a - 1) & 1:
            a -= 1
        else:
            b -= 1
    return found[::-1]
