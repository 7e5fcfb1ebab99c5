"""One client's way through a project's events, whatever carries them: hello, what it missed, then live."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gather_bridge.live import frames
from gather_bridge.live.batch import Batch
from gather_bridge.live.frames import LEAVING, REVOKED, SessionEnded
from gather_bridge.live.hub import Hub, Subscription
from gather_bridge.live.pages import Pages
from gather_bridge.live.replay import Position, ReloadReason, decide_replay, is_same_log
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable

logger = logging.getLogger(__name__)

RETRY_S: Final = 1.0
"""Without the log a client that is behind waits about so long, or until the log is heard again."""

STALE: Final = {ReloadReason.EPOCH_CHANGED, ReloadReason.OFFSET_AHEAD}
"""What a client also seems to be that comes from a bridge which has heard more than this one so far."""

Send = Callable[[Batch], Awaitable[None]]
"""Returns when the client can take more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much, for one client."""

    replay_events: int
    heartbeat_interval_s: float
    send_timeout_s: float


class Follower:
    """Leads one client along one project's line of events."""

    def __init__(
        self,
        hub: Hub,
        pages: Pages,
        *,
        metrics: Metrics,
        limits: Limits,
        is_live: Callable[[], bool],
    ) -> None:
        self._hub = hub
        self._pages = pages
        self._metrics = metrics
        self._limits = limits
        self._is_live = is_live
        self._end: Exception | None = None
        self._subscription: Subscription | None = None
        self._line = 0
        self._reached = Position()
        self._run: str | None = None
        self._beat_at_s = self._retry_at_s = 0.0

    def end(self, why: Exception) -> None:
        """Have `run` raise this at its next turn."""
        self._end = self._end or why
        if self._subscription is not None:
            self._subscription.wake()

    def leave(self) -> None:
        """Have the client go to another process."""
        self.end(SessionEnded(*LEAVING))

    def revoke(self) -> None:
        """Have the client end: its token no longer allows this project."""
        self.end(SessionEnded(*REVOKED))

    async def run(self, project_id: str, asked: Position | None, send: Send, run: str | None = None) -> None:
        """Send until something ends it; raises EventLogUnavailable if it cannot begin.

        `run` is the only run whose events are sent; None: those of all.
        """
        now_s = asyncio.get_running_loop().time
        self._run = run
        async with self._hub.joined(project_id) as subscription:
            self._subscription = subscription
            await self._greet(subscription, asked, send)
            self._beat_at_s = now_s() + self._limits.heartbeat_interval_s
            while True:
                await self._turn(subscription, send, now_s())

    async def _greet(self, subscription: Subscription, asked: Position | None, send: Send) -> None:
        """Send the first frame."""
        replay = decide_replay(asked, subscription.head, self._limits.replay_events)
        if replay.reload in STALE:
            await self._hub.checked(subscription.feed)
            replay = decide_replay(asked, subscription.head, self._limits.replay_events)
        self._line, head = subscription.feed.line, subscription.head
        self._reached, reload = (asked if asked is not None and replay.missing else head), replay.reload
        first = 0
        if replay.missing and not await self._can_go_on(subscription):
            if asked is not None and asked.is_start:
                self._reached = await self._pages.beginning(subscription.feed.project_id, head)
                first = self._reached.offset + 1
            else:
                head = self._reached = subscription.head
                reload = ReloadReason.TOO_OLD
        result = reload or ("live" if asked is None else "recovered")
        self._metrics.replays.labels(result=result).inc()
        await send(Batch(self._reached, notice=frames.hello(head, reload, first)))

    async def _can_go_on(self, subscription: Subscription) -> bool:
        """Return whether what follows the place is still there."""
        if subscription.newest(self._reached) is not None:
            return True
        async with self._pages.page(subscription.feed.project_id, self._reached) as page:
            return page is not None and is_same_log(page.reached, subscription.head)

    async def _turn(self, subscription: Subscription, send: Send, at_s: float) -> None:
        """Do what comes next: begin again, send events, send a heartbeat, or wait."""
        if self._end is not None:
            raise self._end
        feed = subscription.feed
        is_behind = self._reached.offset < subscription.head.offset
        if self._line != feed.line:
            self._line, self._reached = feed.line, feed.start
            await send(Batch(feed.start, notice=frames.hello(feed.start, feed.reason)))
        elif is_behind and at_s >= self._retry_at_s:
            await self._advance(subscription, send, at_s)
        elif at_s >= self._beat_at_s:
            is_live = self._is_live() and not is_behind
            await send(Batch(self._reached, notice=frames.heartbeat(self._reached, is_live=is_live)))
            self._beat_at_s = at_s + self._limits.heartbeat_interval_s
        else:
            await subscription.wait(min(self._beat_at_s, self._retry_at_s) if is_behind else self._beat_at_s)

    async def _advance(self, subscription: Subscription, send: Send, at_s: float) -> None:
        """Send the next events, or have the client reload if the log no longer holds them."""
        batch = subscription.newest(self._reached)
        if batch is not None:
            await self._pass_on(batch, send, at_s)
        else:
            try:
                await self._send_page(subscription, send, at_s)
            except EventLogUnavailable:
                self._retry_at_s = at_s + RETRY_S * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                return
        if self._reached.offset < subscription.head.offset:
            await asyncio.sleep(0)  # others have their turn

    async def _pass_on(self, batch: Batch, send: Send, at_s: float) -> None:
        """Send what of it is wanted; the place is reached all the same."""
        wanted = batch.of_run(self._run)
        if wanted.texts:
            await send(wanted)
            self._beat_at_s = at_s + self._limits.heartbeat_interval_s
        self._reached = batch.reached

    async def _send_page(self, subscription: Subscription, send: Send, at_s: float) -> None:
        feed = subscription.feed
        async with self._pages.page(feed.project_id, self._reached) as page:
            if page is not None and is_same_log(page.reached, subscription.head):
                await self._pass_on(page, send, at_s)
                return
        await self._hub.checked(feed)
        if self._line == feed.line:
            self._reached = subscription.head
            self._metrics.resets.labels(reason=ReloadReason.TOO_OLD).inc()
            await send(Batch(self._reached, notice=frames.hello(self._reached, ReloadReason.TOO_OLD)))
