"""One client's WebSocket from its greeting to its close: hello, what it missed, then live events."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from gather_bridge.errors import SubscriberTooSlow
from gather_bridge.live import frames
from gather_bridge.live.frames import CloseCode
from gather_bridge.live.hub import Hub, Subscription
from gather_bridge.live.mailbox import Frame
from gather_bridge.live.pages import Pages
from gather_bridge.live.replay import Position, ReloadReason, Replay, decide_replay, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent

logger = logging.getLogger(__name__)

CLIENT_MESSAGES_MAX: Final = 100
"""Listeners need not send anything; some libraries send pings of their own, so a few are ignored."""
LOG_CHANGED: Final = "the log changed: come back with your last offset"
NEAR_EVENTS: Final = 64
"""So near to the log's end a replay lets live events wait in the mailbox, which holds more."""
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
        pages: Pages,
        metrics: Metrics,
        limits: Limits,
        is_allowed: Callable[[], bool],
        is_live: Callable[[], bool],
    ) -> None:
        """`is_allowed` says at every heartbeat whether the client may still listen."""
        self._socket = socket
        self._hub = hub
        self._pages = pages
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
                start = await self._greet(project_id, asked, subscription)
                await self._follow(subscription, start)
        except EventLogUnavailable as error:
            raise SessionEnded(
                CloseCode.TRY_LATER, "the event log is unavailable: come back with the same offset and epoch"
            ) from error
        except SubscriberTooSlow as error:
            raise SessionEnded(
                CloseCode.TOO_SLOW, "too slow: come back with your last offset and epoch"
            ) from error

    async def _greet(self, project_id: str, asked: Position | None, subscription: Subscription) -> Position:
        """Send the first frame and what the client missed; return from where its mailbox goes on."""
        head = subscription.head
        replay = decide_replay(asked, head, self._limits.replay_events)
        first: Sequence[StoredEvent] = ()
        reached = Position(head.epoch, replay.after)
        if replay.missing:
            first = await self._pages.read(project_id, reached, head.offset)
            if not (first and is_unbroken(first, reached)):
                replay = Replay(head.offset, head.offset, ReloadReason.TOO_OLD)
        result = replay.reload or ("live" if asked is None else "recovered")
        self._metrics.replays.labels(result=result).inc()
        if not replay.missing:
            # Nothing is awaited in between, so that the mailbox gets all that follows the greeting.
            head = subscription.attach()
            await self._send(Frame(frames.hello(head, replay.reload), head))
            return head
        await self._send(Frame(frames.hello(head, None), head))
        return await self._replay(project_id, subscription, first, reached)

    async def _replay(
        self,
        project_id: str,
        subscription: Subscription,
        events: Sequence[StoredEvent],
        reached: Position,
    ) -> Position:
        """Send pages until the log's end, near which the mailbox begins to collect; return from where.

        Before that, live events wait in the log alone: a long replay costs no memory.
        """
        end: Position | None = None
        while True:
            reached = await self._send_page(events, reached)
            head = end or subscription.head
            if head.epoch != reached.epoch or head.offset < reached.offset:
                raise SessionEnded(CloseCode.LOG_CHANGED, LOG_CHANGED)
            if end is None and head.offset - reached.offset <= NEAR_EVENTS:
                end = head = subscription.attach()
            if end is not None and reached.offset == end.offset:
                return end
            events = await self._pages.read(project_id, reached, head.offset)
            if not (events and is_unbroken(events, reached)):
                raise SessionEnded(CloseCode.LOG_CHANGED, LOG_CHANGED)

    async def _send_page(self, events: Sequence[StoredEvent], reached: Position) -> Position:
        for event in events:
            reached = position_of(event, reached)
            if event.is_event:
                await self._send(Frame(event.text, reached))
        return reached

    async def _follow(self, subscription: Subscription, reached: Position) -> None:
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
