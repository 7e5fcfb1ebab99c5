"""How long an answer may be: control characters count half as much again, since JSON writes six bytes."""

import pytest

from gather_brain.errors import AnswerTooLongError
from gather_brain.store.answer_bounds import LENGTH_MAX, length_of, require_short_texts


def test_control_characters_count_half_as_much_again() -> None:
    """As six bytes beside four."""
    assert [length_of("ab"), length_of("a\nb\t"), length_of("\n" * 10)] == [2, 5, 15]


@pytest.mark.parametrize(
    "texts",
    [
        ["a" * LENGTH_MAX],
        ["a" * (LENGTH_MAX - 3), "\n\n"],
        ["\n" * (LENGTH_MAX * 2 // 3)],
    ],
    ids=["plain", "with control characters", "control characters alone"],
)
def test_texts_of_the_most_are_short(texts: list[str]) -> None:
    """Two characters more are too long."""
    require_short_texts(texts)
    with pytest.raises(AnswerTooLongError):
        require_short_texts([*texts, "aa"])
