"""Notes and aspects share words, whatever the script and however the language bends them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.coverage.evidence.terms import BEGINNING_WEIGHT, Lexicon, terms


def share(aspect: str, text: str) -> float:
    return float(Lexicon([aspect]).shares([terms(text)])[0, 0])


@pytest.mark.parametrize(
    ("aspect", "text"),
    [
        ("Pacing", "It is paced by the bells."),
        ("3 cameras", "We need 3 of the camera."),
        ("人物", "这些人物都变了"),
        ("संवाद", "यहाँ संवाद छोटे हैं।"),
        ("台詞", "彼の台詞は短い"),
    ],
    ids=["en", "numbers", "zh", "hi", "ja"],
)
def test_all_of_an_aspects_words_are_found(aspect: str, text: str) -> None:
    """Without endings, small words and spaces."""
    assert share(aspect, text) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("aspect", "text"),
    [("Figurenentwicklung", "Die Figuren ändern sich."), ("développement", "Elle développe l'idée.")],
)
def test_a_beginning_in_common_counts_for_a_part(aspect: str, text: str) -> None:
    """Compounds and endings of other languages."""
    assert share(aspect, text) == pytest.approx(BEGINNING_WEIGHT)


def test_words_that_other_aspects_have_too_weigh_less() -> None:
    """What every aspect of a department is called tells none of them apart."""
    lexicon = Lexicon(["light design", "sound design", "set design"])
    only_rare, only_common = lexicon.shares([terms("light"), terms("design")])[:, 0]
    assert only_rare > only_common > 0


def test_a_statement_is_told_from_a_topic() -> None:
    """By how many different words it has."""
    told = "the mother sells her farm before winter and tells nobody why"
    topic, statement = Lexicon(["pacing", told]).statements
    assert topic < 0.2
    assert statement > 0.7


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.text(max_size=100))
def test_a_share_is_between_0_and_1(aspects: list[str], text: str) -> None:
    """For any texts."""
    shares = Lexicon(aspects).shares([terms(text), terms(aspects[0])])
    assert shares.shape == (2, len(aspects))
    assert ((shares >= 0) & (shares <= 1 + 1e-5)).all()
