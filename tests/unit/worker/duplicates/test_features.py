"""What two texts have in common, in numbers."""

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.duplicates.features import FALLING, FEATURES, RISING, ComparableText, features_of

TEXTS = st.text(alphabet="abc dé.N7 ", max_size=60)


def feature(name: str, one: str, other: str, cosine: float = 0.5) -> float:
    """One feature of two texts."""
    return features_of(ComparableText(one), ComparableText(other), cosine)[FEATURES.index(name)]


@given(TEXTS, TEXTS)
def test_no_feature_depends_on_which_text_comes_first(one: str, other: str) -> None:
    """A pair is a pair."""
    there = features_of(ComparableText(one), ComparableText(other), 0.5)
    back = features_of(ComparableText(other), ComparableText(one), 0.5)
    assert there == pytest.approx(back)
    assert len(there) == len(FEATURES)


@given(TEXTS)
def test_a_text_has_everything_in_common_with_itself(text: str) -> None:
    """Nothing is unshared, and no share is above 1."""
    found = dict(zip(FEATURES, features_of(ComparableText(text), ComparableText(text), 1.0), strict=True))
    assert not any(found[name] for name in FALLING)
    assert all(0 <= found[name] <= 1 for name in RISING)
    if ComparableText(text).words:
        assert found["subsequence"] == found["word_jaccard"] == 1


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("numbers_differ", "Scene 12 at dusk", "Scene 14 at dusk"),
        ("names_differ", "then Ada leaves", "then Bert leaves"),
        ("negation_differs", "the lamp burns", "the lamp never burns"),
    ],
)
def test_one_changed_word_that_turns_the_meaning_is_seen(name: str, one: str, other: str) -> None:
    """Numbers, names and negations are what embeddings overlook."""
    assert feature(name, one, other) > 0
    assert feature(name, one, one) == 0


@given(st.lists(st.sampled_from("abcd"), max_size=25), st.lists(st.sampled_from("abcd"), max_size=25))
def test_the_longest_common_subsequence_is_that_of_the_table(one: list[str], other: list[str]) -> None:
    """The bits count what the textbook's table counts."""
    table = [[0] * (len(other) + 1)]
    for left in one:
        row = [0]
        for place, right in enumerate(other):
            row.append(table[-1][place] + 1 if left == right else max(table[-1][place + 1], row[-1]))
        table.append(row)
    words = len(one) + len(other)
    expected = 2 * table[-1][-1] / words if words else 0
    assert feature("subsequence", " ".join(one), " ".join(other)) == pytest.approx(expected)


def test_a_moved_half_keeps_half_of_the_subsequence() -> None:
    """Order counts, unlike in the shares of words."""
    one, other = "a1 b1 c1 d1", "c1 d1 a1 b1"
    assert feature("word_jaccard", one, other) == 1
    assert feature("subsequence", one, other) == SequenceMatcher(None, one.split(), other.split()).ratio()
