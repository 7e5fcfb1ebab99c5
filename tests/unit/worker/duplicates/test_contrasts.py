"""Pairs that are made to differ in what turns the meaning."""

import pytest

from gather_clients.wording.differences import Difference, telling_differences
from gather_worker.calibrate.contrasts import EACH_MAX, Contrast, contrasts_of
from gather_worker.calibrate.labelled_pairs import LabelledPair

TEXTS = [
    f"At dusk the keeper Ada is ready to light {number} lamps before the ferry meets Bert in {1900 + number}."
    for number in range(11, 111)
]
PAIRS = [
    LabelledPair(a=one, b=other, duplicate=True) for one, other in zip(TEXTS[::2], TEXTS[1::2], strict=True)
]
SEEN_AS = {
    Contrast.NEGATED: Difference.NEGATION,
    Contrast.OTHER_NUMBER: Difference.NUMBER,
    Contrast.TENFOLD: Difference.NUMBER,
    Contrast.OTHER_NAME: Difference.NAME,
    Contrast.SWAPPED: Difference.ROLE,
    Contrast.OPPOSITE: Difference.OPPOSITE,
}


@pytest.mark.parametrize("kind", Contrast)
def test_each_kind_is_made_and_seen(kind: Contrast) -> None:
    """Of each text at most one pair, which is no duplicate, and always the same."""
    pairs = [*PAIRS, LabelledPair(a="At noon they see Mara.", b="At noon they see Tom.", duplicate=False)]
    made = contrasts_of(pairs)[kind]
    assert len(made) == EACH_MAX
    assert made == contrasts_of(pairs)[kind]
    assert not any(pair.duplicate for pair in made)
    assert {pair.a for pair in made} <= {text for pair in pairs for text in (pair.a, pair.b)}
    assert all(SEEN_AS[kind] in telling_differences(pair.a, pair.b) for pair in made)


def test_a_text_without_what_could_change_gives_no_pair() -> None:
    """In a language whose words the rules do not know there are only numbers."""
    pairs = [LabelledPair(a="Der Hafen brennt", b="Es sind 7 Boote", duplicate=False)]
    made = {kind: len(pairs) for kind, pairs in contrasts_of(pairs).items() if pairs}
    assert made == {Contrast.OTHER_NUMBER: 1, Contrast.TENFOLD: 1}
