"""Texts that differ in nothing but what turns their meaning are no texts that say the same."""

# ruff: noqa: RUF001 - signs that look like others are meant

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.paths import ROOT
from gather_clients.wording.differences import (
    Difference,
    has_another_word,
    has_other_numbers,
    telling_differences,
)

NEGATED: Final = json.loads((ROOT / "tests/data/duplicates/negated.json").read_text(encoding="utf-8"))
"""A sentence in each language and its negation."""
TURNED_IN: Final = json.loads((ROOT / "tests/data/duplicates/turned.json").read_text(encoding="utf-8"))
"""By language, made by us: pairs of each kind, pairs that say the same, and what may stand before them."""
NOTE: Final = (
    "The keeper of the lighthouse counts seventeen lamps before dawn and writes each one into the harbour "
    "ledger, while Mara waits below the stairs with the oil. "
)
"""Before a sentence, so that it is one of many."""
TURNED: Final = [
    (Difference.NUMBER, "another year", "Ada lights the lamp in 1945.", "Ada lights the lamp in 1954."),
    (Difference.NUMBER, "tenfold", "It costs 1,000 euros.", "It costs 10,000 euros."),
    (Difference.NUMBER, "a decimal", "The take lasts 1.5 minutes", "The take lasts 15 minutes"),
    (Difference.NUMBER, "words", "Five boats burn at dusk", "Fifty boats burn at dusk"),
    (Difference.NUMBER, "one and two", "One boat burns at dusk", "Two boats burn at dusk"),
    (Difference.NUMBER, "a unit", "The mast is 5 metres high", "The mast is 5 feet high"),
    (Difference.NUMBER, "a currency", "The prop costs $50", "The prop costs €50"),
    (Difference.NUMBER, "half of the day", "Call time is 6 am", "Call time is 6 pm"),
    (Difference.NUMBER, "below zero", "It is -5 °C on the pier", "It is 5 °C on the pier"),
    (Difference.NUMBER, "a power", "The room is 10² steps wide", "The room is 102 steps wide"),
    (Difference.NUMBER, "a time", "They meet at 10:30", "They meet at 11:30"),
    (Difference.NUMBER, "an added year", "Ada lights the lamp", "Ada lights the lamp in 1945"),
    (Difference.NUMBER, "Arabic digits", "المشهد ٣ في الميناء", "المشهد ٤ في الميناء"),
    (Difference.NUMBER, "Devanagari digits", "दृश्य १२ बंदरगाह पर", "दृश्य १३ बंदरगाह पर"),
    (Difference.NUMBER, "Chinese numerals", "他有三把钥匙", "他有五把钥匙"),
    (Difference.NAME, "another person", "Ada opens the door", "Bert opens the door"),
    (Difference.NAME, "within a sentence", "At dusk Ada opens it", "At dusk Bert opens it"),
    (Difference.NAME, "another place", "They sail to Oslo", "They sail to Bergen"),
    (Difference.NAME, "signs of a name", "He codes in C", "He codes in C++"),
    (Difference.NAME, "Cyrillic", "Сторожа зовут Иван", "Сторожа зовут Пётр"),
    (Difference.NEGATION, "not", "She opens the door.", "She does not open the door."),
    (Difference.NEGATION, "a contraction", "She opens the door.", "She doesn’t open the door."),
    (Difference.NEGATION, "no apostrophe", "He likes the sea", "He doesnt like the sea"),
    (Difference.NEGATION, "never", "He trusts her", "He never trusts her"),
    (Difference.NEGATION, "no longer", "He still trusts her.", "He no longer trusts her."),
    (Difference.NEGATION, "no", "She has a key", "She has no key"),
    (Difference.NEGATION, "without", "She comes with a lamp", "She comes without a lamp"),
    (Difference.NEGATION, "a prefix", "The harbour is safe at night", "The harbour is unsafe at night"),
    (Difference.NEGATION, "a hyphen", "The story is linear", "The story is non-linear"),
    (Difference.NEGATION, "only", "Enter if the lamp burns", "Enter only if the lamp burns"),
    (
        Difference.NEGATION, "another verb's",
        "He opens the door and does not enter", "He does not open the door and enters",
    ),
    (Difference.OPPOSITE, "before and after", "Ada leaves before Bert dies", "Ada leaves after Bert dies"),
    (Difference.OPPOSITE, "left and right", "The boat turns left here", "The boat turns right here"),
    (Difference.OPPOSITE, "day and night", "The harbour by day", "The harbour by night"),
    (Difference.OPPOSITE, "he and she", "He keeps the lamp", "She keeps the lamp"),
    (Difference.ROLE, "names", "Ada hands Bert the letter", "Bert hands Ada the letter"),
    (Difference.ROLE, "three words", "Ada loves Bert", "Bert loves Ada"),
    (Difference.ROLE, "nouns", "The keeper saves the boy", "The boy saves the keeper"),
    (Difference.ROLE, "longer ones", "The old keeper saves the boy", "The boy saves the old keeper"),
    (Difference.ROLE, "there and back", "They sail from Oslo to Bergen", "They sail from Bergen to Oslo"),
    (Difference.ROLE, "order of events", "Ada leaves before Bert dies", "Bert dies before Ada leaves"),
    (Difference.ROLE, "Japanese", "太郎が花子を助ける", "花子が太郎を助ける"),
]  # fmt: skip
SAME: Final = [
    ("digits and words", "They light 200 lamps", "They light two hundred lamps"),
    ("separators", "It costs 1,000 euros", "It costs 1000 euros"),
    ("forms of digits", "Scene １２ at dusk", "Scene 12 at dusk"),
    ("units", "The mast is 5 m high", "The mast is five metres high"),
    ("negations of one word", "She is not happy", "She is unhappy"),
    ("no and never", "He never has a key", "He has no key"),
    ("contraction", "She isn't there", "She is not there"),
    ("a pronoun", "Ada opens the door", "She opens the door"),
    ("more of a name", "They meet Ada at dusk", "They meet Ada Lovelace at dusk"),
    ("a form of a name", "The Egypt scenes come last", "The Egyptian scenes come last"),
    ("order of a list", "Ada and Bert leave the pier", "Bert and Ada leave the pier"),
    ("a moved part", "In the morning Ada leaves", "Ada leaves in the morning"),
    ("passive", "The keeper saves the boy", "The boy is saved by the keeper"),
    ("another word", "The lamp is red", "The lamp is crimson"),
    ("spelling", "The Keeper's lamp", "the keeper’s lamp!"),
    ("a pronoun that counts", "One day she leaves", "A day she leaves"),
    ("other texts", "Ada lights 5 lamps", "The storm breaks the mast of a ferry in 1954"),
]
REPORTED: Final = {
    "vLLM semantic router: on and off": (
        "How to turn on dark mode?", "How to turn off dark mode?", Difference.OPPOSITE,
    ),
    "vLLM semantic router: closed and open": (
        "Is port 6379 closed by default?", "Is port 6379 open by default?", Difference.OPPOSITE,
    ),
    "sentence-transformers: not an exchange": (
        "It’s not an exchange or return", "It’s an exchange or return", Difference.NEGATION,
    ),
    "sentence-transformers: dont": ("I like pizza.", "I dont like pizza.", Difference.NEGATION),
    "FlagEmbedding: heart attack": (
        "Do you have a heart attack within the last year?",
        "Do you not have a heart attack within the last year?",
        Difference.NEGATION,
    ),
    "BioSentVec: disease": ("disease causing", "not disease causing", Difference.NEGATION),
    "LASER: instead of": (
        "I love Maths instead of English", "I love English instead of Maths", Difference.ROLE,
    ),
    "token-compressor: smaller and larger": (
        "The order of magnitude of the dependent variable is way smaller than the independent variable",
        "The order of magnitude of the dependent variable is way larger than the independent variable",
        Difference.OPPOSITE,
    ),
    "a semantic cache: arithmetic": ("What is 17 plus 25?", "What is 17 plus 52?", Difference.NUMBER),
    "mnemon: allowed": (
        "Production deployment is allowed", "Production deployment is not allowed", Difference.NEGATION,
    ),
    "sage-wiki: wells": ("Monitoring well MW-3", "Monitoring well MW-2", Difference.NUMBER),
    "sage-wiki: years": ("Budget of 2023-2024", "Budget of 2022-2023", Difference.NUMBER),
    "TechPulse: learning": ("supervised learning", "unsupervised learning", Difference.NEGATION),
    "a semantic cache: un-cancel": (
        "How do I cancel my subscription?", "How do I un-cancel my subscription?", Difference.NEGATION,
    ),
    "a semantic cache: regions": (
        "What's our refund window for EU orders?", "What's our refund window for US orders?", Difference.NAME,
    ),
    "agentmemory: Chinese": ("这个方案很安全", "这个方案不安全", Difference.NEGATION),
    "agentmemory: Korean": ("항구는 안전하다", "항구는 안전하지 않다", Difference.NEGATION),
}  # fmt: skip
"""Pairs out of public reports of caches and embeddings that took them for the same."""


