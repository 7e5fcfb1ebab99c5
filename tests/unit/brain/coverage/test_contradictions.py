"""Notes that negate each other in so many words are found; notes that differ are not."""

import numpy as np
import pytest

from gather_brain.coverage.aspect_scores import Sentences
from gather_brain.coverage.contradictions import contradicted_items
from gather_brain.vectors import Matrix

SAID = "The harbour scene is shot at night with two boats and a crane."


def _contradicted(texts: list[str], cosine: float = 0.8, owners: list[int] | None = None) -> set[int]:
    """Texts of one item each, any two of them `cosine` near."""
    count = len(texts)
    factor = np.linalg.cholesky(np.full((count, count), cosine) + np.eye(count) * (1 - cosine))
    rows: Matrix = factor.astype(np.float32)
    owned = np.array(owners or range(count))
    starts = np.unique(owned, return_index=True)[1]
    return contradicted_items(texts, Sentences(rows, starts, owned, rows[starts]))


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
    """Both sides are in dispute."""
    assert _contradicted([SAID, other]) == {0, 1}


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
    assert _contradicted([SAID, other]) == set()


def test_sentences_that_are_far_from_each_other_or_of_one_item_are_not_compared() -> None:
    """An item may weigh one thing against another."""
    other = "The harbour scene is not shot at night."
    assert _contradicted([SAID, other], cosine=0.3) == set()
    assert _contradicted([SAID, other], owners=[0, 0]) == set()
