"""What is left to the model of what likeness would drop."""

import pytest

from gather_worker.duplicates.candidates import Pair, Verdict
from gather_worker.duplicates.rules import FlatRule


@pytest.mark.parametrize(
    ("other", "verdict", "stays"),
    [
        ("She refuses to sign it", Verdict.UNSURE, True),
        ("She hesitates to sign it", Verdict.UNSURE, False),
        ("She agrees to sign it at once", Verdict.DUPLICATE, False),
    ],
    ids=["an opposite", "another word", "more words"],
)
def test_a_word_in_anothers_place_is_for_the_model(other: str, verdict: Verdict, stays: bool) -> None:
    """Without the model only what is known to be an opposite stays."""
    opinion = FlatRule(0.9)(Pair(0, "She agrees to sign it", other, cosine=0.95))
    assert (opinion.verdict, opinion.is_duplicate) == (verdict, not stays)
