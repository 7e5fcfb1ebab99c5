"""What waits for one client is bounded; the writer never waits."""

import pytest

from gather_bridge.errors import SubscriberTooSlow
from gather_bridge.live.mailbox import Frame, Mailbox
from gather_bridge.live.replay import Position

NOT_LONG_S = 0.01


def frame(offset: int, text: str = "x") -> Frame:
    return Frame(text, Position("e", offset))


async def test_frames_come_out_in_order() -> None:
    """First in, first out; then nothing for a while."""
    mailbox = Mailbox(10, 1000)
    for offset in (1, 2, 3):
        mailbox.put(frame(offset))
    got = [await mailbox.get(NOT_LONG_S) for _ in range(4)]
    assert [f.position.offset if f else None for f in got] == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("max_frames", "max_bytes"), [pytest.param(3, 1000, id="events"), pytest.param(100, 3, id="bytes")]
)
async def test_too_much_drops_everything_and_the_reader_gets_an_error(
    max_frames: int, max_bytes: int
) -> None:
    """A part of what waits would be a gap; the client comes back for all of it."""
    mailbox = Mailbox(max_frames, max_bytes)
    for offset in range(4):
        mailbox.put(frame(offset))
    for _ in range(2):
        with pytest.raises(SubscriberTooSlow):
            await mailbox.get(NOT_LONG_S)
    mailbox.put(frame(5))
    with pytest.raises(SubscriberTooSlow):
        await mailbox.get(NOT_LONG_S)


async def test_what_was_taken_out_makes_room() -> None:
    """A client that keeps up may get any number of events."""
    mailbox = Mailbox(2, 2)
    for offset in range(100):
        mailbox.put(frame(offset))
        assert await mailbox.get(NOT_LONG_S) == frame(offset)
