"""The laws of coverage and of the sub-scores, for any notes: words have vectors, no model is needed."""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_brain.coverage.analysis import Measurement, measure, plan_measurement
from gather_brain.coverage.coverage_score import SATURATION, Item, coverage_of, nothing_covered
from gather_brain.coverage.near_duplicates import clusters_of, near_duplicates
from gather_brain.coverage.recommendations import COVERED_MIN
from gather_brain.vectors import Matrix, unit_rows
from gather_brain.words import words

DIMENSIONS = 48
DESCRIPTION = "handles pacing, lighting, costumes, silence and doubles"
VOCABULARY = [
    *(
        "pacing",
        "lighting",
        "costumes",
        "silence",
        "doubles",
        "Ada",
        "lamp",
        "rope",
        "storm",
        "Tomas",
        "nine",
    ),
    *("show", "cut", "hold", "scene", "minute", "not", "never", "wide", "narrow", "two", "three", "shot"),
]


@cache
def _word(word: str) -> Matrix:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
    row: Matrix = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return row


def embedded(texts: Sequence[str]) -> Matrix:
    """Texts with the same words have the same vector, texts with some in common are near."""
    return unit_rows(np.stack([_row(text) for text in texts]))


@cache
def _row(text: str) -> Matrix:
    row: Matrix = np.sum([_word(word) for word in words(text)], axis=0)
    return row


def measurement_of(texts: Sequence[str]) -> Measurement:
    plan = plan_measurement("any", DESCRIPTION, [(f"i{index}", text) for index, text in enumerate(texts)])
    return measure(plan, embedded(plan.texts))


def scores(texts: Sequence[str]) -> dict[str, float]:
    found = measurement_of(texts)
    return {
        "coverage": found.coverage.score,
        "breadth": found.coverage.breadth,
        "depth": found.depth or 0.0,
        "coherence": found.coherence or 0.0,
        "actionability": found.actionability or 0.0,
    }


sentences = st.lists(st.sampled_from(VOCABULARY), min_size=3, max_size=8).map(" ".join)
notes = st.lists(sentences, min_size=1, max_size=3).map(". ".join)


@given(st.lists(notes, max_size=12), notes)
@settings(max_examples=40, deadline=None)
def test_an_added_item_never_lowers_coverage(given_notes: list[str], more: str) -> None:
    """Writing more can only help, on topic or not, duplicate or not."""
    before, after = scores(given_notes), scores([*given_notes, more])
    assert after["coverage"] >= before["coverage"] - 1e-3
    assert after["breadth"] >= before["breadth"] - 1e-3


@given(st.lists(notes, min_size=1, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_a_duplicate_never_raises_any_score(given_notes: list[str], data: st.DataObject) -> None:
    """The same text in other case and spacing is the same text."""
    text = data.draw(st.sampled_from(given_notes))
    before, after = scores(given_notes), scores([*given_notes, f"  {text.upper()}! "])
    assert all(after[name] <= before[name] + 1e-3 for name in before)


@given(st.lists(notes, min_size=2, max_size=12, unique=True), st.data())
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter(given_notes: list[str], data: st.DataObject) -> None:
    """MongoDB gives items back in any order."""
    shuffled = data.draw(st.permutations(given_notes))
    before, after = scores(given_notes), scores(shuffled)
    assert all(abs(after[name] - before[name]) < 1e-2 for name in before)


@given(st.lists(notes, min_size=2, max_size=8, unique=True))
@settings(max_examples=20, deadline=None)
def test_every_score_is_a_percentage(given_notes: list[str]) -> None:
    """Whatever the notes are."""
    assert all(0 <= score <= 100 for score in scores(given_notes).values())


def test_a_note_in_nearly_the_same_words_raises_neither_depth_nor_actionability_nor_coherence() -> None:
    """Each of them counts near duplicates as one note."""
    given_notes = ["Ada cut the rope nine times before the storm", "show the red coat in the lamp scene"]
    before = scores(given_notes)
    after = scores([*given_notes, "Ada cut the red rope nine times before the storm hold"])
    assert after["depth"] <= before["depth"]
    assert after["actionability"] <= before["actionability"]
    assert after["coherence"] < before["coherence"]


def test_no_items_cover_nothing_and_name_every_aspect() -> None:
    """The first iteration asks before anything is written."""
    found = measurement_of([])
    assert found.coverage == nothing_covered(["Pacing", "Lighting", "Costumes", "Silence", "Doubles"])
    assert (found.depth, found.coherence, found.actionability) == (0.0, 0.0, 0.0)


def test_leaving_one_aspect_out_lowers_the_score_and_names_it() -> None:
    """Cutting a topic must be seen."""
    whole = [f"{aspect} {more}" for aspect in ("pacing", "lighting", "silence") for more in ("slow", "wind")]
    cut = [text for text in whole if "lighting" not in text]
    with_it, without = measurement_of(whole).coverage, measurement_of(cut).coverage
    assert without.score < with_it.score
    assert without.aspects[1].coverage < 1
    assert with_it.aspects[1].coverage > 40


def test_two_clear_notes_cover_an_aspect_and_one_leaves_a_gap() -> None:
    """As the constant says."""
    items = [Item(f"i{index}", f"text {index}", ("text",)) for index in range(2)]
    matrix = np.array([[1.0, 1.0], [1.0, 0.0]], np.float32)
    found = coverage_of(items, [("A", 1.0), ("B", 1.0)], matrix, [0, 0], [1, 2])
    assert found.aspects[0].coverage == pytest.approx(100 * (1 - np.exp(-2 / SATURATION)))
    assert found.aspects[1].coverage < COVERED_MIN < found.aspects[0].coverage


def test_what_the_description_names_weighs_more_than_what_the_built_in_list_adds() -> None:
    """A department's own words go first."""
    items = [Item("a", "text", ("text",))]
    matrix = np.array([[1.0, 0.0]], np.float32)
    named = coverage_of(items, [("A", 1.0), ("B", 0.5)], matrix, [0], [1])
    added = coverage_of(items, [("A", 0.5), ("B", 1.0)], matrix, [0], [1])
    assert named.score == pytest.approx(2 * added.score)


def test_a_hundred_copies_in_slightly_other_words_are_one_note() -> None:
    """Padding with rephrased copies is the cheapest way to cheat."""
    rng = np.random.default_rng(1)
    copies = unit_rows((np.eye(6)[0] + rng.normal(0, 0.01, (100, 6))).astype(np.float32))
    assert clusters_of(near_duplicates(copies)) == [(1 << 100) - 1]
