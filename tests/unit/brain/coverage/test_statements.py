"""Two sentences that deny each other are told from two that do not, in seven languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.coverage.statements import Conflict, conflict_of, statement_of
from tests.evals.own_measures import HALVES, Labelled, pairs

LABELLED = pairs()
PRECISION_MIN, F1_MIN = 0.9, 0.85
"""The goals."""


def conflict(one: str, other: str) -> Conflict | None:
    """Return in what two texts deny each other."""
    return conflict_of(statement_of(one), statement_of(other))


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("Two boats leave at night.", "No boats leave at night.", Conflict.NEGATION),
        ("Some boys sleep outside.", "Nobody sleeps outside.", Conflict.NEGATION),
        ("The doors of the church are open.", "The doors of the church are closed.", Conflict.OPPOSITE),
        ("The score has eleven strings.", "The score has four strings.", Conflict.NUMBER),
        ("Tomas lends money to Ilya.", "Ilya lends money to Tomas.", Conflict.ROLE),
        ("Inspector Brandt finds the ring.", "Inspector Weiss finds the ring.", Conflict.NAME),
        ("Ada keeps the letter.", "Ada keeps no photograph.", None),
        ("The doors of the church are open.", "The doors of the church are not closed.", None),
        ("The doors of the church are open.", "The windows of the mill are closed.", None),
        ("Scene 12 is in the barn.", "Scene 14 is in the barn.", None),
        ("A man sleeps in the barn.", "A woman sleeps in the barn.", None),
        ("A lady is smiling at the waiter.", "The waiter is not smiling.", None),
        ("The lamp is lit.", "", None),
    ],
)
def test_what_is_denied_is_named(one: str, other: str, found: Conflict | None) -> None:
    """The kind of difference, whichever comes first."""
    assert conflict(one, other) == conflict(other, one) == found


def test_held_out_pairs_are_told_apart() -> None:
    """Every second base sentence, that no threshold was set on."""
    chosen = [each for each in LABELLED if each.half == HALVES[-1]]
    found = [conflict(*each.texts) is not None for each in chosen]
    right = sum(said and each.label for said, each in zip(found, chosen, strict=True))
    assert right / sum(found) >= PRECISION_MIN
    assert 2 * right / (sum(found) + sum(each.label for each in chosen)) >= F1_MIN


@given(st.sampled_from(LABELLED))
def test_the_order_does_not_matter_and_no_sentence_denies_itself(labelled: Labelled) -> None:
    """Of any labelled pair."""
    one, other = labelled.texts
    assert conflict(one, other) == conflict(other, one)
    assert conflict(one, one) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_read(one: str, other: str) -> None:
    """No text raises."""
    conflict(one, other)
