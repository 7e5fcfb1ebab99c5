"""The newest events stay within both bounds, and a feed that ends leaves nothing."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_bridge.live import newest
from gather_bridge.live.batch import Batch
from gather_bridge.live.newest import Line, NewestEvents
from gather_bridge.live.replay import Position

MAX_BYTES = 5000
steps = st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 3000)), max_size=60)
"""Of which line, and how long a text; -1 ends the line."""


def batch(length: int) -> Batch:
    return Batch(Position(), notice="x" * length)


@given(steps)
def test_the_oldest_make_room(taken: list[tuple[int, int]]) -> None:
    """Lines hold the last of what was added, in order; what is counted is what is there."""
    kept, lines = NewestEvents(MAX_BYTES), [Line() for _ in range(3)]
    added: list[list[Batch]] = [[], [], []]
    for number, length in taken:
        if length < 0:
            kept.clear(lines[number])
            assert not lines[number]
        else:
            added[number].append(batch(length))
            kept.add(lines[number], added[number][-1])
        assert len(kept) == sum(map(len, lines))
        assert sum(each.size_bytes for line in lines for each in line) <= MAX_BYTES
    for line, all_added in zip(lines, added, strict=True):
        assert list(line) == all_added[len(all_added) - len(line) :]


def test_of_one_project_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that lags further behind reads the log."""
    monkeypatch.setattr(newest, "NEWEST_EVENTS", 3)
    kept, line = NewestEvents(), deque[Batch]()
    for length in range(10):
        kept.add(line, batch(length))
    assert [len(each.texts[0]) for each in line] == [7, 8, 9]
    assert len(kept) == len(line)


def test_a_feed_that_ends_leaves_the_others() -> None:
    """Projects come and go all day: what nobody hears is not kept."""
    kept, gone, other = NewestEvents(), Line(), Line()
    for line in (gone, other, gone):
        kept.add(line, batch(10))
    kept.clear(gone)
    assert (len(kept), len(gone), len(other)) == (1, 0, 1)
