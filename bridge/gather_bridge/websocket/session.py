"""One client's WebSocket from its greeting to its close."""

import asyncio
import logging
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from gather_bridge.errors import ClientGone, SubscriberTooSlow
from gather_bridge.live.batch import Batch
from gather_bridge.live.follower import Follower
from gather_bridge.live.frames import LOG_AWAY, CloseCode, SessionEnded
from gather_bridge.live.replay import Position
from gather_bridge.metrics import CLIENT, Metrics
from gather_clients.event_log import EventLogUnavailable

logger = logging.getLogger(__name__)


class Connection(Protocol):
    """What frames are written to."""

    @property
    def is_flooded(self) -> bool:
        """Return whether it was closed for what the client sent."""

    async def send(self, batch: Batch, timeout_s: float) -> None:
        """Write the frames; raises SubscriberTooSlow if the client does not take them, ClientGone."""

    def make_way(self) -> None:
        """Have the close frame wait for nothing."""


class Session:
    """Sends one project's events to one client."""

    def __init__(
        self,
        socket: WebSocket,
        connection: Connection,
        follower: Follower,
        metrics: Metrics,
        send_timeout_s: float,
    ) -> None:
        self._socket = socket
        self._connection = connection
        self._follower = follower
        self._metrics = metrics
        self._send_timeout_s = send_timeout_s

    async def run(self, project_id: str, asked: Position | None, run: str | None = None) -> None:
        """Serve an accepted socket until either side ends it; `run`: only this run's events."""
        hearing = asyncio.create_task(self._hear())
        try:
            await self._follower.run(project_id, asked, self._send, run)
        except ClientGone:
            self._metrics.closed.labels(why="policy" if self._connection.is_flooded else CLIENT).inc()
        except SessionEnded as ended:
            await self._close(ended.code, ended.reason)
        except EventLogUnavailable:
            await self._close(*LOG_AWAY)
        except SubscriberTooSlow:
            await self._close(CloseCode.TOO_SLOW, "too slow: come back with your last offset and epoch")
        finally:
            hearing.cancel()

    async def _send(self, batch: Batch) -> None:
        await self._connection.send(batch, self._send_timeout_s)
        self._metrics.frames.inc(len(batch.texts))

    async def _hear(self) -> None:
        """Pass over what the client sends, until it goes."""
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass
        self._follower.end(ClientGone())

    async def _close(self, code: CloseCode, reason: str) -> None:
        self._metrics.closed.labels(why=code.name.lower()).inc()
        self._connection.make_way()
        try:
            await self._socket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            logger.info("client gone before its close frame", extra={"code": int(code)})
