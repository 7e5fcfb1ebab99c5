"""Depth, coherence and actionability move the way a reader would expect."""

import json
from pathlib import Path

import numpy as np
import pytest

from gather_brain.coverage import Item, distinct_items
from gather_brain.measures import actionability_of, coherence_of, depth_of
from gather_brain.vectors import unit_rows

NOTES = [
    note["content"]
    for note in json.loads((Path(__file__).parents[2] / "contract/brain/story_notes.json").read_text())[
        "notes"
    ]
]


@pytest.fixture
def notes() -> list[Item]:
    """Thirty hand-written notes."""
    return distinct_items([(str(index), note) for index, note in enumerate(NOTES)])


def _thinned(items: list[Item], words: int) -> list[Item]:
    return [Item(item.id, " ".join(item.content.split()[:words]), item.sentences) for item in items]


def test_thinner_notes_are_less_deep_and_less_actionable(notes: list[Item]) -> None:
    """Cutting each note to eight words leaves headlines."""
    thin = _thinned(notes, 8)
    assert depth_of(thin) < 50
    assert depth_of(notes) > 60
    assert actionability_of(thin) < 50
    assert actionability_of(notes) > 60


def test_padding_with_empty_words_adds_no_depth(notes: list[Item]) -> None:
    """Depth counts what is said, not how long it takes."""
    padded = [Item(item.id, f"{item.content} {'It is as it was and so it is. ' * 5}", ()) for item in notes]
    assert depth_of(padded) == pytest.approx(depth_of(notes), abs=0.5)


def test_depth_grows_with_the_number_of_notes(notes: list[Item]) -> None:
    """A department of three notes is not worked out."""
    assert depth_of(notes[:3]) < depth_of(notes[:12]) < depth_of(notes)


def test_repeating_a_verb_gives_no_second_instruction() -> None:
    """Saying "use" three times is one instruction."""
    once, often = Item("a", "use the lamp", ()), Item("b", "use the lamp use it use use", ())
    assert actionability_of([once]) == actionability_of([often])


def test_items_of_one_film_cohere_and_strangers_do_not() -> None:
    """Coherence is closeness to each other."""
    rng = np.random.default_rng(3)
    strangers = unit_rows(rng.normal(size=(20, 384)).astype(np.float32))
    film = unit_rows(strangers + 0.7 * unit_rows(rng.normal(size=(1, 384)).astype(np.float32)))
    assert coherence_of(strangers, 0) < 5
    assert coherence_of(film, 0) > 80


def test_redundancy_lowers_coherence() -> None:
    """Copies are close to each other and hold nothing together."""
    rng = np.random.default_rng(4)
    film = unit_rows(rng.normal(size=(10, 384)).astype(np.float32) * 0.08 + 0.08)
    assert coherence_of(film, 5) < coherence_of(film, 0)
    assert coherence_of(np.repeat(film[:1], 10, axis=0), 0) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_items_have_no_coherence(count: int) -> None:
    """There is nothing to hold together."""
    assert coherence_of(np.ones((count, 4), np.float32), 0) == 0


def test_nothing_scores_nothing() -> None:
    """No items, no quality."""
    assert (depth_of([]), actionability_of([])) == (0.0, 0.0)
