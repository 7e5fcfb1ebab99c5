"""A WebSocket client so cheap that a thousand of them in one process are not what is measured.

It speaks RFC 6455 as far as a listener needs it, looks for three fields in each frame instead of decoding it,
and comes back as docs/events.md says.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

HOST: Final = "127.0.0.1"
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 5.0
"""What docs/events.md asks of clients: a random part of a wait that doubles."""
_TEXT, _CLOSE, _PING = 1, 8, 9
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_KEY: Final = "A" * 22 + "=="
_OFFSET, _STAMP, _NUMBER, _EPOCH = b'"offset":', b'"department_name":"', b'"items_created":', b'"epoch":"'


@dataclass
class Heard:
    """What all clients of a crowd have heard together."""

    latencies_s: list[float] = field(default_factory=list)
    frames: int = 0
    refused: int = 0
    """Connections that ended without a handshake."""
    closed: dict[int, int] = field(default_factory=dict)
    """Connections that ended, by code; 1006 without a close frame."""
    is_timing: bool = False


class Client(asyncio.Protocol):
    """One listener of one project."""

    def __init__(self, project_id: str, port: Callable[[], int], heard: Heard) -> None:
        """`port` is asked before each connection."""
        self.project_id = project_id
        self.numbers: list[int] = []
        """The numbers that the publisher gave to the events, in the order in which they came."""
        self.reloads: list[int] = []
        """How many numbers there were when the bridge said that some are missing."""
        self.offset, self.epoch = 0, ""
        self.hello_at_s = self.live_at_s = 0.0
        """When the first frame came, and when all that it names had come."""
        self.last_at_s = 0.0
        """When the last event came."""
        self.connections = 0
        self._port, self._heard = port, heard
        self._buffer = bytearray()
        self._is_open = False
        self._is_wanted = False
        self._code = 1006
        self._failures = 0
        self._target = 0
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, *, asks: bool = True, offset: int = 0, epoch: str = "") -> None:
        """Connect now; from an offset, or (not `asks`) for what is to come alone."""
        self.offset, self.epoch = (offset, epoch) if asks else (-1, "")
        self._is_wanted = True
        self._task = asyncio.create_task(self._connect(0))

    def stop(self) -> None:
        """Go, and do not come back."""
        self._is_wanted = False
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def forget(self) -> None:
        """Begin to count again, at the same place."""
        self.numbers, self.reloads = [], []
        self.hello_at_s = self.live_at_s = 0.0

    @property
    def is_connected(self) -> bool:
        """Return whether there is a connection."""
        return self._transport is not None

    def pause(self) -> None:
        """Read nothing any more."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    async def _connect(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, HOST, self._port())
        except OSError:
            self._come_back()

    def _come_back(self) -> None:
        if self._is_wanted:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures)
            self._failures += 1
            self._task = asyncio.create_task(self._connect(random.uniform(0, wait_s)))  # noqa: S311

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer.clear()
        self._is_open, self._code = False, 1006
        self.connections += 1
        query = f"?offset={self.offset}&epoch={self.epoch}" if self.offset >= 0 else ""
        transport.write(
            f"GET /api/v1/projects/{self.project_id}/events{query} HTTP/1.1\r\nHost: bench\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {_KEY}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Come back, unless it was wanted."""
        if self._is_open:
            self._heard.closed[self._code] = self._heard.closed.get(self._code, 0) + 1
        elif self._is_wanted:
            self._heard.refused += 1
        self._transport = None
        self._come_back()

    def data_received(self, data: bytes) -> None:
        """Take what is whole."""
        self._buffer += data
        if not self._is_open and not self._open():
            return
        buffer, at = self._buffer, 0
        while (found := _frame(buffer, at)) is not None:
            code, begin, at = found
            if code == _TEXT:
                self._take(bytes(buffer[begin:at]))
            else:
                self._control(code, bytes(buffer[begin:at]))
        del buffer[:at]

    def _open(self) -> bool:
        head, separator, _ = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        if not head.startswith(b"HTTP/1.1 101 "):
            assert self._transport is not None
            self._transport.close()
            return False
        del self._buffer[: len(head) + len(separator)]
        self._is_open = True
        return True

    def _control(self, code: int, payload: bytes) -> None:
        assert self._transport is not None
        if code == _CLOSE:
            self._code = int.from_bytes(payload[:2], "big")
            self._transport.write(bytes((0x88, 0x80 | len(payload[:2]), 0, 0, 0, 0)) + payload[:2])
            self._transport.close()
        elif code == _PING:
            self._transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def _take(self, payload: bytes) -> None:
        at = payload.find(_STAMP)
        if at < 0:
            self._notice(json.loads(payload))
            return
        self.offset = _number(payload, payload.rfind(_OFFSET) + len(_OFFSET))
        self.numbers.append(_number(payload, payload.find(_NUMBER) + len(_NUMBER)))
        heard = self._heard
        heard.frames += 1
        self.last_at_s = time.monotonic()
        if heard.is_timing:
            heard.latencies_s.append(self.last_at_s - _number(payload, at + len(_STAMP)) / 1e9)
        if self.offset == 1 or not self.epoch:
            begin = payload.rfind(_EPOCH) + len(_EPOCH)
            self.epoch = payload[begin : payload.find(b'"', begin)].decode()
        if not self.live_at_s and self.offset >= self._target:
            self.live_at_s = self.last_at_s

    def _notice(self, body: dict[str, object]) -> None:
        if body["type"] != "hello":
            return
        self._failures = 0
        now_s = time.monotonic()
        self.hello_at_s, self._target, self.live_at_s = now_s, int(str(body["offset"])), 0.0
        self.epoch = str(body["epoch"])
        if not body["recovered"]:
            self.reloads.append(len(self.numbers))
        if not body["recovered"] or self.offset < 0:
            self.offset = self._target
        if self.offset >= self._target:
            self.live_at_s = now_s


def _frame(buffer: bytearray, at: int) -> tuple[int, int, int] | None:
    """Return the opcode of the frame at a place, and where its payload begins and ends, once it is there."""
    if len(buffer) < at + 2:
        return None
    size, begin = buffer[at + 1], at + 2
    if size == _TWO_BYTES:
        size, begin = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
    elif size == _EIGHT_BYTES:
        size, begin = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
    end = begin + size
    return (buffer[at] & 0x0F, begin, end) if len(buffer) >= end else None


def _number(payload: bytes, at: int) -> int:
    """Return the whole number that begins there."""
    end = at
    while payload[end : end + 1].isdigit():
        end += 1
    return int(payload[at:end])
