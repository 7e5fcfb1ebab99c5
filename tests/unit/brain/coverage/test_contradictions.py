"""Notes that negate each other in so many words are found; notes that differ are not."""

import numpy as np
import pytest

from gather_brain.coverage import contradictions as module
from gather_brain.coverage.aspect_scores import Sentences
from gather_brain.coverage.contradictions import SAME_MATTER, Contradicting, contradictions
from gather_brain.vectors import Matrix

SAID = "The harbour scene is shot at night with two boats and a crane."


def _contradictions(
    texts: list[str], cosine: float = 0.8, owners: list[int] | None = None
) -> list[Contradicting]:
    """Texts of one item each, any two of them `cosine` near."""
    count = len(texts)
    factor = np.linalg.cholesky(np.full((count, count), cosine) + np.eye(count) * (1 - cosine))
    rows: Matrix = factor.astype(np.float32)
    owned = np.array(owners or range(count))
    starts = np.unique(owned, return_index=True)[1]
    return contradictions(texts, Sentences(rows, starts, owned, rows[starts]))


@pytest.mark.parametrize(
    "other",
    [
        "The harbour scene is not shot at night.",
        "The harbour scene is shot by day with two boats.",
        "The harbour scene at night has five boats and a crane.",
        "No boats in the harbour scene at night, and without the crane.",
    ],
    ids=["negated", "opposite", "another number", "absence"],
)
def test_a_sentence_that_says_the_opposite_contradicts(other: str) -> None:
    """Both sides are in dispute, and what each says is told."""
    assert _contradictions([SAID, other]) == [Contradicting((0, 1), (SAID, other))]


@pytest.mark.parametrize(
    "other",
    [
        "The harbour scene is shot at night with two boats and one crane.",
        "The crane and two boats carry lamps in the harbour scene.",
        "Nobody answers the phone in the kitchen.",
        "Day one belongs to the five dancers.",
    ],
    ids=["the same", "more of it", "another matter negated", "another matter"],
)
def test_a_sentence_that_says_more_does_not(other: str) -> None:
    """A false alarm would punish notes that work a thing out."""
    assert _contradictions([SAID, other]) == []


def test_sentences_that_are_far_from_each_other_or_of_one_item_are_not_compared() -> None:
    """An item may weigh one thing against another."""
    other = "The harbour scene is not shot at night."
    assert _contradictions([SAID, other], cosine=0.3) == []
    assert _contradictions([SAID, other], owners=[0, 0]) == []


def test_two_items_are_named_once_however_often_they_contradict_each_other() -> None:
    """With the first pair of sentences of the nearest."""
    other = "The harbour scene is not shot at night."
    found = _contradictions([SAID, SAID, other, other], owners=[0, 0, 1, 1])
    assert found == [Contradicting((0, 1), (SAID, other))]


@pytest.mark.parametrize("pairs_max", [1, 7, 40, 5_000])
def test_only_the_nearest_pairs_are_compared(monkeypatch: pytest.MonkeyPatch, pairs_max: int) -> None:
    """As if all pairs of different items were put in order, equal ones by their places."""
    monkeypatch.setattr(module, "PAIRS_MAX", pairs_max)
    rng = np.random.default_rng(5)
    drawn = rng.random((18, 6)).astype(np.float32)[rng.integers(0, 12, 18)]  # some are equal
    rows: Matrix = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    owners = np.repeat(np.arange(9), 2)
    texts = [SAID if place % 4 < 2 else "The harbour scene is not shot at night." for place in range(18)]
    cosines = rows @ rows.T
    nearest = sorted(
        (-cosines[one, other], one, other)
        for one in range(18)
        for other in range(one + 1, 18)
        if owners[one] != owners[other] and cosines[one, other] >= SAME_MATTER
    )[:pairs_max]
    expected = dict.fromkeys(
        (int(owners[one]), int(owners[other])) for _, one, other in nearest if texts[one] != texts[other]
    )
    found = contradictions(texts, Sentences(rows, np.arange(0, 18, 2), owners, rows[::2]))
    assert [each.items for each in found] == list(expected)
