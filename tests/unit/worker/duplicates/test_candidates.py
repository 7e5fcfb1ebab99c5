"""Which new notes say nothing new, once it is known what is near to what."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.brain import Duplicate
from gather_worker.duplicates.candidates import (
    OWN_COMPARED_MAX,
    Findings,
    Opinion,
    Pair,
    Verdict,
    decide,
    find_copies,
    open_slots,
    pairs_among,
    pairs_by_meaning,
    pairs_by_words,
    survivors,
    with_cosines,
    without_repeats,
)
from gather_worker.duplicates.word_overlap import copy_key, overlap, word_set
from gather_worker.schemas import Draft

LONG = "The lighthouse keeper counts seventeen lamps before dawn and writes each one into the harbour ledger"
OTHER = "Another idea about the boat altogether"
OPINIONS = {
    verdict: Opinion(verdict, is_duplicate=verdict is Verdict.DUPLICATE, likeness=0.5) for verdict in Verdict
}


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
    assert copy_key(other) == copy_key(LONG)


def test_unicode_forms_of_one_text_have_one_hash() -> None:
    """A composed letter and its parts look the same to a reader."""
    assert copy_key("Café Ångström lights") == copy_key("Cafe\u0301 A\u030angstro\u0308m lights")


@pytest.mark.parametrize(
    ("one", "other"),
    [("He codes in C", "He codes in C++"), ("It is -5 °C", "It is 5 °C"), ("10² steps", "102 steps"),
     ("½ pound", "1/2 pound"), ("3.5 hours", "35 hours"), ("scene 1,000", "scene 1000.")],
)  # fmt: skip
def test_texts_of_other_digits_or_signs_are_no_copies(one: str, other: str) -> None:
    """Nobody is asked about a copy."""
    assert survivors(1, find_copies([draft(f"{LONG} {one}")], {copy_key(f"{LONG} {other}")})) == [0]


def test_texts_without_words_are_not_all_alike() -> None:
    """Symbols are compared, too."""
    assert copy_key("★★★") != copy_key("☂☂☂")
    assert overlap(word_set("★"), word_set("☂")) == 0


def test_a_draft_that_is_saved_already_is_dropped() -> None:
    """Equal words, in any department of the project."""
    findings = find_copies([draft(LONG)], {copy_key(LONG.upper())})
    assert survivors(1, findings) == []
    assert open_slots(1, findings) == []


def test_of_equal_drafts_the_last_stays() -> None:
    """The requirements: newer items are kept; only the last is compared any further."""
    findings = find_copies([draft(text) for text in (LONG, OTHER, LONG, LONG.upper())], set())
    assert survivors(4, findings) == open_slots(4, findings) == [1, 3]


def test_all_that_may_be_duplicates_is_compared() -> None:
    """The brain's neighbours, saved notes of nearly the same words, the batch with itself; nothing twice."""
    drafts = [draft(LONG), draft(OTHER)]
    near = LONG.replace("seventeen", "eighteen")
    meaning = pairs_by_meaning(drafts, [0, 1], [[neighbour(0.8, near), neighbour(0.6)], []])
    words = pairs_by_words(drafts, [0, 1], ["quite other words", near])
    among = pairs_among(drafts, [0, 1])
    assert words == [Pair(0, LONG, near)]
    assert among == [Pair(1, OTHER, LONG, 0)]
    pairs = without_repeats([*meaning, *words, *among])
    assert [(pair.slot, pair.other_slot, pair.cosine) for pair in pairs] == [
        (0, None, 0.8), (0, None, 0.6), (1, 0, None),
    ]  # fmt: skip
    assert with_cosines(pairs, {(OTHER, LONG): 0.3})[-1].cosine == 0.3
    assert with_cosines(pairs, {}) == pairs


def test_words_are_compared_with_a_bounded_number_of_notes() -> None:
    """The newest; the brain knows the others."""
    old = [LONG, *(f"filler number {place}" for place in range(OWN_COMPARED_MAX))]
    assert pairs_by_words([draft(LONG)], [0], old) == []
    assert len(pairs_by_words([draft(LONG)], [0], old[:-1])) == 1


def test_what_no_longer_matters_is_not_judged() -> None:
    """A draft that repeats a saved note is gone already; a question about it would only cost."""
    pairs = [Pair(0, "a", "b"), Pair(0, "a", "x"), Pair(1, "c", "a", 0), Pair(2, "d", "e"), Pair(3, "f", "g")]
    likeness = {"e": 0.4, "g": 0.6}

    def rule(pair: Pair) -> Opinion:
        if pair.other == "b":
            return OPINIONS[Verdict.DUPLICATE]
        return Opinion(Verdict.UNSURE, is_duplicate=False, likeness=likeness.get(pair.other, 0.5))

    findings = Findings()
    assert [pair.slot for pair, _ in decide(findings, pairs, rule)] == [3, 2]
    assert findings.known == {0}


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


VERDICTS = st.sampled_from(list(Verdict))


@given(
    st.dictionaries(st.integers(0, 9), VERDICTS),
    st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), VERDICTS
    ),
)
def test_nothing_is_lost_and_nothing_is_kept_twice(
    saved: Mapping[int, Verdict], among: Mapping[tuple[int, int], Verdict]
) -> None:
    """Of notes that duplicates join the last stays, or none if one of them repeats a saved note."""
    pairs = [Pair(slot, f"text {slot}", "saved") for slot in saved]
    pairs += [Pair(later, f"text {later}", f"text {earlier}", earlier) for earlier, later in among]

    def rule(pair: Pair) -> Opinion:
        if pair.other_slot is None:
            return OPINIONS[saved[pair.slot]]
        return OPINIONS[among[pair.other_slot, pair.slot]]

    findings = Findings()
    unsure = decide(findings, pairs, rule)
    kept = survivors(10, findings)
    repeats = {slot for slot, verdict in saved.items() if verdict is Verdict.DUPLICATE}
    same = {slots for slots, verdict in among.items() if verdict is Verdict.DUPLICATE}
    for cluster in components(10, same):
        left = cluster & set(kept)
        assert left == (set() if cluster & repeats else {max(cluster)})
    assert all(opinion.verdict is Verdict.UNSURE for _, opinion in unsure)
    assert not any(pair.slot in repeats for pair, _ in unsure)
