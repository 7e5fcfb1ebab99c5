"""Each sentence, entry and row of a note is compared by itself, at a bounded cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.coverage.evidence.passages import PASSAGES_MAX, SENTENCES_TOGETHER_MAX, passages


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("Cut on the breath. Hold the door! Yes.", ("Cut on the breath.", "Hold the door! Yes.")),
        ("- two heavy lifters\n- one racing quad\n", ("two heavy lifters", "one racing quad")),
        (
            "| where | what |\n| --- | --- |\n| van | ovens, sink |\n| tent | |",
            ("where: van, what: ovens, sink where: tent",),
        ),
        ("| red coat | scene 4 |\n| grey shawl | scene 9 |", ("red coat, scene 4", "grey shawl, scene 9")),
        ("渡し守は橋が開くと知る。彼は手放せるのか。", ("渡し守は橋が開くと知る。", "彼は手放せるのか。")),
        ("पुल चालीस दिन में खुलेगा। नाविक क्या करेगा।", ("पुल चालीस दिन में खुलेगा।", "नाविक क्या करेगा।")),
    ],
    ids=["sentences", "list", "table", "table without a head", "ja", "hi"],
)
def test_a_note_is_split(note: str, expected: tuple[str, ...]) -> None:
    """In the ways in which people write notes."""
    assert passages(note) == (expected, 0)


def test_what_stands_beyond_the_last_passage_goes_together_with_its_neighbours() -> None:
    """The end of a long note counts."""
    note = " ".join(f"This is sentence {number}." for number in range(PASSAGES_MAX + 6))
    found, left_out = passages(note)
    assert len(found) <= PASSAGES_MAX
    assert left_out == 0
    assert found[-1].endswith(f"This is sentence {PASSAGES_MAX + 5}.")


def test_the_cost_is_bounded_and_what_is_left_out_is_counted() -> None:
    """Of a note as long as a book."""
    most = PASSAGES_MAX * SENTENCES_TOGETHER_MAX
    found, left_out = passages("This is a sentence. " * (most + 5))
    assert (len(found), left_out) == (PASSAGES_MAX, 5)


@given(st.text(max_size=300) | st.text("|-: a\n.。", max_size=300))
def test_any_text_has_a_passage(text: str) -> None:
    """Notes are people's free text."""
    found, left_out = passages(text)
    assert 1 <= len(found) <= PASSAGES_MAX
    assert left_out >= 0
