"""A profile stands for a department's content for as long as that is what it was."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.context.profile_refresher import REFRESH_DELAY_S
from gather_brain.themes.phrases import PhraseCounts
from gather_brain.themes.profiles import (
    REMADE_AFTER,
    RESTS,
    SAMPLE_MAX,
    STALE_MAX,
    Profile,
    Refined,
    Sample,
    StoredProfile,
    fingerprint,
    is_due,
    is_usable,
    packed,
    profile_of,
    refinable,
    rounded,
    still_matches,
    unpacked,
)
from gather_brain.vectors import unit_rows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANGED = "2026-03-01T11:00:00.000Z"
EMPTY = Profile(PhraseCounts({}, 0), None, {})


def stored(of: str, age_s: float) -> StoredProfile:
    return StoredProfile(EMPTY, of, (NOW - timedelta(seconds=age_s)).isoformat(), None)


@pytest.mark.parametrize(
    ("node_count", "changed_at", "age_s", "usable"),
    [
        (10, CHANGED, 86_400, True),
        (10, "2026-03-01T11:30:00.000Z", 1, False),
        (11, CHANGED, 1, False),
        (SAMPLE_MAX + 1, CHANGED, STALE_MAX.total_seconds() - 1, True),
        (SAMPLE_MAX + 1, CHANGED, STALE_MAX.total_seconds() + 1, False),
    ],
)
def test_a_stored_profile_is_used_while_its_content_stands(
    node_count: int, changed_at: str, age_s: float, usable: bool
) -> None:
    """Of a department beyond the sample it may be a minute old; of a small one it is never old."""
    assert is_usable(stored(fingerprint(10, CHANGED), age_s), node_count, changed_at, NOW) is usable


LATER = "2026-03-01T11:59:00.000Z"


@pytest.mark.parametrize(
    ("node_count", "changed_at", "age_s", "due"),
    [
        (10, CHANGED, 1, False),
        (10, CHANGED, REMADE_AFTER.total_seconds() + 1, True),
        (10, LATER, 1, True),
        (SAMPLE_MAX, LATER, 1, True),
        (SAMPLE_MAX + 1, LATER, RESTS.total_seconds() - 1, False),
        (SAMPLE_MAX + 1, LATER, RESTS.total_seconds(), True),
    ],
)
def test_a_profile_is_made_again_once_its_content_has_changed(
    node_count: int, changed_at: str, age_s: float, due: bool
) -> None:
    """At once, but for a department beyond the sample: little of its sample changes with each write."""
    kept = stored(fingerprint(node_count, CHANGED), age_s)
    assert is_due(kept, node_count, changed_at, NOW) is due


def test_what_rests_is_made_again_before_it_is_too_old_to_use() -> None:
    """Else a request would have to make it."""
    assert RESTS * 2 + timedelta(seconds=REFRESH_DELAY_S) < STALE_MAX


phrase_counts = st.dictionaries(st.text("abc ", min_size=1, max_size=6), st.integers(1, 9), max_size=5)


@given(phrase_counts, st.integers(0, 2**31), st.booleans())
def test_a_profile_is_read_back_as_it_was_stored(uses: dict[str, int], seed: int, has_centre: bool) -> None:
    """What a request makes itself and what the store gives back lead to the same themes."""
    rows = np.random.default_rng(seed).normal(size=(len(uses) + 1, 8)).astype(np.float32)
    vectors = rounded(unit_rows(rows))
    profile = Profile(
        PhraseCounts(uses, sum(uses.values())),
        unit_rows(rows)[-1] if has_centre else None,
        dict(zip(uses, vectors, strict=False)),
    )
    back = unpacked(packed(profile))
    assert back.counts == profile.counts
    assert (back.centre is None) is (profile.centre is None)
    assert back.centre is None or np.array_equal(back.centre, unit_rows(rows)[-1])
    assert list(back.vectors) == list(profile.vectors)
    for phrase, row in profile.vectors.items():
        assert back.vectors[phrase] == pytest.approx(row, abs=1e-3)


def test_a_department_without_vectors_of_the_model_has_no_centre() -> None:
    """While a model is changed there may be none yet."""
    assert profile_of(Sample([["salt"]], np.zeros((0,), np.float32))).centre is None


@pytest.mark.parametrize(("new", "holds"), [(0, True), (3, True), (4, False), (24, False)])
def test_refined_themes_hold_while_the_shortlist_is_nearly_the_same(new: int, holds: bool) -> None:
    """Three phrases in 24 may change (21 of 27 in both); with four a model would be shown something else."""
    before = tuple(f"phrase{number:02}" for number in range(24))
    after = [f"other{number:02}" for number in range(new)] + list(before[new:])
    profile = Profile(PhraseCounts(dict.fromkeys(after, 2), 48), None, {})
    assert set(refinable(profile)) == set(after)
    assert still_matches(Refined(("salt",), before), profile) is holds


def test_an_empty_department_matches_nothing() -> None:
    """Themes of what is no more are not answered."""
    assert not still_matches(Refined(("salt",), ()), EMPTY)
