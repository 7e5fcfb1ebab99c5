"""When two texts are the same: case, spacing, sentence punctuation and Unicode's spellings apart."""

import hashlib
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gather_contracts.text import (
    COMMON_PLAIN,
    COMMON_TOKEN,
    MARKS_MAX,
    _replaced,
    _tokens,
    normalised,
    text_hash,
)

# ruff: noqa: RUF001 - signs that look like others are what these tests are about

EQUAL = [
    ("é", "e\u0301"),
    ("Straße", "STRASSE"),
    ("ﬁlm", "film"),
    ("ΟΔΟΣ", "οδος"),
    ("ᾴ", "α\u0345\u0301"),
    ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    ("ＡＢＣ １２３", "abc 123"),
    ("カメラ", "ｶﾒﾗ"),
    ("The camera  moves\n", "the camera moves"),
    ("Hello, world!", "hello world"),
    ("Red,green; blue:", "red green blue"),
    ("Wait... what?!", "wait what"),
    ("wait…what", "wait what"),
    ("He said: “go (now)”", 'he said "go [now]"'),
    ("«Aller»", "‚aller‘"),
    ("'tis", "tis"),
    ("don’t", "don't"),
    ("rock ’n’ roll", "rock n roll"),
    ("night – day", "night day"),
    ("he runs—fast", "he runs fast"),
    ("well‑known", "well-known"),
    ("−5 °C", "-5 °C"),
    ("–5 °C", "-5 °C"),
    ("10–12", "10-12"),
    ("25 ℃", "25 °C"),
    ("½", "1/2"),
    ("C ++", "C++"),
    ("你好，世界。", "你好 世界"),
    ("他说：“走！”", "他说 走"),
    ("時間は１０：３０", "時間は10:30"),
    ("مرحبا، كيف؟", "مرحبا كيف"),
    ("वह आया। वह गया॥", "वह आया वह गया"),
    ("co\u00adoperate", "cooperate"),
    ("\u200fשלום\u200e", "שלום"),
    ("a\u200bb", "a b"),
]
DIFFERENT = [
    ("C", "C++"),
    ("C", "C#"),
    ("-5 °C", "5 °C"),
    ("–5 °C", "5 °C"),
    ("3.5", "35"),
    ("3.5", "3 5"),
    (".5", "5"),
    ("1,000", "1000"),
    ("10:30", "1030"),
    ("10–12", "10 12"),
    ("#1", "1"),
    ("50 %", "50"),
    ("$5", "5"),
    ("a + b", "a b"),
    ("@anna", "anna"),
    ("resume", "résumé"),
    ("don't", "dont"),
    ("well-known", "wellknown"),
    ("well-known", "well known"),
    ("node.js", "nodejs"),
    ("दृश्य में मेला दिखाओ", "दृश्य में माला दिखाओ"),
    ("มีเสือในห้อง", "มีเสื้อในห้อง"),
    ("שָׁלוֹם", "שלום"),
    ("كتب", "كُتب"),
    ("می\u200cخواهم", "میخواهم"),
    ("か", "が"),
    ("👍", "👎"),
    ("👩\u200d🎤", "👩 🎤"),
    ("", "."),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_texts_are_the_same(one: str, other: str) -> None:
    """In words as in the hash."""
    assert normalised(one) == normalised(other)
    assert text_hash(one) == text_hash(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_texts_are_different(one: str, other: str) -> None:
    """A sign, an accent or a vowel sign tells them apart."""
    assert normalised(one) != normalised(other)
    assert text_hash(one) != text_hash(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He said: “don’t” (well-known), at 10:30.", "he said don't well-known at 10:30"),
        ("C++ at −5 °C, #1", "c + + at - 5 ° c # 1"),
        ("e.g. U.S.A.", "e.g u.s.a"),
        (" ... ", "..."),
        (" ?! ", "?!"),
        ("  ", ""),
        ("", ""),
    ],
)
def test_the_form_is_words_numbers_and_signs_with_single_spaces(text: str, expected: str) -> None:
    """A text without any is itself, stripped."""
    assert normalised(text) == expected
    assert text_hash(text) == hashlib.sha256(expected.encode()).hexdigest()


# Signs whose neighbours decide, and characters that folding or composing changes.
TRICKY = st.text(
    st.sampled_from("aB5 .,;:'’-–—−!“”()+#°_…\u0301\u0345\u0344\u200d\u00ad\u3099漢かßİſﬁ½द्मेשך״０：\ud800"),
    max_size=12,
)
TEXTS = st.one_of(st.text(), TRICKY)


@given(TEXTS)
@example("\u0344" * MARKS_MAX)
@example("e" + "\u0301" * (MARKS_MAX + 1))
@example("ﷺ" * 50)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Also where no form is found and the text is itself."""
    once = normalised(text)
    assert normalised(once) == once
    assert once == once.strip()


def test_normalising_any_character_twice_changes_nothing() -> None:
    """Each by itself and between letters and digits, a thousand in a text."""
    assigned = [char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char)[0] != "C"]
    for start in range(0, len(assigned), 1000):
        once = normalised(" ".join(f"{char} a{char}b 5{char}5" for char in assigned[start : start + 1000]))
        assert normalised(once) == once, hex(ord(assigned[start]))


@given(TEXTS, st.sampled_from([" ", "  ", "\n", "\t ", "\u3000", "\u00a0", "\r\n\r\n"]))
def test_other_spacing_is_the_same_text(text: str, space: str) -> None:
    """Where there is space; none is put where there was none."""
    spaced = re.sub(r"\s+", space, text)
    if normalised(text) != text.strip():
        assert text_hash(spaced) == text_hash(text) == text_hash(f" {text}\n")


@given(st.text(st.characters(codec="ascii")))
def test_other_case_is_the_same_text(text: str) -> None:
    """Beyond ASCII some letters have no upper case of their own."""
    assert text_hash(text.upper()) == text_hash(text.lower()) == text_hash(text)


COMMON_TEXTS = st.text(
    st.sampled_from("aZb05 1.,;:'-–—…“”‘’!?\"`#$%&*+/<=>@\\^|~_()[]{}\n\t\x00\x1f\x7f"), max_size=14
)


@given(COMMON_TEXTS)
def test_a_common_text_has_the_form_that_its_kinds_give_it(text: str) -> None:
    """The short way for common texts is one of speed alone."""
    assert COMMON_TOKEN.findall(_replaced(text.lower(), COMMON_PLAIN)) == _tokens(text)


@pytest.mark.parametrize(
    "text", [pytest.param("ﷺ" * 8000, id="growth"), pytest.param("e" + "\u0301\u0323" * 4000, id="marks")]
)
def test_what_no_writing_has_stands_as_it_is(text: str) -> None:
    """Sorting 8,000 marks would take half a second."""
    assert normalised(f" {text} ") == text
