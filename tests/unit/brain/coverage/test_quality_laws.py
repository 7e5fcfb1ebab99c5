"""Laws of the brain's measures of quality: what makes notes worse never raises the part that names it."""

import json
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.paths import ROOT
from gather_brain.coverage.measures import actionability_of, coherence_of, depth_of, features_of
from gather_brain.vectors import Matrix, unit_rows

FOLDER = ROOT / "tests" / "data" / "coverage" / "held_out"
NOTES = [
    text for path in sorted(FOLDER.glob("*.json")) for _, text in json.loads(path.read_text("utf-8"))["items"]
]
EPSILON = 1e-6
"""Sums in another order."""
COHERENCE_EPSILON = 1e-3
"""Likewise, in single precision."""

some_notes = st.lists(st.sampled_from(NOTES), min_size=1, max_size=12, unique=True)


def centres(count: int, seed: int) -> Matrix:
    """Vectors of notes of one film: a common part, and one of each note's own."""
    rng = np.random.default_rng(seed)
    own = unit_rows(rng.normal(size=(count, 64)).astype(np.float32))
    return unit_rows(own + unit_rows(rng.normal(size=(1, 64)).astype(np.float32)))


@given(some_notes, st.data())
@settings(deadline=None)
def test_thinning_never_raises_depth_or_actionability(texts: list[str], data: st.DataObject) -> None:
    """A note that is cut to a part of itself is no deeper and no more use."""
    place = data.draw(st.integers(0, len(texts) - 1))
    words = texts[place].split(" ")
    kept = data.draw(st.integers(0, len(words)))
    thin = [*texts[:place], " ".join(words[:kept]), *texts[place + 1 :]]
    before, after = [features_of(text) for text in texts], [features_of(text) for text in thin]
    assert depth_of(after) <= depth_of(before) + EPSILON
    assert actionability_of(after) <= actionability_of(before) + EPSILON


@given(some_notes, st.randoms())
@settings(deadline=None)
def test_the_order_of_notes_does_not_matter(texts: list[str], chance: random.Random) -> None:
    """For depth and actionability."""
    before = [features_of(text) for text in texts]
    turned = list(before)
    chance.shuffle(turned)
    assert abs(depth_of(turned) - depth_of(before)) < EPSILON
    assert abs(actionability_of(turned) - actionability_of(before)) < EPSILON


@given(st.integers(2, 12), st.integers(0, 99), st.integers(0, 20), st.integers(0, 12), st.data())
@settings(deadline=None)
def test_contradicting_and_copying_lower_coherence(
    count: int, seed: int, copies: int, disputed: int, data: st.DataObject
) -> None:
    """More copies, and more notes that others contradict, are never more coherent."""
    vectors, relevance = centres(count, seed), np.ones(count, np.float32)
    disputed = min(disputed, count)
    fewer = data.draw(st.integers(0, disputed))
    whole = coherence_of(vectors, relevance, count, fewer)
    worse = coherence_of(vectors, relevance, count + copies, disputed)
    assert worse <= whole + COHERENCE_EPSILON
    if whole > 1 and (copies or disputed > fewer):
        assert worse < whole


@given(st.integers(2, 12), st.integers(0, 99), st.data())
@settings(deadline=None)
def test_padding_with_what_is_off_the_department_lowers_coherence(
    count: int, seed: int, data: st.DataObject
) -> None:
    """The same notes are less coherent the fewer of them treat an aspect of the department."""
    vectors = centres(count, seed)
    relevance = np.ones(count, np.float32)
    before = coherence_of(vectors, relevance, count, 0)
    relevance[: data.draw(st.integers(1, count))] = data.draw(st.floats(0, 0.25, width=32))
    assert coherence_of(vectors, relevance, count, 0) <= before + COHERENCE_EPSILON
