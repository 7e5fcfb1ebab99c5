"""Scripts and small words say in which language a text is, and which of its words mean something."""

import pytest

from gather_clients.wording.content_words import content_words
from gather_clients.wording.text_language import language_of_text, main_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The harbour is shot before the sun is up.", "en"),
        ("Der Hafen wird vor Sonnenaufgang gedreht.", "de"),
        ("Il faut entendre le générateur sous chaque scène.", "fr"),
        ("El puerto se rueda antes del amanecer.", "es"),
        ("बंदरगाह को सूर्योदय से पहले शूट करें।", "hi"),
        ("港口要在日出前拍。", "zh"),
        ("港は日の出前に撮ること。", "ja"),
        ("항구는 해가 뜨기 전에 촬영한다.", "ko"),
        ("ท่าเรือถ่ายก่อนพระอาทิตย์ขึ้น", "th"),
        ("Ada nie jest w domu.", "pl"),
        ("Lamp.", None),
        ("1984, 12:30", None),
        ("", None),
    ],
)
def test_a_text_shows_its_language(text: str, language: str | None) -> None:
    """By its script, or by its small words; a name or a number shows none."""
    assert language_of_text(text) == language


def test_most_letters_decide() -> None:
    """Of several texts; of none there is no language."""
    english = "The harbour is shot before the sun is up, and so is the bridge."
    assert main_language([english, "Der Hafen wird gedreht.", english]) == "en"
    assert main_language([]) is None


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("de", "Die Lampe ist nicht in der Küche.", ["lampe", "küche"]),
        ("hi", "दीपक को रसोई में रखें", ["दीपक", "रसोई", "रखें"]),
        ("zh", "灯塔的守护人不在港口。", ["灯塔", "守护", "人", "港口"]),
        ("ja", "灯台の番人はカメラを見ない。", ["灯台", "番人", "カメラ", "見"]),
    ],
)
def test_words_of_meaning_are_told_apart(language: str, text: str, words: list[str]) -> None:
    """Also where no spaces stand between them."""
    assert set(words) <= set(content_words(text, language))
