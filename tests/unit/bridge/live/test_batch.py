"""Frames are made once: whole, in chunks of limited size, and as the protocol wants them."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from gather_bridge.live.batch import CHUNK_BYTES, Batch
from gather_bridge.live.replay import Position
from gather_clients.stored_event import StoredEvent


def events(texts: list[str]) -> list[StoredEvent]:
    return [StoredEvent(n, "e1", "p", "t", "u", text) for n, text in enumerate(texts, start=1)]


def decoded(data: bytes) -> list[str]:
    """Return what another implementation of the protocol reads."""
    client = Protocol(CLIENT, state=OPEN, max_size=2**20)
    client.receive_data(data)
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert client.parser_exc is None
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
    return [bytes(frame.data).decode() for frame in frames]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000], ids=str)
def test_a_frame_of_any_size_is_read_by_others(size: int) -> None:
    """The three forms of the length."""
    batch = Batch(Position("e1", 1), notice="x" * size)
    assert decoded(b"".join(batch.chunks)) == ["x" * size]


def test_chunks_hold_whole_frames_and_are_small() -> None:
    """A ping may come between two of them; one that is larger than a chunk stands alone."""
    texts = ["y" * 400] * 100 + ["ä" * CHUNK_BYTES] + ["z"]
    batch = Batch.of(events(texts), Position())
    assert [text for chunk in batch.chunks for text in decoded(chunk)] == texts
    assert sorted(len(chunk) > CHUNK_BYTES for chunk in batch.chunks)[-2:] == [False, True]
    assert batch.chunks is batch.chunks


def test_batches_are_joined_in_order() -> None:
    """What is no event has a place and no frame."""
    (one,) = events(["a"])
    parts = [Batch.of([one], Position()), Batch.of([StoredEvent(2)], Position("e1", 1))]
    parts.append(Batch.of([StoredEvent(3, "e1", "p", "t", "u", "c")], parts[-1].reached))
    whole = Batch.joined(parts)
    assert decoded(b"".join(whole.chunks)) == ["a", "c"]
    assert whole.reached == Position("e1", 3)
    assert Batch.joined(parts[:1]) is parts[0]
