"""The laws of coverage, on arrays: no model, any vectors."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_brain.coverage import (
    NEAR_DUPLICATE,
    Item,
    coverage_of,
    distinct_items,
    evidence_of,
    heaviest_without_duplicates,
    item_vectors,
    near_duplicates,
)
from gather_brain.measures import actionability_of, coherence_of, depth_of
from gather_brain.vectors import Matrix, unit_rows

DIMENSIONS = 6
ASPECTS = ("A", "B", "C")
FACETS = [np.eye(DIMENSIONS, dtype=np.float32)[[row]] for row in range(len(ASPECTS))]
VOCABULARY = (
    "Ada",
    "lamp",
    "rope",
    "storm",
    "Tomas",
    "ledger",
    "nine",
    "show",
    "cut",
    "hold",
    "scene",
    "minute",
)


vectors = st.lists(
    st.lists(st.floats(-1, 1, width=32), min_size=DIMENSIONS, max_size=DIMENSIONS), min_size=1, max_size=3
).map(lambda rows: unit_rows(np.array(rows, np.float32) + np.float32(0.001)))
texts = st.lists(st.sampled_from(VOCABULARY), min_size=4, max_size=12).map(" ".join)
drafts = st.tuples(texts, vectors)


def _scores(given_drafts: Sequence[tuple[str, Matrix]]) -> dict[str, float]:
    """All scores, as the endpoint computes them; a text's vectors are those of its first draft."""
    by_text: dict[str, Matrix] = {}
    for text, rows in given_drafts:
        by_text.setdefault(text.lower(), rows)
    items = distinct_items([(f"i{index}", text) for index, (text, _) in enumerate(given_drafts)])
    item_rows = [by_text[item.content.lower()] for item in items]
    coverage = coverage_of(items, item_rows, ASPECTS, FACETS)
    repeated = len(given_drafts) - len(items)
    return {
        "coverage": coverage.score,
        "breadth": coverage.breadth,
        "depth": depth_of(items),
        "coherence": coherence_of(item_vectors(item_rows), repeated) if items else 0.0,
        "actionability": actionability_of(items),
    }


@given(st.lists(drafts, max_size=12), drafts)
@settings(max_examples=100)
def test_an_added_item_never_lowers_coverage(
    given_drafts: list[tuple[str, Matrix]], more: tuple[str, Matrix]
) -> None:
    """Writing more can only help, on topic or not, duplicate or not."""
    before, after = _scores(given_drafts), _scores([*given_drafts, more])
    assert after["coverage"] >= before["coverage"] - 1e-4
    assert after["breadth"] >= before["breadth"] - 1e-4


@given(st.lists(drafts, min_size=1, max_size=12), st.data())
@settings(max_examples=100)
def test_a_duplicate_never_raises_any_score(
    given_drafts: list[tuple[str, Matrix]], data: st.DataObject
) -> None:
    """The same text in other case and spacing is the same text."""
    text, rows = data.draw(st.sampled_from(given_drafts))
    before, after = _scores(given_drafts), _scores([*given_drafts, (f"  {text.upper()}! ", rows)])
    assert all(after[name] <= before[name] + 1e-4 for name in before)


@given(st.lists(drafts, min_size=2, max_size=12, unique_by=lambda draft: draft[0]), st.randoms())
@settings(max_examples=100)
def test_order_does_not_matter(given_drafts: list[tuple[str, Matrix]], random: object) -> None:
    """MongoDB gives items back in any order."""
    shuffled = list(given_drafts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    before, after = _scores(given_drafts), _scores(shuffled)
    assert all(abs(after[name] - before[name]) < 1e-3 for name in before)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.data())
@settings(max_examples=100)
def test_more_items_never_make_the_heaviest_set_lighter(weights: list[float], data: st.DataObject) -> None:
    """So coverage grows even where the new item is like two that are not alike."""
    pairs = data.draw(st.sets(st.tuples(*(st.integers(0, len(weights) - 1),) * 2)))
    alike = [0] * len(weights)
    for one, other in pairs:
        if one != other:
            alike[one] |= 1 << other
            alike[other] |= 1 << one
    last = len(weights) - 1
    fewer = heaviest_without_duplicates(weights[:last], [mask & ~(1 << last) for mask in alike[:last]])
    assert heaviest_without_duplicates(weights, alike) >= fewer - 1e-9


def test_a_hundred_copies_in_slightly_other_words_count_once() -> None:
    """Padding with rephrased copies is the cheapest way to cheat."""
    rng = np.random.default_rng(1)
    copies = unit_rows((np.eye(DIMENSIONS)[0] + rng.normal(0, 0.01, (100, DIMENSIONS))).astype(np.float32))
    assert (copies @ copies.T).min() > NEAR_DUPLICATE
    weights = [0.5] * 100
    assert heaviest_without_duplicates(weights, near_duplicates(copies)) == 0.5


def test_chains_of_duplicates_made_to_confuse_the_search_end_soon_and_count_no_pair() -> None:
    """The greedy answer stands in where the exact one takes too long; it still counts no two alike."""
    rng = np.random.default_rng(2)
    size = 100
    near = np.triu(rng.random((size, size)) < 0.1, 1)
    near |= near.T
    alike = [sum(1 << int(other) for other in np.flatnonzero(row)) for row in near]
    assert 1 <= heaviest_without_duplicates([1.0] * size, alike) <= size


def test_evidence_goes_to_the_aspect_that_a_sentence_is_nearest_to() -> None:
    """A sentence that is a little about everything is evidence for nothing."""
    clear = np.eye(DIMENSIONS, dtype=np.float32)[[0]]
    vague = unit_rows(np.array([[1, 1, 1, 0, 0, 0]], np.float32))
    assert evidence_of(clear, FACETS).tolist() == [1.0, 0.0, 0.0]
    assert evidence_of(vague, FACETS).max() == 0.0


def test_no_items_cover_nothing_and_name_every_aspect() -> None:
    """The first iteration asks before anything is written."""
    coverage = coverage_of([], [], ASPECTS, FACETS)
    assert (coverage.score, coverage.breadth) == (0.0, 0.0)
    assert [aspect.aspect for aspect in coverage.aspects] == list(ASPECTS)


def test_leaving_one_aspect_out_lowers_the_score_and_names_it() -> None:
    """Cutting a topic must be seen."""
    plain = [np.eye(DIMENSIONS, dtype=np.float32)[[row % 3]] + 0 for row in range(9)]
    for index, row in enumerate(plain):
        row[0, 3 + index % 3] += 0.7 + index / 10
    rows = [unit_rows(row) for row in plain]
    items = [Item(f"i{index}", f"text {index}", ("text",)) for index in range(9)]
    whole = coverage_of(items, rows, ASPECTS, FACETS)
    kept = [index for index in range(9) if index % 3 != 1]
    cut = coverage_of([items[index] for index in kept], [rows[index] for index in kept], ASPECTS, FACETS)
    assert cut.score < whole.score
    assert cut.aspects[1].coverage < 1 < whole.aspects[1].coverage
