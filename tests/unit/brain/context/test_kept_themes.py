"""Themes are kept of the very profiles that they were computed of, and keep none of these alive."""

import weakref

import pytest

from gather_brain.context import kept_themes
from gather_brain.context.kept_themes import KeptThemes
from gather_brain.themes.phrases import PhraseCounts
from gather_brain.themes.profiles import Profile

THEMES = {"story": ["salt and tide"]}


def profile() -> Profile:
    return Profile(PhraseCounts({"salt": 2}, 2), None, {})


def test_the_same_profiles_have_the_same_themes() -> None:
    """Others, of another project or made later, have none."""
    kept, profiles = KeptThemes(), {"story": profile()}
    kept.keep(profiles, THEMES)
    assert kept.get(dict(profiles)) is THEMES
    assert kept.get({"story": profile()}) is None
    assert kept.get(profiles | {"sound": profile()}) is None


def test_a_profile_with_the_number_of_one_that_is_gone_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python gives an object's number to the next one."""
    monkeypatch.setattr(kept_themes, "_key", lambda _: (1,))
    kept = KeptThemes()
    kept.keep({"story": profile()}, THEMES)
    assert kept.get({"story": profile()}) is None


def test_profiles_are_not_kept() -> None:
    """They take a hundred times the memory of their themes."""
    kept, profiles = KeptThemes(), {"story": profile()}
    gone = weakref.ref(profiles["story"])
    kept.keep(profiles, THEMES)
    profiles.clear()
    assert gone() is None


def test_what_was_computed_longest_ago_makes_room() -> None:
    """So that a process that meets many projects does not grow."""
    kept, several = KeptThemes(entries=2), [{"story": profile()} for _ in range(3)]
    for each in several:
        kept.keep(each, THEMES)
    assert [kept.get(each) for each in several] == [None, THEMES, THEMES]
