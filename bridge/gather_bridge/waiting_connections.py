"""Connections that have not sent a request yet: bounded in time and number, each address by its share.

Whoever has a token is counted elsewhere. Here nobody is known, so nothing is refused: the connection that has
waited longest makes room, of the address that has most. A probe sends its request at once and never waits.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from gather_bridge.metrics import Metrics
from gather_bridge.websocket.raw_frames import limit_kernel_buffer

STALLED_S: Final = 10.0
"""For a client that does not read its answer."""


class WaitingConnections:
    """Keeps the connections that wait.

    Args:
        most: at once. All clients may come at the same moment, and wait until each has been read.
        timeout_s: from the opening, or from the last answer's end, to the end of the next request's headers.
    """

    def __init__(self, metrics: Metrics, most: int, timeout_s: float) -> None:
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._most = most
        self._timers: dict[object, asyncio.TimerHandle] = {}
        self._addresses: dict[str, dict[object, Callable[[], None]]] = {}

    def enter(self, connection: object, address: str, drop: Callable[[], None]) -> None:
        """Take a connection in; `drop` ends it."""
        self.leave(connection, address)
        if len(self._timers) >= self._most:
            fullest = max(self._addresses, key=lambda each: len(self._addresses[each]))
            self._drop(next(iter(self._addresses[fullest])), fullest, "crowded")
        self._addresses.setdefault(address, {})[connection] = drop
        self._timers[connection] = asyncio.get_running_loop().call_later(
            self._timeout_s, self._drop, connection, address, "late"
        )

    def leave(self, connection: object, address: str) -> None:
        """Let it go: it has sent its request, or is gone."""
        timer = self._timers.pop(connection, None)
        if timer is None:
            return
        timer.cancel()
        del self._addresses[address][connection]
        if not self._addresses[address]:
            del self._addresses[address]

    def _drop(self, connection: object, address: str, why: str) -> None:
        drop = self._addresses[address][connection]
        self.leave(connection, address)
        self._metrics.dropped.labels(why=why).inc()
        drop()


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, whose connections are kept in `waiting` between requests.

    uvicorn has a time limit after an answer alone, which ends with the first byte that comes.
    """

    waiting: WaitingConnections
    """Set by `guarded_by`."""
    _address = ""
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        limit_kernel_buffer(transport)
        self._address = self.client[0] if self.client else ""
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.waiting.leave(self, self._address)
        self._stop_stalled()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let it in as soon as a whole request is there."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # None until there was a request
        if cycle is not None and not cycle.response_complete:
            self.waiting.leave(self, self._address)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Let it in: the session has limits of its own."""
        self.waiting.leave(self, self._address)
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Begin to wait again."""
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Give a client that does not read its answer a limited time."""
        super().pause_writing()
        self._stalled = self._stalled or self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        self._stop_stalled()
        super().resume_writing()

    def _wait(self) -> None:
        self.waiting.enter(self, self._address, self.transport.abort)

    def _stop_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def guarded_by(waiting: WaitingConnections) -> type[GuardedProtocol]:
    """Return the protocol for connections that wait there."""
    return type("GuardedProtocol", (GuardedProtocol,), {"waiting": waiting})
