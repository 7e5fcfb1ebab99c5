"""Which new notes say nothing new."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.brain import Duplicate
from gather_worker.answers import Draft
from gather_worker.dedupe import (
    COSINE_LOW,
    JUDGED_PAIRS_MAX,
    Findings,
    Pair,
    apply_verdicts,
    compare_meaning,
    compare_words,
    pairs_to_judge,
    survivors,
)
from gather_worker.text import normalised, overlap, text_hash, word_set

LONG = "The lighthouse keeper counts seventeen lamps before dawn and writes each one into the harbour ledger"


def draft(content: str) -> Draft:
    """Return a draft of some content."""
    return Draft(content=content, summary="s", context="c")


def neighbour(similarity: float, content: str = "A saved note about the sea wall") -> Duplicate:
    """Return a neighbour of some similarity."""
    return Duplicate(node_id="n", similarity=similarity, content=content, properties={})


@pytest.mark.parametrize(
    "other",
    [LONG.upper(), f"  {LONG}.  ", LONG.replace(" ", "\n"), LONG.replace("before", "before,")],
    ids=["case", "space around", "line breaks", "punctuation"],
)
def test_texts_that_differ_in_form_only_have_one_hash(other: str) -> None:
    """Case, spacing and punctuation are no new idea."""
    assert text_hash(other) == text_hash(LONG)


def test_unicode_forms_of_one_text_have_one_hash() -> None:
    """A composed letter and its parts look the same to a reader."""
    assert text_hash("Café Ångström lights") == text_hash("Cafe\u0301 A\u030angstro\u0308m lights")


def test_texts_without_words_are_not_all_alike() -> None:
    """Symbols only: compared as they stand."""
    assert text_hash("★★★") != text_hash("☂☂☂")
    assert normalised("★★★") == ""
    assert overlap(word_set("★"), word_set("☂")) == 0


def test_a_draft_that_is_saved_already_is_dropped() -> None:
    """Equal words, in any department of the project."""
    findings = compare_words([draft(LONG)], {text_hash(LONG.upper())}, [])
    assert survivors(1, findings) == []


def test_a_draft_with_nearly_the_words_of_a_saved_note_is_dropped() -> None:
    """Two words changed of sixteen, and one added: the same note."""
    findings = compare_words([draft(LONG.replace("seventeen", "eighteen"))], set(), [LONG])
    assert survivors(1, findings) == []


def test_of_two_equal_drafts_the_later_stays() -> None:
    """The requirements: newer items are kept."""
    findings = compare_words(
        [draft(LONG), draft("Another idea about the boat altogether"), draft(LONG)], set(), []
    )
    assert survivors(3, findings) == [1, 2]


def test_half_alike_drafts_are_left_to_the_model() -> None:
    """Between the cuts nobody decides by counting words."""
    one = "the keeper counts lamps at dawn and writes them down"
    other = "the keeper counts boats at dawn and writes them up"
    findings = compare_words([draft(one), draft(other)], set(), [])
    assert [(pair.slot, pair.other_slot) for pair in pairs_to_judge(findings)] == [(1, 0)]


@pytest.mark.parametrize(
    ("similarity", "known", "unsure"),
    [
        (COSINE_LOW - 0.001, set(), 0),
        (COSINE_LOW, set(), 1),
        (0.899, set(), 1),
        (0.90, {0}, 0),
        (1.0, {0}, 0),
    ],
)
def test_the_cuts_decide_who_is_asked(similarity: float, known: set[int], unsure: int) -> None:
    """Below the low cut new, from the high cut on a duplicate, between them the model is asked."""
    findings = Findings()
    compare_meaning(findings, [draft(LONG)], [[neighbour(similarity)]])
    assert findings.known == known
    assert len(findings.unsure) == unsure


def test_the_users_threshold_is_the_high_cut() -> None:
    """0.90 is a setting."""
    findings = Findings()
    compare_meaning(findings, [draft(LONG)], [[neighbour(0.93)]], high=0.95)
    assert not findings.known
    assert len(findings.unsure) == 1


def test_the_nearest_neighbour_decides() -> None:
    """However the brain orders them."""
    findings = Findings()
    compare_meaning(findings, [draft(LONG)], [[neighbour(0.7), neighbour(0.95), neighbour(0.8)]])
    assert findings.known == {0}


def test_pairs_that_no_longer_matter_are_not_judged() -> None:
    """A draft that repeats a saved note is gone already; a question about it would only cost."""
    findings = Findings(known={0}, unsure=[Pair(0, "a", "b"), Pair(1, "c", "a", 0), Pair(2, "d", "e")])
    assert [pair.slot for pair in pairs_to_judge(findings)] == [2]


def test_the_model_is_asked_about_a_bounded_number_of_pairs() -> None:
    """Whatever the batch looks like."""
    findings = Findings(unsure=[Pair(i, "a", "b") for i in range(100)])
    assert len(pairs_to_judge(findings)) == JUDGED_PAIRS_MAX


def test_a_verdict_that_is_missing_keeps_the_note() -> None:
    """And verdicts about pairs that nobody asked about do nothing."""
    findings = Findings()
    pairs = [Pair(0, "a", "b"), Pair(1, "c", "a", 0)]
    apply_verdicts(findings, pairs, {7: True, -1: True})
    assert survivors(2, findings) == [0, 1]
    apply_verdicts(findings, pairs, {1: True})
    assert survivors(2, findings) == [1]


def test_a_chain_has_one_survivor() -> None:
    """A is like B, B like C: C stays, whatever A and C have in common."""
    assert survivors(4, Findings(same={(0, 1), (1, 2)})) == [2, 3]


def test_a_cluster_with_a_saved_note_has_no_survivor() -> None:
    """The saved note is the survivor: it is never dropped for a new one."""
    assert survivors(3, Findings(same={(0, 2)}, known={0})) == [1]


pairs_of_ten = st.sets(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=20
)


def components(count: int, same: set[tuple[int, int]]) -> list[set[int]]:
    """Return the clusters, found in another way than the code under test finds them."""
    clusters = [{i} for i in range(count)]
    for one, other in same:
        joined = [c for c in clusters if one in c or other in c]
        clusters = [c for c in clusters if c not in joined] + [set().union(*joined)]
    return clusters


@given(pairs_of_ten, st.sets(st.integers(0, 9)))
def test_each_cluster_has_exactly_one_survivor_or_a_saved_one(
    same: set[tuple[int, int]], known: set[int]
) -> None:
    """One a cluster, the last; the trap of marking both of a pair would lose whole clusters."""
    expected: Sequence[int] = sorted(max(c) for c in components(10, same) if not c & known)
    assert survivors(10, Findings(known=set(known), same=set(same))) == expected
