"""Events as `text/event-stream` (WHATWG HTML, section 9.2). Pure."""

import json
import re
from collections.abc import Iterator
from typing import Final

from gather_bridge.live.batch import CHUNK_BYTES, Batch
from gather_bridge.live.replay import Position, position_of

LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
"""Of the format; Python's own list of line ends would break texts apart."""
ESCAPES: Final = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""They may stand in a JSON string, but clients that cut lines by Python's list (httpx) break there."""


def event_id(position: Position) -> str:
    """Return what a client sends back as `Last-Event-ID`."""
    return f"{position.epoch}-{position.offset}"


def block(text: str, position: Position, name: str = "") -> str:
    """Return one event: its place and its JSON, whatever white space that has."""
    head = f"event: {name}\n" if name else ""
    data = "".join(f"data: {line}\n" for line in LINE_ENDS.split(text.translate(ESCAPES)))
    return f"{head}id: {event_id(position)}\n{data}\n"


def chunks(batch: Batch) -> Iterator[bytes]:
    """Yield what to write, each piece at most `CHUNK_BYTES` unless one event is larger."""
    waiting: list[str] = []
    size = 0
    for piece in _blocks(batch):
        if waiting and size + len(piece) > CHUNK_BYTES:
            yield "".join(waiting).encode()
            waiting, size = [], 0
        waiting.append(piece)
        size += len(piece)
    yield "".join(waiting).encode()


def _blocks(batch: Batch) -> Iterator[str]:
    if not batch.events:
        for notice in batch.texts:
            yield _notice(notice, batch.reached)
    reached = Position(batch.reached.epoch)
    for event in batch.events:
        reached = position_of(event, reached)
        if event.is_event:
            yield block(event.text, reached)


def _notice(text: str, position: Position) -> str:
    """Return a frame of the bridge's own; a heartbeat is a comment, and moves the client's place."""
    frame = json.loads(text)
    if frame["type"] != "heartbeat":
        # At the beginning nothing has been sent yet: the place is the one that was asked for.
        return block(text, position)
    return f": heartbeat live={'true' if frame['live'] else 'false'}\nid: {event_id(position)}\n\n"
