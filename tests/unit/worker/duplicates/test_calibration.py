"""From pairs to a calibration, and from a calibration to decisions."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.embeddings.settings import FOLDERS
from gather_worker.calibrate.fitting import Sample, fit
from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.calibrate.report import ALONE, MODEL, PERFECT_JUDGE, STAGES, report_of, table_of
from gather_worker.duplicates.calibration import (
    Calibration,
    Decision,
    MadeOn,
    Tree,
    log_odds,
    read_calibration,
    shipped_calibration,
    sigmoid,
)
from gather_worker.duplicates.candidates import Verdict
from gather_worker.duplicates.features import FALLING, FEATURES, RISING, ComparableText, features_of
from gather_worker.errors import InvalidInput

WORDS = tuple(f"{letter}{kind}" for kind in ("lamp", "sea", "gull", "door") for letter in "abcd")
MADE_ON = MadeOn(sources=("made for a test",), pairs=600, duplicates=300, at="2026-11-21")


def pairs_with_cosines(count: int, seed: int) -> list[tuple[LabelledPair, float]]:
    """Half of them keep most of a text, half less of it; both cosines and words overlap."""
    dice = random.Random(seed)  # noqa: S311 - texts, not secrets
    made = []
    for place in range(count):
        words = dice.choices(WORDS, k=12)
        same = place % 2 == 0
        kept = dice.randrange(6, 12) if same else dice.randrange(0, 8)
        other = words[:kept] + dice.choices(WORDS, k=12 - kept)
        cosine = dice.uniform(0.6, 1.0) if same else dice.uniform(0.3, 0.85)
        made.append((LabelledPair(a=" ".join(words), b=" ".join(other), duplicate=same), cosine))
    return made


def pairs(count: int, seed: int) -> list[LabelledPair]:
    """The pairs alone."""
    return [pair for pair, _ in pairs_with_cosines(count, seed)]


def sample_of(labelled: list[tuple[LabelledPair, float]]) -> Sample:
    """The pairs' features and labels."""
    rows = [features_of(ComparableText(pair.a), ComparableText(pair.b), cosine) for pair, cosine in labelled]
    return Sample(rows, [pair.duplicate for pair, _ in labelled])


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """Made of 600 pairs."""
    return fit([sample_of(pairs_with_cosines(600, seed=1))], "test-model", MADE_ON)


def test_a_calibration_classifies_unseen_pairs(calibration: Calibration) -> None:
    """Better than any cut through the cosine, and with a small band."""
    unseen, cosines = zip(*pairs_with_cosines(400, seed=2), strict=True)
    report = report_of("unseen", unseen, cosines, Decision(calibration))
    flat, best, alone, stages, perfect, usual = report.rows
    assert stages.f1 > best.f1 >= flat.f1
    assert perfect.f1 > stages.f1
    assert 0 < report.band_share <= 0.15
    assert perfect.judged_share == usual.judged_share == report.band_share
    assert [row.is_simulated for row in report.rows] == [False] * 4 + [True] * 2
    assert alone == stages.model_copy(update={"way": ALONE})  # nothing is negated here, and nobody named
    assert stages.judged_share == 0
    table = table_of(report)
    assert f"{stages.f1:.3f}" in table
    assert "simulated judge" in table


def test_contrasts_are_reported_and_left_to_the_model(calibration: Calibration) -> None:
    """However alike they are; each kind in a row of its own."""
    labelled, cosines = zip(*pairs_with_cosines(100, seed=3), strict=True)
    negated = [
        LabelledPair(
            a=pair.a, b=f"{pair.a.rpartition(' ')[0]} not {pair.a.rpartition(' ')[2]}", duplicate=False
        )
        for pair in labelled
    ]
    contrasts = {"negated": (negated, [0.98] * len(negated)), "none": ([], [])}
    report = report_of("x", labelled, cosines, Decision(calibration), contrasts=contrasts)
    (row,) = report.contrasts
    assert (row.kind, row.pairs, row.flat, row.stages) == ("negated", 100, 1, 0)
    assert row.alone == row.judged_share > 0.9
    assert 0 < row.usual_judge < 0.25
    assert "negated" in table_of(report)


def test_easy_pairs_leave_nothing_to_the_model() -> None:
    """A band that had to hold its share would take in what is sure."""
    easy = [
        (pair, 0.9 if pair.duplicate else 0.1)
        for pair in (
            LabelledPair(a=f"lamp {n}", b=f"lamp {n}" if n % 2 else f"gull {n}", duplicate=n % 2 == 1)
            for n in range(400)
        )
    ]
    made = fit([sample_of(easy)], "test-model", MADE_ON)
    labelled, cosines = zip(*easy, strict=True)
    report = report_of("easy", labelled, cosines, Decision(made))
    assert report.f1_of(STAGES) == 1
    assert report.band_share <= 0.1


def test_a_models_verdicts_count_in_the_band_only(calibration: Calibration) -> None:
    """Elsewhere nobody asks it, whatever it would say."""
    unseen, cosines = zip(*pairs_with_cosines(200, seed=5), strict=True)
    decision = Decision(calibration)
    asked: list[int] = []

    def wrong(place: int) -> bool:
        asked.append(place)
        return not unseen[place].duplicate

    report = report_of("unseen", unseen, cosines, decision, judged=wrong)
    assert len(asked) == round(report.band_share * len(unseen))
    assert report.rows[-1].way == MODEL
    assert report.f1_of(MODEL) < report.f1_of(PERFECT_JUDGE)


