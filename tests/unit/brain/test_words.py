"""Words and sentences are what themes and coverage count, so their edges are pinned here."""

import pytest

from gather_brain.words import sentences, stem, words


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
