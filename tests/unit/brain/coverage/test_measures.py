"""Depth, coherence and actionability move the way a reader would expect."""

import json

import numpy as np
import pytest

from dev.paths import ROOT
from gather_brain.coverage.measures import (
    CLOSENESS,
    COHERENT_NOTES,
    TextFeatures,
    actionability_of,
    coherence_of,
    common_features,
    depth_of,
    features_of,
    freshness_of,
    unmeasured_in,
)
from gather_brain.vectors import Matrix, unit_rows
from tests.evals.coverage_cases import departments

NOTES = [note["content"] for note in json.loads((ROOT / "tests/data/story_notes.json").read_text())["notes"]]


@pytest.fixture
def notes() -> list[TextFeatures]:
    """Thirty hand-written notes."""
    return [features_of(text) for text in NOTES]


def _film(size: int) -> Matrix:
    """Vectors about as near to each other as notes on one film."""
    rng = np.random.default_rng(3)
    strangers = unit_rows(rng.normal(size=(size, 384)).astype(np.float32))
    return unit_rows(strangers + 0.8 * unit_rows(rng.normal(size=(1, 384)).astype(np.float32)))


def _near(cosine: float) -> Matrix:
    """Vectors of which any two have this cosine."""
    count = 12
    factor = np.linalg.cholesky(np.full((count, count), cosine) + np.eye(count) * (1 - cosine))
    return factor.astype(np.float32)


def _sure(count: int) -> Matrix:
    return np.ones(count, np.float32)


def test_thinner_notes_are_less_deep_and_less_actionable(notes: list[TextFeatures]) -> None:
    """Cutting each note to eight words leaves headlines."""
    thin = [features_of(" ".join(text.split()[:8])) for text in NOTES]
    assert depth_of(thin) < 50
    assert depth_of(notes) > 60
    assert actionability_of(thin) < 50
    assert actionability_of(notes) > 60


def test_padding_with_empty_words_adds_no_depth(notes: list[TextFeatures]) -> None:
    """Depth counts what is said, not how long it takes."""
    padded = [features_of(f"{text} {'It is as it was and so it is. ' * 5}") for text in NOTES]
    assert depth_of(padded) == pytest.approx(depth_of(notes), abs=0.5)


@pytest.mark.parametrize("language", ["de", "fr", "es", "hi", "zh", "ja"])
def test_the_same_notes_are_as_deep_in_another_language(language: str) -> None:
    """Notes that nothing was fitted to; they differed by up to 26 points."""
    each = zip(departments("same_notes/en"), departments(f"same_notes/{language}"), strict=True)
    for pair in each:
        english, other = ([features_of(text) for text in department.texts] for department in pair)
        assert depth_of(other) == pytest.approx(depth_of(english), abs=6)


def test_depth_grows_with_the_number_of_notes(notes: list[TextFeatures]) -> None:
    """A department of three notes is not worked out."""
    assert depth_of(notes[:3]) < depth_of(notes[:12]) < depth_of(notes)


def test_repeating_a_verb_gives_no_second_instruction() -> None:
    """Saying "use" three times is one instruction."""
    once, often = features_of("use the lamp"), features_of("use the lamp use it use use")
    assert actionability_of([once]) == actionability_of([often])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Dreht den Hafen vor Sonnenaufgang. Die Lampe erst einschalten, wenn Ada den Namen sagt."),
        ("fr", "Tourner le port avant le lever du soleil. Il faut entendre le générateur dans chaque scène."),
        (
            "es",
            "Hay que rodar el puerto antes del amanecer. Nunca muestren la máquina entera en el primer acto.",
        ),
        ("hi", "बंदरगाह को सूर्योदय से पहले शूट करें। हर दृश्य में जनरेटर की आवाज़ सुनाई देनी चाहिए।"),
        ("zh", "港口要在日出前拍。诊所的每场戏都必须听到发电机的声音。"),
        ("ja", "港は日の出前に撮ること。どの場面でも発電機の音が聞こえなければならない。"),
    ],
)
def test_instructions_and_words_are_known_in_other_languages(language: str, text: str) -> None:
    """What an English note gets for two instructions and some words, others get, too."""
    features = features_of(text)
    assert features.language == language
    assert actionability_of([features]) > 80
    assert 8 <= len(features.vocabulary) <= 20


