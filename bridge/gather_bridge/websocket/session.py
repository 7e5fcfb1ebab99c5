"""One client's WebSocket from its greeting to its close: hello, what it missed, then live events."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from gather_bridge.errors import SubscriberTooSlow
from gather_bridge.live import frames
from gather_bridge.live.frames import CloseCode
from gather_bridge.live.hub import READ_BATCH, Hub, Log, Subscription
from gather_bridge.live.mailbox import Frame
from gather_bridge.live.replay import Position, ReloadReason, Replay, decide_replay, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_contracts.events import Event

logger = logging.getLogger(__name__)

CLIENT_MESSAGES_MAX: Final = 100
"""Listeners need not send anything; some libraries send pings of their own, so a few are ignored."""
CLOSE_TIMEOUT_S: Final = 2.0
"""A client that reads nothing does not read its close frame either."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much, for one client."""

    replay_events: int
    heartbeat_interval_s: float
    send_timeout_s: float


class SessionEnded(Exception):  # noqa: N818 - how every session ends
    """The socket is to be closed."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Session:
    """Sends one project's events to one client."""

    def __init__(
        self,
        socket: WebSocket,
        *,
        hub: Hub,
        log: Log,
        metrics: Metrics,
        limits: Limits,
        is_allowed: Callable[[], bool],
        is_live: Callable[[], bool],
    ) -> None:
        """`is_allowed` says at every heartbeat whether the client may still listen."""
        self._socket = socket
        self._hub = hub
        self._log = log
        self._metrics = metrics
        self._limits = limits
        self._is_allowed = is_allowed
        self._is_live = is_live

    async def run(self, project_id: str, asked: Position | None) -> None:
        """Serve an accepted socket until either side ends it."""
        talking = asyncio.create_task(self._talk(project_id, asked))
        hearing = asyncio.create_task(self._hear())
        try:
            done, _ = await asyncio.wait({talking, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            talking.cancel()
            hearing.cancel()
            await asyncio.gather(talking, hearing, return_exceptions=True)
        error = next(iter(done)).exception()
        if not isinstance(error, SessionEnded):
            self._metrics.closed.labels(why="client").inc()
            if error is not None and not isinstance(error, WebSocketDisconnect):
                logger.error("session failed", exc_info=error)
            return
        self._metrics.closed.labels(why=error.code.name.lower()).inc()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close(error.code, error.reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            logger.info("client gone before its close frame", extra={"code": int(error.code)})

    async def _talk(self, project_id: str, asked: Position | None) -> None:
        try:
            async with self._hub.joined(project_id) as subscription:
                await self._greet(project_id, asked, subscription.start)
                await self._follow(subscription)
        except EventLogUnavailable as error:
            raise SessionEnded(
                CloseCode.TRY_LATER, "the event log is unavailable: come back with the same offset and epoch"
            ) from error
        except SubscriberTooSlow as error:
            raise SessionEnded(
                CloseCode.TOO_SLOW, "too slow: come back with your last offset and epoch"
            ) from error

    async def _greet(self, project_id: str, asked: Position | None, start: Position) -> None:
        replay = decide_replay(asked, start, self._limits.replay_events)
        events: list[Event] = []
        if replay.missing and asked is not None:
            events = await self._missed(project_id, replay, asked)
            if not events:
                replay = Replay(start.offset, start.offset, ReloadReason.TOO_OLD)
        result = replay.reload or ("live" if asked is None else "recovered")
        self._metrics.replays.labels(result=result).inc()
        await self._send(Frame(frames.hello(start, replay.reload), start))
        while events:
            for event in events:
                await self._send(Frame(event.model_dump_json(), position_of(event)))
            reached = position_of(events[-1])
            if reached.offset == replay.upto:
                return
            events = await self._missed(project_id, Replay(reached.offset, replay.upto), reached)
            if not events:
                raise SessionEnded(CloseCode.LOG_CHANGED, "the log changed: come back with your last offset")

    async def _missed(self, project_id: str, replay: Replay, reached: Position) -> list[Event]:
        """Return the next events of a replay; none if they do not follow `reached` without a gap."""
        events = await self._log.read(project_id, replay.after, min(READ_BATCH, replay.missing))
        return events if is_unbroken(events, reached) else []

    async def _follow(self, subscription: Subscription) -> None:
        reached = subscription.start
        loop = asyncio.get_running_loop()
        check_at_s = loop.time() + self._limits.heartbeat_interval_s
        while True:
            frame = await subscription.mailbox.get(self._limits.heartbeat_interval_s)
            if loop.time() >= check_at_s:  # also while events come without a pause
                if not self._is_allowed():
                    raise SessionEnded(CloseCode.TOKEN_REVOKED, "the token no longer allows this project")
                check_at_s = loop.time() + self._limits.heartbeat_interval_s
            frame = frame or Frame(frames.heartbeat(reached, is_live=self._is_live()), reached)
            await self._send(frame)
            reached = frame.position

    async def _send(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._socket.send_text(frame.text)
                # Sending waits only when the buffers are full; this lets others run before that, and notices
                # a client that is gone.
                await asyncio.sleep(0)
        except TimeoutError:
            raise SubscriberTooSlow from None
        self._metrics.frames.inc()

    async def _hear(self) -> None:
        """Ignore what the client sends; ends when the client goes."""
        for _ in range(CLIENT_MESSAGES_MAX):
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
        raise SessionEnded(CloseCode.POLICY, "clients must not send messages on this socket")
