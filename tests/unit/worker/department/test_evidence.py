# ruff: noqa: RUF001 - signs that look like others are what is tried
"""What counts of a verdict: the parts that quote the notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.department.evidence import heard
from gather_worker.department.quality import RUBRIC_PARTS
from gather_worker.schemas import QUOTE_MAX, QualityVerdict

NOTE = "The keeper's lamp burns for **nine nights**; on the tenth, Ilse says: “Enough.” Oil: 3.5 litres."
OTHERS = ["Props", "守灯人每晚数灯，直到第十个夜晚。", "ผู้ดูแลประภาคารนับตะเกียงทุกคืน"]


def counts(quote: str, part: str = "depth", score: float = 80) -> bool:
    """Return whether a part with this one quote counts."""
    said = {"depth": 0.0, "coherence": 0.0, "actionability": 0.0, part: score}
    verdict = QualityVerdict.model_validate({**said, f"{part}_quotes": [quote]})
    return heard(verdict, [NOTE, *OTHERS]).score(part) is not None


@pytest.mark.parametrize(
    "quote",
    [
        "The keeper's lamp burns for **nine nights**",
        "the KEEPER’S lamp  burns for nine nights",
        '"burns for nine nights; on the tenth, Ilse says"',
        "Ilse says “Enough” Oil 3.5 litres",
        "The keeper's lamp burns … Ilse says: Enough",
        "lamp burns for nine nights...",
        "[…] on the tenth, Ilse",
        "props.",
        "每晚数灯，直到",
        "ประภาคารนับตะเกียง",
    ],
)
def test_a_quote_is_found_however_it_is_written(quote: str) -> None:
    """Case, spacing, punctuation and emphasis may differ, and "…" may leave something out."""
    assert counts(quote)


@pytest.mark.parametrize(
    "quote",
    [
        "", "…", "!!!", "the", "for nine", "数灯", "Prop", "The keeper's lamp burns for ten nights",
        "nine nights for burns lamp keeper's", "The keeper's lamp burns … for ten nights",
        "The keeper's lamp burns for nine nights and Props", "The … lamp … nine", "Oil: 35 litres and a wick",
        "守灯人每晚数星，直到第十个夜晚",
    ],
)  # fmt: skip
def test_what_does_not_stand_in_one_note_or_says_nothing_is_no_evidence(quote: str) -> None:
    """Invented, stitched out of two notes, in another order, or too short."""
    assert not counts(quote)


@pytest.mark.parametrize("part", RUBRIC_PARTS)
def test_only_the_lowest_levels_of_what_is_not_there_need_no_quote(part: str) -> None:
    """Nothing can be quoted for nothing; what contradicts can be."""
    assert counts("", part, 20) is counts("", part, 0) is (part in {"depth", "actionability"})
    assert not counts("", part, 20.5)
    assert counts("lamp burns for nine nights", part, 0)


def test_each_part_stands_by_its_own_quotes() -> None:
    """And only those that were found are kept."""
    verdict = QualityVerdict(
        depth=80, coherence=70, actionability=60,
        depth_quotes=("burns for nine nights", "a whale of glass"), coherence_quotes=("a whale of glass",),
    )  # fmt: skip
    found = heard(verdict, [NOTE])
    assert (found.depth, found.coherence, found.actionability) == (80, None, None)
    assert found.quotes == {"depth": ("burns for nine nights",), "coherence": (), "actionability": ()}
    assert found.unquoted == ("coherence", "actionability")


@given(st.text(max_size=400), st.data())
def test_every_long_stretch_of_a_note_is_a_quote_of_it(note: str, data: st.DataObject) -> None:
    """Whole words, in whatever script and with whatever signs; nothing raises."""
    words = note.split()
    start = data.draw(st.integers(0, max(0, len(words) - 1)))
    quote = " ".join(words[start:])[:QUOTE_MAX]
    verdict = QualityVerdict(depth=80, coherence=0, actionability=0, depth_quotes=(quote,))
    heard(verdict, [note])
    plain = "".join(char for char in note if char.isascii() and (char.isalnum() or char == " "))
    if len(plain.replace(" ", "")) > 12:
        sure = verdict.model_copy(update={"depth_quotes": (plain.upper(),)})
        assert heard(sure, [note, plain]).depth == 80


def test_no_notes_have_no_quotes() -> None:
    """Nothing was shown."""
    verdict = QualityVerdict(
        depth=50, coherence=50, actionability=50, depth_quotes=("burns for nine nights",)
    )
    assert heard(verdict, []).unquoted == RUBRIC_PARTS
