"""Themes name what a department keeps coming back to and the others do not."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.themes.phrases import (
    CANDIDATES_MAX,
    COUNTED_MAX,
    NEAR_IDENTICAL,
    SHORTLIST_MAX,
    TERMS_PER_NODE_MAX,
    THEMES_MAX,
    candidates,
    chosen,
    counted,
    is_part,
    phrases,
)
from gather_brain.vectors import Matrix, unit_rows

DIMENSIONS = 16
WORDS = ("salt", "lamp", "rope", "harbour", "guilt", "storm", "brother", "machine", "noir", "light")


def vector(text: str) -> Matrix:
    """Return a direction of the text's own; texts that share words are nearer to each other."""
    seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) for word in text.split()]
    total = sum(np.random.default_rng(seed).normal(size=DIMENSIONS) for seed in seeds)
    row: Matrix = unit_rows(np.array([total], np.float32))[0]
    return row


def themes(departments: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the themes of departments' texts, each phrase and each text embedded by `vector`."""
    terms = {name: [phrases(text) for text in texts] for name, texts in departments.items()}
    weights = candidates({name: counted(nodes) for name, nodes in terms.items()})
    return {
        name: chosen(
            found, matrix(list(found)), unit_rows(matrix(departments[name]).mean(0, keepdims=True))[0]
        )
        if found
        else []
        for name, found in weights.items()
    }


def matrix(texts: list[str]) -> Matrix:
    return np.stack([vector(text) for text in texts])


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
departments = st.dictionaries(
    st.sampled_from(["story", "visual", "sound"]), st.lists(texts, min_size=1, max_size=8), min_size=1
)


def test_phrases_have_one_to_three_words_and_cross_no_stop_word() -> None:
    """Such as "noir lighting", and not "lighting of the"."""
    found = phrases("Dark noir lighting of the old harbour")
    assert "dark noir lighting" in found
    assert "old harbour" in found
    assert not any("of" in phrase.split() for phrase in found)


@pytest.mark.parametrize("nothing", ["forty metres", "nobody", "far behind", "the old", "is full", "12 x"])
def test_no_phrase_is_vague(nothing: str) -> None:
    """Numbers and mere adjectives are in many notes and no department's subject."""
    assert not {"forty", "nobody", "far", "behind", "old", "full", "forty metres"} & set(phrases(nothing))


def test_a_theme_is_what_one_department_says_and_the_others_do_not() -> None:
    """What everybody says ("harbour") goes behind what is a department's own."""
    counts = {
        "story": counted([phrases(f"Redemption at the harbour, take {n}") for n in ("a1", "b2", "c3")]),
        "visual": counted([phrases(f"Noir lighting at the harbour, take {n}") for n in ("a1", "b2", "c3")]),
    }
    found = {name: list(weights) for name, weights in candidates(counts).items()}
    assert found["story"][0] == "redemption"
    assert found["visual"][0] == "noir lighting"


@given(st.integers(2, 9), st.integers(2, 5))
def test_a_phrase_common_to_all_ranks_below_a_specific_one(uses: int, others: int) -> None:
    """With equal use, what only one department says weighs more, for any number of departments."""
    counts = {"story": counted([["harbour", "redemption"]] * uses)}
    counts |= {f"other-{number}": counted([["harbour", f"own-{number}"]] * uses) for number in range(others)}
    weights = candidates(counts)["story"]
    assert weights["redemption"] > weights["harbour"]


def test_a_candidate_near_to_the_centre_goes_before_one_as_frequent_that_is_not() -> None:
    """Reranking: of equally frequent phrases the department is about the nearer one."""
    centre = vector("lamp")
    rows = matrix(["check", "lamp"])
    assert chosen({"check": 3.0, "lamp": 3.0}, rows, centre)[0] == "lamp"


def test_a_theme_that_says_something_new_goes_before_a_likely_one_that_does_not() -> None:
    """MMR: the second theme is not the first one's neighbour, though that is nearer to the centre."""
    rows = unit_rows(np.array([[1, 0, 0], [0.75, 0.66, 0], [0.3, 0, 0.95]], np.float32))
    centre = unit_rows(np.array([[0.9, 0.1, 0.42]], np.float32))[0]
    assert rows[0] @ rows[1] < NEAR_IDENTICAL
    assert rows[1] @ centre > rows[2] @ centre
    weights = {"storm": 3.0, "weather": 3.0, "guilt": 3.0}
    assert chosen(weights, rows, centre) == ["storm", "guilt", "weather"]


@given(departments)
def test_no_two_themes_are_near_identical(found: dict[str, list[str]]) -> None:
    """Neither by their vectors nor by their words ("noir" beside "noir light")."""
    for names in themes(found).values():
        for one, other in itertools.combinations(names, 2):
            assert float(vector(one) @ vector(other)) < NEAR_IDENTICAL
            assert not is_part(one, other)


@given(departments)
def test_order_does_not_matter(found: dict[str, list[str]]) -> None:
    """Neither of nodes nor of departments: Neo4j promises none, and callers name departments as they like."""
    turned = {name: list(reversed(found[name])) for name in reversed(list(found))}
    assert themes(found) == themes(turned)


def test_one_node_alone_does_not_make_a_theme_where_there_are_several() -> None:
    """A detail of one note is not what the department is about."""
    nodes = [phrases("salt water"), phrases("salt water"), phrases("purple umbrella")]
    assert "purple umbrella" not in counted(nodes).uses


def test_a_department_without_nodes_has_no_themes() -> None:
    """Nothing is made up."""
    assert candidates({"story": counted([])}) == {"story": {}}
    assert chosen({}, np.zeros((0, 3), np.float32), np.zeros(3, np.float32)) == []


def test_inflections_of_a_theme_are_the_same_theme() -> None:
    """Such as "scene" and "scenes"."""
    assert is_part("scenes", "opening scene")
    assert not is_part("salt road", "salt town")


@given(st.lists(st.text(max_size=300), max_size=6))
def test_what_is_kept_stays_bounded_for_any_text(notes: list[str]) -> None:
    """Callers' texts must not grow what is stored, embedded or answered."""
    nodes = [phrases(text) for text in notes]
    counts = counted(nodes)
    weights = candidates({"any": counts})["any"]
    assert all(len(terms) <= TERMS_PER_NODE_MAX for terms in nodes)
    assert len(counts.uses) <= COUNTED_MAX
    assert len(counts.shortlist) <= SHORTLIST_MAX
    assert len(weights) <= CANDIDATES_MAX
    if weights:
        rows = unit_rows(np.ones((len(weights), 4), np.float32))
        assert len(chosen(weights, rows, rows[0])) <= THEMES_MAX
