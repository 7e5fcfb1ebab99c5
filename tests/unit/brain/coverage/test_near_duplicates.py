"""Near duplicates count once, in pairs, chains and clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_brain.coverage.evidence.constants import constants_of
from gather_brain.coverage.measures import CLOSENESS
from gather_brain.coverage.near_duplicates import (
    NEAR_DUPLICATE,
    clusters_of,
    heaviest_without_duplicates,
    members,
    near_duplicates,
)
from gather_brain.embeddings.settings import DEFAULT, FOLDERS


def _graph(size: int, pairs: set[tuple[int, int]]) -> list[int]:
    alike = [0] * size
    for one, other in pairs:
        if one != other:
            alike[one] |= 1 << other
            alike[other] |= 1 << one
    return alike


def heaviest(weights: list[float], alike: list[int]) -> float:
    return heaviest_without_duplicates(weights, alike, clusters_of(alike))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.data())
@settings(max_examples=100)
def test_more_items_never_make_the_heaviest_set_lighter(weights: list[float], data: st.DataObject) -> None:
    """So coverage grows even where the new item is like two that are not alike."""
    alike = _graph(len(weights), data.draw(st.sets(st.tuples(*(st.integers(0, len(weights) - 1),) * 2))))
    last = len(weights) - 1
    fewer = heaviest(weights[:last], [mask & ~(1 << last) for mask in alike[:last]])
    assert heaviest(weights, alike) >= fewer - 1e-9


def test_the_middle_of_a_chain_gives_way_to_its_ends() -> None:
    """Two ends that are not alike say two things."""
    chain = _graph(3, {(0, 1), (1, 2)})
    assert heaviest([0.5, 0.9, 0.5], chain) == pytest.approx(1.0)
    assert heaviest([0.3, 0.9, 0.3], chain) == pytest.approx(0.9)


def test_items_that_are_all_alike_count_with_the_heaviest() -> None:
    """At once, without a search."""
    everyone = {(one, other) for one in range(100) for other in range(one)}
    assert heaviest([0.5] * 99 + [0.6], _graph(100, everyone)) == 0.6


def test_chains_made_to_confuse_the_search_end_soon_and_count_no_pair() -> None:
    """The greedy answer stands in where the exact one takes too long; it still counts no two alike."""
    rng = np.random.default_rng(2)
    near = np.argwhere(np.triu(rng.random((100, 100)) < 0.1, 1))
    alike = _graph(100, {(int(one), int(other)) for one, other in near})
    assert 10 <= heaviest([1.0] * 100, alike) <= 50


def test_clusters_are_what_hangs_together() -> None:
    """Each item is in one cluster."""
    assert [members(cluster) for cluster in clusters_of(_graph(5, {(0, 3), (3, 4)}))] == [[0, 3, 4], [1], [2]]


@pytest.mark.parametrize("model", FOLDERS.values())
def test_each_shipped_model_has_constants_of_its_own(model: str) -> None:
    """Models spread their cosines differently; two notes at a model's cut are one, and a little below two."""
    assert set(NEAR_DUPLICATE) == set(CLOSENESS) == set(FOLDERS.values())
    if model != FOLDERS[DEFAULT]:
        assert constants_of(model) != constants_of(FOLDERS[DEFAULT])
    for cosine, alike in ((NEAR_DUPLICATE[model] + 0.001, [2, 1]), (NEAR_DUPLICATE[model] - 0.001, [0, 0])):
        pair = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], np.float32)
        assert near_duplicates(pair, model) == alike
