"""Which texts a model cannot read, by their language and by its vocabulary."""

import pytest

from gather_brain.embeddings.readability import Unread, unread

UNKNOWN = 100
ENGLISH = frozenset({"en"})
READ = {
    "en": "The keeper of the lighthouse has not left the island for eleven years.",
    "a title": "Die Hard",
    "a line": "INT. KITCHEN - NIGHT",
    "names": "Tomas, Ada, Øystein and the Müllers meet at the Café de la Paix in Rio de Janeiro.",
    "numbers": "1 2 3 4 5 6 7 8 9 10",
    "nothing": "...",
}
UNREAD = {
    "de": "Der Wärter des Leuchtturms hat die Insel seit elf Jahren nicht verlassen.",
    "fr": "Le gardien du phare n'a pas quitté l'île depuis onze ans.",
    "es": "El guardián del faro no ha salido de la isla en once años.",
    "ru": "Смотритель маяка не покидал остров одиннадцать лет, и он не хочет этого.",
    "hi": "प्रकाशस्तंभ का रखवाला ग्यारह साल से द्वीप से बाहर नहीं गया है।",
    "ja": "灯台守は十一年間島を離れていない。",
    "zh": "灯塔看守人十一年来没有离开过这个岛。",
    "ko": "등대지기는 십일 년 동안 섬을 떠나지 않았다.",
    "th": "ยามเปิดประตู",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_english_is_read_by_a_model_of_english(text: str) -> None:
    """So is what is too short to be of any language."""
    assert unread(text, [1, 2, 3], UNKNOWN, ENGLISH) is None


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_other_languages_are_not(text: str) -> None:
    """By their script or their most frequent words."""
    assert unread(text, [1, 2, 3], UNKNOWN, ENGLISH) is Unread.LANGUAGE
    assert unread(text, [1, 2, 3], UNKNOWN, ENGLISH | frozenset(UNREAD)) is None


def test_a_text_of_words_that_the_vocabulary_lacks_is_not_read() -> None:
    """In whatever language; one word in five may be lacking."""
    assert unread("a b c d e", [1, 2, 3, UNKNOWN, UNKNOWN], UNKNOWN, ENGLISH) is Unread.VOCABULARY
    assert unread("a b c d e", [1, 2, 3, 4, UNKNOWN], UNKNOWN, ENGLISH) is None


def test_of_a_model_that_says_no_languages_the_vocabulary_alone_counts() -> None:
    """A folder of a model of one's own may say nothing."""
    assert unread(UNREAD["de"], [1, 2, 3], UNKNOWN, frozenset()) is None
    assert unread("...", [], None, frozenset()) is None
