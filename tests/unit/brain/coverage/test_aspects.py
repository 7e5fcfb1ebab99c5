"""Aspects come from the department's own words first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.coverage.aspects import ASPECTS_ENOUGH, ASPECTS_MAX, aspects_of, typical_text
from gather_brain.coverage.evidence.terms import Lexicon


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (
            "Story Department handles narrative, plot structure, pacing, character arcs, and themes",
            ["Narrative", "Plot Structure", "Pacing", "Character Arcs", "Themes"],
        ),
        (
            "Production Design Department handles sets, props, costumes, colour palette and materials",
            ["Sets", "Props", "Costumes", "Colour Palette", "Materials"],
        ),
        (
            "Responsible for: permits and clearances, crew safety, budget planning, transport, catering",
            ["Permits And Clearances", "Crew Safety", "Budget Planning", "Transport", "Catering"],
        ),
        (
            "- lens choice\n- framing\n- night exposure\n- camera movement\n- filters",
            ["Lens Choice", "Framing", "Night Exposure", "Camera Movement", "Filters"],
        ),
    ],
    ids=["verb and list", "a verb that is also a noun", "pairs inside a list", "bullets"],
)
def test_a_description_names_its_aspects(description: str, expected: list[str]) -> None:
    """Lists are read as people write them."""
    assert [aspect.name for aspect in aspects_of("any", description)] == expected


def test_a_thin_description_of_a_usual_department_is_filled_up() -> None:
    """Its own words stay in front."""
    names = [aspect.name for aspect in aspects_of("story", "Story Department handles pacing")]
    assert names[0] == "Pacing"
    assert len(names) == ASPECTS_ENOUGH


def test_known_aspects_carry_what_belongs_to_them() -> None:
    """A bare word is near to few sentences that are about it."""
    pacing = aspects_of("story", "handles pacing, weather")[0]
    assert "tempo" in pacing.gloss
    assert len(pacing.facets) > 2


def test_an_unknown_department_without_a_description_is_its_own_aspect() -> None:
    """There is always something to measure against."""
    assert [aspect.name for aspect in aspects_of("bee-keeping", "")] == ["Bee Keeping"]


@pytest.mark.parametrize("slug", ["story", "story-department", "main-story"])
def test_slugs_of_usual_departments_are_recognised(slug: str) -> None:
    """CMS editors name departments freely."""
    assert "premise" in typical_text(slug)


@pytest.mark.parametrize("slug", ["title-design", "food-production", "art-rentals", "script-translation"])
def test_a_department_that_only_shares_a_word_with_a_usual_one_is_filled_up_by_none(slug: str) -> None:
    """Title design has no sets."""
    assert [aspect.name for aspect in aspects_of(slug, "handles typefaces and cards")] == [
        "Typefaces",
        "Cards",
    ]


def test_names_in_other_alphabets_are_told_apart() -> None:
    """English endings are cut off English words only."""
    assert len(aspects_of("any", "负责灯光、音响、服装、化妆、道具")) == 5


@given(st.text(min_size=1, max_size=63), st.text(max_size=500))
def test_any_description_gives_some_aspects_and_not_too_many(slug: str, description: str) -> None:
    """Descriptions are people's free text."""
    assert 1 <= len(aspects_of(slug, description)) <= ASPECTS_MAX


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("The sound department is responsible for Room Tone and the Final Mix.", "room tone"),
        ("Die Abteilung Ton ist verantwortlich für Stille und die Endmischung.", "Stille"),
        ("Le département son est responsable du silence et du mixage.", "silence"),
    ],
)
def test_german_nouns_keep_their_capitals(description: str, name: str) -> None:
    """To a model that knows capitals "stille" is another word."""
    assert aspects_of("noise", description)[0].facets[0] == name


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("Handles the look of characters, and pacing.", "Look Of Characters"),
        ("Die Abteilung ist verantwortlich für Kleidung der Figuren und die Stoffe.", "Kleidung der Figuren"),
        ("Le département est responsable du rythme des scènes et du mixage.", "Rythme des scènes"),
    ],
)
def test_names_are_written_as_their_language_writes_titles(description: str, name: str) -> None:
    """Producers read them: "Kleidung Der Figuren" is no German."""
    assert aspects_of("costume", description)[0].name == name


@pytest.mark.parametrize(
    ("description", "are_there"),
    [
        ("Responsible for the scars of Captain Ahab, and for pacing.", True),
        ("Le département est responsable de la robe de Maria et du mixage.", True),
        ("Handles the Look of the Characters, and Pacing.", False),
        ("Handles night and low-light exposure, and lenses.", False),
        ("Die Abteilung ist verantwortlich für Kleidung der Figuren und Stoffe.", False),
    ],
)
def test_people_and_places_are_told_by_capitals_as_they_were_written(
    description: str, *, are_there: bool
) -> None:
    """What is said of them weighs otherwise; titles and German nouns have capitals too."""
    aspect = aspects_of("noise", description)[0]
    assert (Lexicon([aspect.cased]).specifics.max() > 0) == are_there
