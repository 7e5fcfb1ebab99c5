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
    "description",
    ["", "   ", "We make sure that nobody gets hurt.", "When the film needs it, we step in, quietly."],
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


@pytest.mark.parametrize("piece", [" ", "(", "[(", "a, ", "; ", "\n", "and ", "1. ", "- ", "a: "])
def test_the_longest_description_allowed_is_read_in_linear_time(piece: str) -> None:
    """A pattern that looked back would take minutes for one of these."""
    assert isinstance(named_in(piece * (8192 // len(piece))), list)