def test_what_is_not_known_in_a_language_is_named() -> None:
    """Polish has words, Thai has none here, and a few letters are of no language."""
    polish = ["Ada jest w latarni i nie mówi nic o swoim bracie, który nie wrócił z morza."] * 5
    assert list(unmeasured_in(polish)) == ["actionability"]
    assert set(unmeasured_in(["เอด้าอยู่ในประภาคารคนเดียวและรอพี่ชาย"])) == {"depth", "actionability"}
    assert unmeasured_in(NOTES) == unmeasured_in(["Lamp."]) == unmeasured_in([]) == {}


def test_without_vectors_that_mean_something_there_is_no_coherence() -> None:
    """If the model cannot read most of the notes; of fewer the others tell enough."""
    assert list(unmeasured_in(NOTES[:3], [False, False, True])) == ["coherence"]
    assert unmeasured_in(NOTES[:2], [False, True]) == {}


def test_near_duplicates_say_together_what_all_of_them_say() -> None:
    """A second wording adds nothing, however many words it has."""
    common = common_features(["Ada cuts the rope at 9.", "Ada cuts the thick wet rope at 9 with a knife."])
    assert common.vocabulary == features_of("Ada cuts the rope at 9.").vocabulary


def test_items_of_one_film_cohere_and_strangers_do_not() -> None:
    """Coherence is closeness to each other."""
    strangers = unit_rows(np.random.default_rng(4).normal(size=(20, 384)).astype(np.float32))
    assert coherence_of(strangers, _sure(20), 20, 0) < 5
    assert coherence_of(_film(20), _sure(20), 20, 0) > 80


def test_repetition_contradiction_and_other_matters_each_lower_coherence() -> None:
    """By their share of the notes."""
    film = _film(10)
    whole = coherence_of(film, _sure(10), 10, 0)
    assert coherence_of(film, _sure(10), 15, 0) == pytest.approx(whole / 1.5)
    assert coherence_of(film, _sure(10), 10, 5) == pytest.approx(whole / 2)
    assert coherence_of(film, 0 * _sure(10), 10, 0) == pytest.approx(whole / 2)


@pytest.mark.parametrize("model", CLOSENESS)
def test_each_model_has_its_own_scale_of_closeness(model: str) -> None:
    """What is as near as a department's own notes are belongs, by whatever model."""
    low, high = CLOSENESS[model]
    assert coherence_of(_near(high), _sure(12), 12, 0, model=model) > 80
    assert coherence_of(_near(low - 0.1), _sure(12), 12, 0, model=model) < 20


def test_what_is_said_again_costs_though_no_note_is_a_duplicate() -> None:
    """A few words may be said again; whole sentences may not."""
    assert freshness_of(NOTES) == 1
    again = [f"Ada lifts the lamp {number} and she does not know what to do about it." for number in range(9)]
    assert freshness_of(again) < 0.6
    film = _film(9)
    assert coherence_of(film, _sure(9), 9, 0, fresh=0.5) == pytest.approx(
        coherence_of(film, _sure(9), 9, 0) / 4
    )


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_notes_have_no_coherence(count: int) -> None:
    """There is nothing to hold together."""
    assert coherence_of(np.ones((count, 4), np.float32), _sure(count), count, 0) == 0


def test_two_notes_cohere_less_than_many() -> None:
    """Two may be alike by chance."""
    film = _film(COHERENT_NOTES + 1)
    assert coherence_of(film[:2], _sure(2), 2, 0) < coherence_of(film, _sure(len(film)), len(film), 0)


def test_nothing_scores_nothing() -> None:
    """No items, no quality."""
    assert (depth_of([]), actionability_of([])) == (0.0, 0.0)
