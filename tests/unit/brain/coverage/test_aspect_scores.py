"""A sentence counts for the aspect that it is nearest to, unless something else is nearer still."""

import numpy as np
import pytest

from gather_brain.coverage.aspect_scores import aspect_scores, stacked, targets_of
from gather_brain.vectors import Matrix, unit_rows

AXES: Matrix = np.eye(6, dtype=np.float32)
FACETS = [AXES[[0]], AXES[[1]], AXES[[2]]]
NO_COMMON: Matrix = np.zeros((0, 6), np.float32)


def _unit(*values: float) -> Matrix:
    return unit_rows(np.array([values], np.float32))


def test_a_clear_sentence_counts_for_its_aspect_and_a_vague_one_for_none() -> None:
    """A sentence that is a little about everything counts for nothing."""
    facets = [AXES[[axis]] for axis in range(5)]
    said = stacked([AXES[[0]], _unit(1, 1, 1, 1, 1, 0), AXES[[5]]])
    scores = aspect_scores(said, targets_of(facets, NO_COMMON))
    assert scores[0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert scores[1].max() < 0.3
    assert scores[2].max() == 0.0


def test_an_item_counts_with_its_best_sentence_for_each_aspect() -> None:
    """One note may treat two things."""
    both = np.concatenate([AXES[[0]], AXES[[1]]])
    scores = aspect_scores(stacked([both]), targets_of(FACETS, NO_COMMON))
    assert scores[0].tolist() == [1.0, 1.0, 0.0]


def test_another_trades_aspect_that_is_nearer_takes_the_score() -> None:
    """A note on sound counts nothing for costumes, though it is on the same film."""
    said = stacked([_unit(0.6, 0, 0, 0.8, 0, 0)])
    assert aspect_scores(said, targets_of(FACETS, NO_COMMON))[0, 0] == 1.0
    assert aspect_scores(said, targets_of(FACETS, AXES[[3]]))[0, 0] == 0.0


def test_another_trades_name_for_the_same_aspect_is_no_rival() -> None:
    """Two departments may care for one thing."""
    said = stacked([AXES[[0]]])
    assert aspect_scores(said, targets_of(FACETS, _unit(0.9, 0.1, 0, 0, 0, 0)))[0, 0] == 1.0


def test_an_items_scores_do_not_depend_on_the_other_items() -> None:
    """The law that an added item never lowers coverage rests on it."""
    rng = np.random.default_rng(5)
    groups = [unit_rows(rng.normal(size=(size, 6)).astype(np.float32)) for size in (1, 3, 2)]
    targets = targets_of(FACETS, AXES[[3, 4]])
    together = aspect_scores(stacked(groups), targets)
    alone = np.concatenate([aspect_scores(stacked([group]), targets) for group in groups])
    assert together == pytest.approx(alone, abs=1e-5)
