"""Frames that go out together, made once and shared by all clients that get them."""

from collections.abc import Iterable, Sequence
from typing import Final

from gather_bridge.live.replay import Position, position_of
from gather_clients.stored_event import StoredEvent

CHUNK_BYTES: Final = 16 * 1024
"""So much is handed to a connection at once; others have their turn in between."""
_TEXT_FRAME: Final = 0x81
"""Final, text (RFC 6455 section 5.2). A server does not mask, so a frame is the same for every client."""
_TWO_BYTES, _EIGHT_BYTES = 126, 127


class Batch:
    """Consecutive events, or one frame of the bridge's own, and the place that is reached with them."""

    __slots__ = ("_chunks", "events", "reached", "texts")

    def __init__(
        self, reached: Position, events: Sequence[StoredEvent] = (), notice: str | None = None
    ) -> None:
        """`events` may hold what is no event: its place is passed over."""
        self.reached = reached
        self.events = events
        self.texts: Sequence[str] = [e.text for e in events if e.is_event] if notice is None else [notice]
        self._chunks: Sequence[bytes] | None = None

    @classmethod
    def of(cls, events: Sequence[StoredEvent], after: Position) -> "Batch":
        """Return the batch of events that follow `after`."""
        reached = after
        for event in events:
            reached = position_of(event, reached)
        return cls(reached, events)

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """Return one batch of several that follow each other."""
        if len(batches) == 1:
            return batches[0]
        whole = cls(batches[-1].reached, [event for batch in batches for event in batch.events])
        whole._chunks = _gathered(chunk for batch in batches for chunk in batch.chunks)
        return whole

    def of_run(self, run: str | None) -> "Batch":
        """Return what of it is one run's, and the bridge's own frames; None: all of it."""
        if run is None or all(event.run == run for event in self.events):
            return self
        return Batch(self.reached, [event for event in self.events if event.run == run])

    @property
    def size_bytes(self) -> int:
        """Return what it holds, roughly: texts of the usual kind, and their frames."""
        return 500 + 2 * sum(map(len, self.texts))

    @property
    def chunks(self) -> Sequence[bytes]:
        """Return the WebSocket frames as bytes to write; each chunk holds whole frames."""
        if self._chunks is None:
            self._chunks = _gathered(map(text_frame, self.texts))
        return self._chunks


def text_frame(text: str) -> bytes:
    """Return a WebSocket's text frame."""
    payload = text.encode()
    size = len(payload)
    if size < _TWO_BYTES:
        return bytes((_TEXT_FRAME, size)) + payload
    if size < 1 << 16:
        return bytes((_TEXT_FRAME, _TWO_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT_FRAME, _EIGHT_BYTES)) + size.to_bytes(8, "big") + payload


def _gathered(pieces: Iterable[bytes]) -> Sequence[bytes]:
    """Return the pieces put together, each result at most `CHUNK_BYTES` unless one piece is larger."""
    chunks: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if waiting and size + len(piece) > CHUNK_BYTES:
            chunks.append(b"".join(waiting))
            waiting, size = [], 0
        waiting.append(piece)
        size += len(piece)
    if waiting:
        chunks.append(b"".join(waiting))
    return chunks
