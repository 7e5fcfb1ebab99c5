"""What a client that comes back gets, as a table; and what counts as an unbroken line of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_bridge.live.replay import (
    Position,
    ReloadReason,
    Replay,
    decide_replay,
    follows,
    is_seen,
    is_unbroken,
    position_of,
)
from gather_clients.stored_event import StoredEvent

E, OTHER = "e1", "e2"


def event(offset: int, epoch: str = E) -> StoredEvent:
    return StoredEvent(offset, epoch, "p", "deduplicating", "-", "{}")


@pytest.mark.parametrize(
    ("asked", "head", "expected"),
    [
        pytest.param(None, Position(E, 7), Replay(7, 7), id="a new client gets live events only"),
        pytest.param(None, Position(), Replay(0, 0), id="a new client of a project without events"),
        pytest.param(Position(E, 7), Position(E, 7), Replay(7, 7), id="nothing was missed"),
        pytest.param(Position(), Position(), Replay(0, 0), id="still no events"),
        pytest.param(Position(E, 4), Position(E, 7), Replay(4, 7), id="three were missed"),
        pytest.param(Position(E, 0), Position(E, 7), Replay(0, 7), id="all were missed"),
        pytest.param(Position(), Position(E, 7), Replay(0, 7), id="came when there was no event yet"),
        pytest.param(Position(E, 0), Position(E, 10), Replay(0, 10), id="exactly as many as allowed"),
        pytest.param(Position(E, 0), Position(E, 5000), Replay(0, 5000), id="everything, however much"),
        pytest.param(
            Position(E, 1), Position(E, 12), Replay(12, 12, ReloadReason.TOO_MANY), id="one too many"
        ),
        pytest.param(
            Position(E, 4), Position(OTHER, 7), Replay(7, 7, ReloadReason.EPOCH_CHANGED), id="another log"
        ),
        pytest.param(
            Position(E, 7), Position(OTHER, 7), Replay(7, 7, ReloadReason.EPOCH_CHANGED), id="same number"
        ),
        pytest.param(
            Position(E, 4), Position(), Replay(0, 0, ReloadReason.EPOCH_CHANGED), id="the log is gone"
        ),
        pytest.param(
            Position("", 4), Position(E, 7), Replay(7, 7, ReloadReason.EPOCH_CHANGED), id="offset of no epoch"
        ),
        pytest.param(
            Position(E, 9), Position(E, 7), Replay(7, 7, ReloadReason.OFFSET_AHEAD), id="the log went back"
        ),
    ],
)
def test_a_replay_is_exact_or_none(asked: Position | None, head: Position, expected: Replay) -> None:
    """Never a part of what was missed."""
    assert decide_replay(asked, head, limit=10) == expected


@given(
    st.none() | st.builds(Position, st.sampled_from(["", E, OTHER]), st.integers(0, 30)),
    st.one_of(st.just(Position()), st.builds(Position, st.sampled_from([E, OTHER]), st.integers(1, 30))),
    st.integers(1, 20),
)
def test_every_replay_ends_at_the_head_and_never_exceeds_the_limit(
    asked: Position | None, head: Position, limit: int
) -> None:
    """What follows live is the next event after the head; only who asks for everything may get more."""
    replay = decide_replay(asked, head, limit)
    assert replay.upto == head.offset
    asks_for_all = asked is not None and asked.offset == 0
    assert 0 <= replay.missing <= (head.offset if asks_for_all else limit)
    if asked is not None and replay.reload is None:
        assert replay.after == asked.offset


def test_only_the_next_event_follows() -> None:
    """Same epoch, next number; before the first event any epoch will do."""
    assert follows(event(8), Position(E, 7))
    assert not follows(event(9), Position(E, 7))
    assert not follows(event(7), Position(E, 7))
    assert not follows(event(8, OTHER), Position(E, 7))
    assert follows(event(1), Position())
    assert not follows(event(2), Position())


def test_a_line_with_a_gap_or_a_change_of_epoch_is_broken() -> None:
    """One look at a batch from the log tells whether it may be sent."""
    assert is_unbroken([event(3), event(4), event(5)], Position(E, 2))
    assert is_unbroken([], Position(E, 2))
    assert is_unbroken([event(1), event(2)], Position())
    assert not is_unbroken([event(4), event(5)], Position(E, 2))
    assert not is_unbroken([event(3), event(5)], Position(E, 2))
    assert not is_unbroken([event(3), event(4, OTHER)], Position(E, 2))


def test_an_event_is_seen_only_within_its_epoch() -> None:
    """The same number of another epoch is another event."""
    assert is_seen(event(7), Position(E, 7))
    assert not is_seen(event(8), Position(E, 7))
    assert not is_seen(event(7, OTHER), Position(E, 7))
    assert position_of(event(7), Position()) == Position(E, 7)