@pytest.mark.parametrize("before", ["", NOTE], ids=["alone", "in a note"])
@pytest.mark.parametrize(
    ("difference", "one", "other"),
    [(kind, one, other) for kind, _, one, other in TURNED],
    ids=[f"{kind}: {name}" for kind, name, _, _ in TURNED],
)
def test_what_turns_the_meaning_is_seen(difference: Difference, one: str, other: str, before: str) -> None:
    """However little it is of the text."""
    assert difference in telling_differences(before + one, before + other)


@pytest.mark.parametrize("before", ["", NOTE], ids=["alone", "in a note"])
@pytest.mark.parametrize(("one", "other"), [each[1:] for each in SAME], ids=[each[0] for each in SAME])
def test_other_ways_to_say_the_same_turn_nothing(one: str, other: str, before: str) -> None:
    """Likeness may decide."""
    assert not telling_differences(before + one, before + other)


@pytest.mark.parametrize("name", REPORTED)
def test_what_others_took_for_the_same_is_seen(name: str) -> None:
    """The texts stand in public reports."""
    one, other, difference = REPORTED[name]
    assert telling_differences(one, other) == {difference}


@pytest.mark.parametrize("language", sorted(NEGATED))
def test_a_negation_is_seen_in_each_language(language: str) -> None:
    """One sentence each."""
    assert telling_differences(*NEGATED[language]) == {Difference.NEGATION}


