"""What a reader sees of two texts that are too long to be shown whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.duplicates.excerpts import excerpts

LENGTH = 500
BEGINNING = "The keeper of the lighthouse counts the lamps before dawn and writes each into the ledger. " * 7
END = "Below the stairs the oil is kept in jars of clay, as it has been since the harbour was built. " * 7


def test_short_texts_are_shown_whole() -> None:
    """In one line."""
    assert excerpts("a\n b ", "c", LENGTH) == ("a b", "c")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada dies in 1945.", "Ada dies in 1954."), ("She opens it.", "She does not open it."),
        ("Ada waits.", "Bert waits."), ("Nothing more.", ""), ("The lamp is red.", "The lamp is green."),
        ("灯" * 600 + "三", "灯" * 600 + "五"),
    ],
    ids=["a number", "a negation", "a name", "an end", "any word", "no spaces"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", END], ids=["at the end", "in the middle"])
def test_texts_of_one_beginning_are_shown_where_they_differ(one: str, other: str, end: str) -> None:
    """The first 500 characters alone would be the same."""
    shown = excerpts(f"{BEGINNING}{one} {end}", f"{BEGINNING}{other} {end}", LENGTH)
    assert shown[0] != shown[1]
    assert all(len(each) <= LENGTH for each in shown)
    assert all(each.startswith(BEGINNING[:200]) for each in shown)


def test_a_number_far_behind_is_shown_of_texts_that_differ_before() -> None:
    """It decides, whatever else is worded otherwise."""
    one, other = (
        f"{first} {BEGINNING} Ada dies in {year}. {END}"
        for first, year in (("At dusk", 1945), ("By nightfall", 1954))
    )
    shown = excerpts(one, other, LENGTH)
    assert ("1945" in shown[0], "1954" in shown[1]) == (True, True)
    assert shown[0].startswith("At dusk")


TEXTS = st.lists(st.sampled_from(["lamp", "Ada", "5", "not", "storm.", "灯", "x" * 70]), max_size=60).map(
    " ".join
)


@given(TEXTS, TEXTS, st.sampled_from([300, 500]))
def test_excerpts_are_bounded_and_texts_of_the_beginning(one: str, other: str, length: int) -> None:
    """Every word that is shown stands in the text."""
    for text, shown in zip((one, other), excerpts(one, other, length), strict=True):
        assert len(shown) <= length
        assert all(part.strip("… ") in " ".join(text.split()) for part in shown.split(" … "))


@given(
    st.integers(0, 39),
    st.lists(st.sampled_from(["lamp", "storm", "the", "harbour"]), min_size=40, max_size=300),
)
def test_one_other_word_is_always_shown(place: int, words: list[str]) -> None:
    """Wherever it stands."""
    texts = [
        " ".join([*words[: -place or None], word, *words[len(words) - place :]]) for word in ("Ada", "Bert")
    ]
    shown = excerpts(*texts, LENGTH)
    assert shown[0] != shown[1]