@given(
    st.lists(st.floats(0, 1), min_size=len(FEATURES), max_size=len(FEATURES)),
    st.sampled_from(sorted(RISING | FALLING)),
    st.floats(0, 1),
)
def test_more_in_common_never_makes_a_pair_less_likely_a_duplicate(
    calibration: Calibration, features: list[float], name: str, value: float
) -> None:
    """Whatever the pairs were that it was made on."""
    place = FEATURES.index(name)
    changed = [*features[:place], value, *features[place + 1 :]]
    rise = (value - features[place]) * (1 if name in RISING else -1)
    before, after = calibration.probability(features), calibration.probability(changed)
    assert after >= before - 1e-9 if rise >= 0 else after <= before + 1e-9


def test_the_calibrations_cut_is_the_requirements_threshold(calibration: Calibration) -> None:
    """0.90 is a policy: at it the calibrated cut stands, above it a drop must be surer."""
    at_cut = Decision(calibration, 0.90)
    assert at_cut.cut == pytest.approx(calibration.cut)
    assert at_cut.score(calibration.cut) == pytest.approx(0.90)
    assert Decision(calibration, 0.95).cut > at_cut.cut > Decision(calibration, 0.80).cut


@given(st.floats(0, 1), st.floats(0.5, 0.99))
def test_a_verdict_is_sure_outside_the_band_only(
    calibration: Calibration, probability: float, threshold: float
) -> None:
    """Outside it the verdict is the side of the cut."""
    decision = Decision(calibration, threshold)
    verdict = decision.verdict(probability)
    if verdict is not Verdict.UNSURE:
        assert (verdict is Verdict.DUPLICATE) == decision.is_duplicate(probability)
    assert decision.verdict(1.0) is Verdict.DUPLICATE
    assert decision.verdict(0.0) is Verdict.DIFFERENT


@given(st.floats(1e-9, 1 - 1e-9))
def test_log_odds_and_probability_are_each_others_inverse(probability: float) -> None:
    """As far as floating point goes."""
    assert sigmoid(log_odds(probability)) == pytest.approx(probability)


def test_a_calibration_survives_its_file(calibration: Calibration, tmp_path: Path) -> None:
    """What is read decides as what was written."""
    path = tmp_path / "mine.json"
    path.write_text(calibration.model_dump_json())
    assert read_calibration(path) == calibration


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"features": FEATURES[:-1]}, "other features"),
        ({"trees": ()}, "at least 1"),
        ({"cut": 1.0}, "less than 1"),
        ({"version": 2}, "less than or equal to 1"),
    ],
)
def test_a_file_that_is_no_calibration_says_why(
    calibration: Calibration, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    """A pod that starts with it ends with the reason, not with a trace."""
    path = tmp_path / "broken.json"
    path.write_text(calibration.model_copy(update=change).model_dump_json())
    with pytest.raises(InvalidInput, match=reason):
        read_calibration(path)


@pytest.mark.parametrize(
    "tree",
    [
        {"feature": (0,), "cut": (0.5,), "left": (0,), "right": (0,), "value": (0.0,)},
        {"feature": (99,), "cut": (0.5,), "left": (1,), "right": (2,), "value": (0.0,)},
        {"feature": (-1,), "cut": (), "left": (0,), "right": (0,), "value": (0.0,)},
    ],
)
def test_a_tree_that_never_ends_is_refused(tree: dict[str, object]) -> None:
    """A child always comes after its parent, so that walking down ends."""
    with pytest.raises(ValueError, match="tree"):
        Tree.model_validate(tree)


def test_what_is_shipped_says_what_it_was_made_on() -> None:
    """For the default embedding model; for another there is none, whatever its name looks like."""
    shipped = shipped_calibration("all-MiniLM-L6-v2-w8a8")
    assert shipped is not None
    assert shipped.embedding_model == "all-MiniLM-L6-v2-w8a8"
    assert len(shipped.made_on.sources) == 2
    assert shipped.made_on.pairs > 10_000
    same, other = "The lamp goes out at two.", "Costumes are grey until the storm, with one red scarf."
    decision = Decision(shipped)
    for one, two, cosine, expected in ((same, same, 1.0, True), (same, other, 0.1, False)):
        features = features_of(ComparableText(one), ComparableText(two), cosine)
        assert decision.is_duplicate(shipped.probability(features)) is expected
        assert decision.verdict(shipped.probability(features)) is not Verdict.UNSURE
    for name in ("unheard-of", "../calibrations/all-MiniLM-L6-v2-w8a8", ""):
        assert shipped_calibration(name) is None


@pytest.mark.parametrize("model", FOLDERS.values())
def test_every_model_of_the_brains_image_has_a_calibration(model: str) -> None:
    """Else a flat cosine would decide, which means another thing for each model."""
    found = shipped_calibration(model)
    assert found is not None
    assert found.embedding_model == model
