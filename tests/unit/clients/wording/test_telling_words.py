"""Numbers, however they are written."""

# ruff: noqa: RUF001 - signs that look like others are meant

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gather_clients.wording.telling_words import reading_of, readings_of
from gather_clients.wording.text_language import language_of_pair
from gather_clients.wording.word_kinds import Kind
from gather_clients.wording.written_numbers import written_value


def numbers(text: str) -> list[str]:
    """Return the numbers of a text, in order."""
    return [word.key for word in reading_of(text).words if word.kind is Kind.NUMBER]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1945", 1945), ("1,000", 1000), ("1.000.000", 1_000_000), ("1.5", Fraction(3, 2)),
        ("1,5", Fraction(3, 2)), ("1,234.5", Fraction(2469, 2)), ("0.125", Fraction(1, 8)), ("٣٤", 34),
        ("१२", 12), ("１２", 12), ("-5", -5),
        ("10:30", None), ("1.2.3", None), ("1/2", None), ("½", None), ("9" * 31, None), ("seven", 7),
    ],
)  # fmt: skip
def test_a_number_is_worth_what_it_says(written: str, value: Fraction | int | None) -> None:
    """Whatever its digits and separators; a time, a version or a code is compared as it is written."""
    assert written_value(written) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("two hundred and five lamps", ["#205"]), ("twenty-one", ["#21"]), ("a dozen boats", ["#12"]),
        ("5 million", ["#5000000"]), ("three thousand and forty", ["#3040"]), ("two and three", ["#2", "#3"]),
        ("a hundred and lamps", ["#100"]), ("pages 3-5", ["#3", "#5"]), ("5km and -5 km", ["#5", "#-5"]),
        ("b2b", ["#2"]), ("no number", []),
    ],
)  # fmt: skip
def test_numbers_in_words_are_those_in_digits(text: str, found: list[str]) -> None:
    """Up to what English says in one run of words."""
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Er hat elf Boote und ein Haus", ["#11"]), ("zweihundertdreiundzwanzig Lampen", ["#223"]),
        ("quatre-vingt-dix-sept lampes", ["#97"]), ("soixante et onze lampes du port", ["#71"]),
        ("treinta y dos lámparas", ["#32"]), ("trinta e dois barcos", ["#32"]),
        ("trecentoventidue lampade", ["#322"]), ("drieëntwintig lampen", ["#23"]),
        ("dwadzieścia pięć łodzi", ["#25"]), ("триста двадцать пять лодок", ["#325"]),
        ("двадцять п'ять човнів", ["#25"]), ("yirmi beş tekne", ["#25"]),
        ("sahne için on iki lamba", ["#12"]),
        ("hai mươi lăm phút", ["#20"]), ("ثلاثة قوارب", ["#3"]), ("दो नावें", ["#2"]),
        ("இரண்டு படகுகள்", ["#2"]), ("배 두 척", ["#2"]), ("เรือสองลำ", ["#2"]), ("船が ふたつ", ["#2"]),
        ("二百二十五盏灯", ["#225"]), ("一万三千", ["#13000"]), ("两艘船", ["#2"]), ("一九四五年", ["#1945"]),
        ("the elf is on the mile", []), ("der Film ist im Hafen", []), ("สามารถ", []),
    ],
)  # fmt: skip
def test_numbers_in_words_of_other_languages_are_those_in_digits(text: str, found: list[str]) -> None:
    """What means something else in the text's language is no number."""
    reading = readings_of(text, text)[0]
    assert [word.key for word in reading.words if word.kind is Kind.NUMBER] == found


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The keeper does not open the door", "en"), ("A man is playing a flute", "en"),
        ("Der Wärter öffnet die Tür", "de"), ("Le gardien ouvre la porte du phare", "fr"),
        ("El guarda no abre la puerta", "es"), ("O guarda não abre a porta", "pt"),
        ("Сторож не открывает дверь в порту", None), ("Ada", None), ("", None),
    ],
)  # fmt: skip
def test_a_texts_words_say_in_which_language_it_is(text: str, language: str | None) -> None:
    """If they are clear."""
    assert language_of_pair(text, text) == language


@given(st.integers(0, 10**15))
def test_every_whole_number_is_itself(number: int) -> None:
    """With and without separators."""
    assert numbers(f"of {number:,} lamps") == numbers(f"of {number} lamps") == [f"#{number}"]


@given(st.text(max_size=200))
@example("N'T")
def test_any_text_can_be_read(text: str) -> None:
    """In any script, with signs of every kind."""
    reading = reading_of(text)
    assert len(reading.words) == len(reading.stems)
    assert all(word.key for word in reading.words)
