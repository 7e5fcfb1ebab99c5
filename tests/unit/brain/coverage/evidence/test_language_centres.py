"""What the texts of a language have in common is taken off; English and models of one language stay."""

from importlib.resources import files

import numpy as np
import pytest

from gather_brain.coverage import analysis
from gather_brain.coverage.analysis import measure, plan_measurement
from gather_brain.coverage.evidence.constants import DEFAULT_MODEL, constants_of
from gather_brain.coverage.evidence.language_centres import (
    Kind,
    centres_of,
    language_of_facets,
    language_of_note,
    without_language,
)
from gather_brain.vectors import Matrix, unit_rows

MULTILINGUAL = "multilingual-e5-small-w8a8"
FOLDER = files("gather_brain.coverage.evidence") / "centres"
KINDS: tuple[Kind, ...] = ("names", "passages")
LANGUAGES = ("de", "fr", "es", "hi", "zh", "ja")
CHINESE = "声音部门负责环境声、拟音、音乐、静默和对白录音。"
NOTES = ("法庭那场戏里去掉所有海的声音。", "绳子是一个角色。请录下它断裂的声音。", "全片只有一个旋律。")


def _rows(count: int, size: int = 384) -> Matrix:
    return unit_rows(np.random.default_rng(7).standard_normal((count, size)).astype(np.float32))


def test_a_models_file_has_both_kinds_of_each_language() -> None:
    """And nothing that would swallow what a text says: unit vectors are moved by less than their length."""
    assert [path.name for path in FOLDER.iterdir()] == [f"{MULTILINGUAL}.json"]
    found = centres_of(MULTILINGUAL)
    assert set(found) == {(kind, language) for kind in KINDS for language in LANGUAGES}
    assert all(0.1 < np.linalg.norm(centre) < 0.8 for centre in found.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_language_adds_is_taken_off(kind: Kind, language: str) -> None:
    """What is left is what the text says."""
    rows = _rows(3)
    moved = rows + centres_of(MULTILINGUAL)[kind, language]
    assert np.allclose(without_language(moved, kind, language, MULTILINGUAL), rows, atol=1e-6)


@pytest.mark.parametrize(
    ("language", "model"),
    [("en", MULTILINGUAL), ("sv", MULTILINGUAL), ("zh", DEFAULT_MODEL), ("zh", "../x")],
)
def test_english_and_what_has_no_centre_stay(language: str, model: str) -> None:
    """To the bit."""
    rows = _rows(3)
    assert without_language(rows, "passages", language, model) is rows


@pytest.mark.parametrize(
    ("facets", "language"),
    [
        (("拟音",), "zh"),
        (("musik",), "de"),
        (("silence", "silence: where sound falls away and what is heard instead"), "en"),
    ],
)
def test_what_a_built_in_list_says_of_an_aspect_is_english(facets: tuple[str, ...], language: str) -> None:
    """Whatever the description is in."""
    assert language_of_facets(facets, "de" if language == "en" else language) == language


@pytest.mark.parametrize(
    ("note", "described", "taken_off"),
    [
        (NOTES[0], "zh", "zh"),
        (NOTES[0], "en", "en"),
        ("OK.", "zh", "zh"),
        ("Leave out every sound of the sea in the court scene.", "zh", "en"),
        ("Leave out every sound of the sea in the court scene.", "en", "en"),
    ],
)
def test_a_note_loses_the_language_of_the_description_alone(
    note: str, described: str, taken_off: str
) -> None:
    """In another, it is near to no aspect by its language; where it shows none, it is in that."""
    assert language_of_note(note, described) == taken_off


@pytest.mark.parametrize(
    ("description", "language"),
    [
        (CHINESE, "zh"),
        ("Archivo. Se ocupa de: búsqueda de imágenes, comprobación de hechos y fechas, y licencias.", "es"),
        ("Ljudet ansvarar för musik och stämningar som inte hörs i bilden.", "sv"),
        ("Music, silence.", "en"),
        ("", "en"),
    ],
)
def test_a_description_has_a_language(description: str, language: str) -> None:
    """Where its words are of many languages, that by whose verbs its list was read."""
    assert plan_measurement("sound", description, []).language == language


def test_a_coverage_is_that_of_the_same_vectors_without_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aspects without that of names, notes without that of passages, other departments' as they are."""
    plan = plan_measurement("sound", CHINESE, [(f"{place}", text) for place, text in enumerate(NOTES)])
    facets = sum(len(aspect.facets) for aspect in plan.aspects)
    sentences = sum(len(item.sentences) for item in plan.items)
    common = len(plan.texts) - facets - sentences
    rows = _rows(len(plan.texts))
    moved = rows.copy()
    moved[common : common + facets] += centres_of(MULTILINGUAL)["names", "zh"]
    moved[common + facets :] += centres_of(MULTILINGUAL)["passages", "zh"]
    monkeypatch.setattr(analysis, "constants_of", lambda _: constants_of(DEFAULT_MODEL))
    found, plain = measure(plan, moved, MULTILINGUAL), measure(plan, rows, DEFAULT_MODEL)
    assert plan.language == "zh"
    assert found.coverage.score == pytest.approx(plain.coverage.score, abs=1e-3)
    assert measure(plan, moved, DEFAULT_MODEL).coverage.score != pytest.approx(plain.coverage.score, abs=1e-3)


@pytest.mark.parametrize(
    ("model", "description"),
    [(DEFAULT_MODEL, CHINESE), (MULTILINGUAL, "Sound covers music, silence and dialogue.")],
)
def test_no_note_is_asked_for_its_language_where_nothing_is_taken_off(
    model: str, description: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is 5 of 30 ms for 100 known notes, on the way of every analysis."""
    plan = plan_measurement("sound", description, [(str(place), text) for place, text in enumerate(NOTES)])
    monkeypatch.delattr("gather_brain.coverage.evidence.language_centres.language_of_text")
    measure(plan, _rows(len(plan.texts)), model)