@pytest.mark.parametrize("language", sorted(TURNED_IN))
@pytest.mark.parametrize("kind", ["negation", "number", "opposite", "role"])
def test_what_turns_the_meaning_is_seen_in_each_language(language: str, kind: str) -> None:
    """Alone, and within a note."""
    found = TURNED_IN[language]
    for before in ("", found["context"]):
        for one, other in found.get(kind, []):
            assert kind in telling_differences(before + one, before + other), (one, other)


@pytest.mark.parametrize("language", sorted(TURNED_IN))
def test_the_same_in_other_digits_order_or_words_turns_nothing_in_any_language(language: str) -> None:
    """Likeness may decide."""
    found = TURNED_IN[language]
    for before in ("", found["context"]):
        for one, other in found["same"]:
            assert not telling_differences(before + one, before + other), (one, other)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("She gives the keeper a pan", "She gives the keeper a skillet", True),
        ("I don't know what day it is", "I don't know what time it is", True),
        ("Sie hat einen Plan", "Sie hat einen Verdacht", True),
        ("镜头不断靠近港口", "镜头持续靠近港口", True),
        ("The lamp burns", "The lamp is burning", False),
        ("The lamp burns", "The red lamp burns", False),
        ("A lamp burns on the pier", "A fire glows on the pier", False),
        ("The lamp burns", "The lamp burns", False),
    ],
)
def test_one_word_in_anothers_place_is_seen(one: str, other: str, differ: bool) -> None:
    """No list has all opposites; one word more is none."""
    assert has_another_word(one, other) == has_another_word(other, one) == differ


WORDS = st.sampled_from(
    [
        "Ada",
        "lamp",
        "storm",
        "not",
        "never",
        "5",
        "fifty",
        "in",
        "the",
        "before",
        "after",
        "unsafe",
        "safe",
        "三",
        "Oslo.",
    ]
)
TEXTS = st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60)


@given(TEXTS, TEXTS)
def test_it_does_not_matter_which_text_comes_first(one: str, other: str) -> None:
    """A pair is a pair, and a text does not differ from itself."""
    assert telling_differences(one, other) == telling_differences(other, one)
    assert not telling_differences(one, one)


@given(
    st.lists(st.sampled_from(["lamp", "storm", "the", "Ada", "not"]), max_size=40),
    st.integers(0, 40),
    st.integers(2, 10**12),
    st.integers(2, 10**12),
)
def test_any_two_numbers_differ_wherever_they_stand(
    words: list[str], place: int, one: int, other: int
) -> None:
    """In a text of any length."""
    at = min(place, len(words))
    texts = [" ".join([*words[:at], str(number), *words[at:]]) for number in (one, other)]
    assert telling_differences(*texts) == ({Difference.NUMBER} if one != other else set())


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("In 1945 Ada lights it", "The lamp was lit by her in 1954", True),
        ("In 1945 Ada lights 2 lamps", "Two lamps were lit by her in 1945", False),
        ("Ada lights it", "In 1945 she lit the lamp", False),
        ("No more", "Nothing", False),
    ],
)
def test_numbers_of_paraphrases_are_compared(one: str, other: str, differ: bool) -> None:
    """One that is left out says nothing."""
    assert has_other_numbers(one, other) == has_other_numbers(other, one) == differ
