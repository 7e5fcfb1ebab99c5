"""Words, sentences and hashes are what themes and coverage count, so their edges are pinned here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.words import content_hash, sentences, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada's lamp, lit.", ["ada's", "lamp", "lit"]),
        ("Ünder 40 metres", ["ünder", "40", "metres"]),
        ("...", []),
    ],
    ids=["apostrophes", "letters of other scripts and numbers", "nothing"],
)
def test_words_are_lower_case_without_punctuation(text: str, expected: list[str]) -> None:
    """Case and punctuation carry no meaning here."""
    assert words(text) == expected


@pytest.mark.parametrize("other", ["pace", "paces", "paced", "pacing"])
def test_endings_do_not_keep_a_word_from_itself(other: str) -> None:
    """An aspect called "pacing" is spoken of by "pace" too."""
    assert stem(other) == stem("pacing")


def test_sentences_end_at_their_marks_and_short_pieces_join() -> None:
    """Alone, "Act one." can match no aspect."""
    text = 'The lamp burns all night. Act one.\nNobody sleeps in the tower! "Why not?" she asks him.'
    assert sentences(text, 10) == [
        "The lamp burns all night. Act one.",
        'Nobody sleeps in the tower! "Why not?',
        "she asks him.",
    ]


def test_sentences_are_limited() -> None:
    """The cost of one item is bounded."""
    assert len(sentences("This is one sentence. " * 100, 12)) == 12


@given(st.text(max_size=200))
def test_the_hash_does_not_see_case_and_spacing(text: str) -> None:
    """Two texts that differ in these alone are the same text."""
    assert content_hash(f"  {text}\n") == content_hash(text)


def test_texts_without_words_are_still_told_apart() -> None:
    """Punctuation alone normalises to nothing and must not make all such texts one."""
    assert content_hash("!!!") != content_hash("???")
