"""Lists are read in the ways in which people write them; prose names nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_brain.coverage.descriptions import Named, named_in


def names(description: str) -> list[str]:
    return [named.name for named in named_in(description)]


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("COSTUME\n1. Wardrobe\n2. Fabric and ageing\n3. Hats", ["Wardrobe", "Fabric and ageing", "Hats"]),
        ("We do: 1) rigs 2) tests 3) permits", ["rigs", "tests", "permits"]),
        ("* **Posters**\n* **Trailers**", ["Posters", "Trailers"]),
        (
            "Supports actors in scenes of closeness.\n\nConsent; closed set; aftercare.",
            ["Consent", "closed set", "aftercare"],
        ),
        ("Hair & make-up: looks / wigs and hair / ageing", ["looks", "wigs and hair", "ageing"]),
        ("Team: fights and falls, cars and bikes, fire", ["fights and falls", "cars and bikes", "fire"]),
        (
            "Works on what we hear. That means ambience, foley and effects, silence and the final mix.",
            ["ambience", "foley and effects", "silence", "final mix"],
        ),
        ("Develops motives, backstory, and voice for every principal.", ["motives", "backstory", "voice"]),
        ("Handles pacing. Handles dialogue.", ["pacing", "dialogue"]),
        ("Sets, props, paint and so on", ["Sets", "props", "paint"]),
    ],
    ids=[
        "numbers", "numbers in a line", "markup", "semicolons", "slashes", "pairs", "verb", "scope",
        "singles", "and so on",
    ],
)  # fmt: skip
def test_a_list_is_read(description: str, expected: list[str]) -> None:
    """Each way of writing one."""
    assert names(description) == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (
            "Die Abteilung kümmert sich um die Kulissen, Requisiten (auch alte) und das Licht.",
            ["Kulissen", "Requisiten", "Licht"],
        ),
        (
            "Der Ton ist für Atmosphäre, Geräusche sowie Mischung verantwortlich.",
            ["Atmosphäre", "Geräusche", "Mischung"],
        ),
        ("Chargé des décors, de l'éclairage et de la palette.", ["décors", "éclairage", "palette"]),
        ("Le son : ambiances ; bruitages ; musique", ["ambiances", "bruitages", "musique"]),
        ("Se ocupa de: vestuario, maquillaje y peluquería", ["vestuario", "maquillaje", "peluquería"]),
        ("छायांकन विभाग लेंस, कैमरा गति और रोशनी के लिए ज़िम्मेदार है।", ["लेंस", "कैमरा गति", "रोशनी"]),
        ("摄影部门主要负责镜头选择、构图和曝光等工作。", ["镜头选择", "构图", "曝光"]),
        ("资料研究：影像查找；日期核对；版权。", ["影像查找", "日期核对", "版权"]),  # noqa: RUF001
        ("1、灯光\n2、音响\n3、服装", ["灯光", "音响", "服装"]),
        ("撮影部は、レンズ選び、構図および露出を担当します。", ["レンズ選び", "構図", "露出"]),
        ("照明・音響・衣装を担当", ["照明", "音響", "衣装"]),
        ("担当範囲：美術・装飾、衣装、小道具（古い物）", ["美術・装飾", "衣装", "小道具"]),  # noqa: RUF001
    ],
    ids=[
        "de",
        "de, split verb",
        "fr",
        "fr, colon",
        "es",
        "hi",
        "zh",
        "zh, colon",
        "zh, numbers",
        "ja",
        "ja, dots",
        "ja, pairs",
    ],
)
def test_a_list_is_read_in_other_languages(description: str, expected: list[str]) -> None:
    """Each with its own verbs, small words and punctuation."""
    assert names(description) == expected


def test_a_long_entry_is_cut_for_its_name_and_kept_whole_as_its_gloss() -> None:
    """Where words have no spaces, too."""
    long = "母亲怎样失去了农场以及为什么三十年来这个家里没有一个人愿意谈起那一年的冬天"
    found = named_in(f"- {long}\n- 声音")
    assert len(found[0].name) < len(long)
    assert found[0].gloss == long


@pytest.mark.parametrize(
    "description",
    [
        "Wir sorgen dafür, dass niemand verletzt wird.",
        "Nous veillons à ce que personne ne soit blessé.",
        "हम ध्यान रखते हैं कि किसी को चोट न लगे।",
        "我们确保没有人受伤。",
        "私たちは誰も怪我をしないようにする。",
        "",
        "   ",
        "We make sure that nobody gets hurt.",
        "When the film needs it, we step in, quietly.",
    ],
)
def test_prose_names_nothing(description: str) -> None:
    """The built-in list or the department's name stands in."""
    assert names(description) == []


def test_what_a_description_says_of_an_aspect_is_its_gloss() -> None:
    """In parentheses, or behind a colon or a dash in a list of lines."""
    assert named_in("in charge of sets, graphics (letters, labels), palette")[1] == Named(
        "graphics", "letters, labels"
    )
    assert named_in("- Pacing: fast and slow\n- Tone - dry, warm") == [
        Named("Pacing", "fast and slow"),
        Named("Tone", "dry, warm"),
    ]


@given(st.text(max_size=400) | st.text("a,;:/-()[]&.\n *1 and", max_size=400))
@settings(deadline=None)
def test_anything_can_be_read(description: str) -> None:
    """Descriptions are people's free text."""
    assert all(named.name for named in named_in(description))


@pytest.mark.parametrize(
    "piece", [" ", "(", "[(", "a, ", "; ", "\n", "and ", "1. ", "- ", "a: ", "は", "負", "、", "है "]
)
def test_the_longest_description_allowed_is_read_in_linear_time(piece: str) -> None:
    """A pattern that looked back would take minutes for one of these."""
    assert isinstance(named_in(piece * (8192 // len(piece))), list)
