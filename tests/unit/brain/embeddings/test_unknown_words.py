"""Words that a model's vocabulary lacks, by their characters."""

import numpy as np
import pytest

from gather_brain.embeddings.unknown_words import (
    CHARACTERS_MAX,
    MODEL_SHARE,
    marked_words,
    mixed,
    pieces_of,
    segments,
    words_vector,
)
from gather_brain.vectors import Matrix

DIMENSIONS = 384


def cosine(one: str, other: str) -> float:
    """How near two words are."""
    ones, others = words_vector([one], DIMENSIONS), words_vector([other], DIMENSIONS)
    return float(ones @ others / np.linalg.norm(ones) / np.linalg.norm(others))


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("มีเสือในห้อง", "มีเสื้อในห้อง", 0.6, 0.95),
        ("មិនបើកទ្វារ", "បើកទ្វារ", 0.5, 0.95),
        ("សួស្តី", "លាហើយ", -0.2, 0.2),
        ("灯", "塔", -0.2, 0.2),
        ("\uff21\uff22\uff23", "abc", 0.999, 1.001),
        ("a", "\0a", 0.999, 1.001),
    ],
    ids=["thai-tone", "khmer-negated", "khmer-others", "chinese", "wide", "nul"],
)
def test_words_are_as_near_as_they_look(one: str, other: str, least: float, most: float) -> None:
    """One letter is little of a word, no letter in common is nothing."""
    assert least <= cosine(one, other) <= most


def test_a_vector_is_the_same_everywhere() -> None:
    """It is stored, and compared with those of later processes and versions."""
    made = words_vector(["ประภาคาร", "灯"], 8) * np.sqrt(8)
    assert made.round().tolist() == [-5, -1, -3, -3, -1, -3, 3, -1]


def test_the_length_is_the_root_of_the_characters_and_one_long_word_is_bounded() -> None:
    """A text is not about the one endless word in it."""

    def length(*words: str) -> float:
        vector: Matrix = words_vector(words, DIMENSIONS)
        return float(np.linalg.norm(vector))

    assert length("灯") == pytest.approx(1)
    assert length(*"灯塔守護人艾達獨自住了十") == pytest.approx(12**0.5, rel=0.2)
    assert length("".join(map(chr, range(0x4E00, 0x4E64)))) == pytest.approx(4, rel=0.2)
    assert length("\0") == 0


def test_a_long_text_is_looked_at_in_pieces_from_its_beginning_to_its_end() -> None:
    """However long it is, about as many characters."""
    assert pieces_of("a" * CHARACTERS_MAX) == ["a" * CHARACTERS_MAX]
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 8000)))
    pieces = pieces_of(text)
    assert sum(map(len, pieces)) == CHARACTERS_MAX
    assert (pieces[0][0], pieces[-1][-1]) == (text[0], text[-1])


def test_of_a_text_in_another_language_the_characters_count_beside_the_network() -> None:
    """To a network that finds all texts of a language the same they are no longer."""
    row: Matrix = np.eye(1, DIMENSIONS, dtype=np.float32)[0]
    texts = ("Der Wärter schläft", "der wärter schläft!", "Kein Boot")
    one, same, other = (mixed(row, text) for text in texts)
    assert float(one @ same) == pytest.approx(1)
    assert float(one @ other) == pytest.approx(MODEL_SHARE, abs=0.15)
    assert mixed(row, "...") is row


def test_chinese_and_japanese_are_cut_into_pairs_of_signs() -> None:
    """No mark says where a word ends."""
    assert segments("守门人") == ["守门", "门人"]
    assert segments("灯") == ["灯"]
    assert segments("ประภาคาร") == ["ประภาคาร"]


def test_words_with_marks_are_found() -> None:
    """In whatever form of Unicode; a letter of its own has none."""
    assert marked_words("La peña de pena, la pen\u0303a y the Straße") == ["peña", "pen\u0303a"]
