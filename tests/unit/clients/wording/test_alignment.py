"""Two texts' words laid side by side."""

from hypothesis import given
from hypothesis import strategies as st

from gather_clients.wording.alignment import gaps

WORDS = st.lists(st.sampled_from("abcd"), max_size=30)


@given(WORDS, WORDS)
def test_outside_of_the_gaps_the_texts_agree_as_far_as_they_can(one: list[str], other: list[str]) -> None:
    """What is left is the same in both, and as long as the longest common subsequence."""
    found = gaps(one, other)
    alone = {place for gap in found for place in gap.one}, {place for gap in found for place in gap.other}
    left = [word for place, word in enumerate(one) if place not in alone[0]]
    assert left == [word for place, word in enumerate(other) if place not in alone[1]]
    table = [[0] * (len(other) + 1)]
    for word in one:
        row = [0]
        for place, against in enumerate(other):
            row.append(table[-1][place] + 1 if word == against else max(table[-1][place + 1], row[-1]))
        table.append(row)
    assert len(left) == table[-1][-1]


def test_a_gap_says_what_stands_in_the_place_of_what() -> None:
    """Words that one text has in addition stand against none."""
    one, other = ["the", "keeper", "opens", "a", "door"], ["the", "boy", "opens", "a", "red", "door"]
    found = [
        (one[gap.one.start : gap.one.stop], other[gap.other.start : gap.other.stop])
        for gap in gaps(one, other)
    ]
    assert found == [(["keeper"], ["boy"]), ([], ["red"])]
