"""Hands the events of one Redis reader to the listeners of this process, each project in an unbroken line.

A listener is a place in its project's line and holds nothing: the newest events are kept once for all, older
ones come from the log in shared pages. So the reader never waits, and a slow client costs no memory.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from gather_bridge.live.batch import CHUNK_BYTES, Batch
from gather_bridge.live.newest import NEWEST_MAX_BYTES, Line, NewestEvents
from gather_bridge.live.pages import Log, heard_of
from gather_bridge.live.replay import Position, ReloadReason, follows, is_seen
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent

logger = logging.getLogger(__name__)

READS_AT_ONCE: Final = 8
"""Projects compared with the log at once after Redis comes back."""
HEARD_MAX: Final = 256
"""Events that may wait while a feed is compared with the log; more of them are read from it."""


@dataclass(eq=False)
class Feed:
    """One project's line of events, while somebody listens."""

    project_id: str
    kept: NewestEvents
    position: Position | None = None
    """The line's end; None until the log has been read."""
    last: StoredEvent | None = None
    """The event at `position`, to notice a log that went back and was written again."""
    newest: Line = field(default_factory=deque)
    """One event each, up to `position`; `kept` bounds it."""
    line: int = 0
    """Counts the lines: another one begins when what a client had before is worth nothing."""
    start: Position = field(default_factory=Position)
    reason: ReloadReason | None = None
    """Where and why the present line began."""
    listeners: "set[Subscription]" = field(default_factory=set)
    users: int = 0
    heard: list[StoredEvent] = field(default_factory=list)
    """Came while the feed was being compared with the log."""
    is_dirty: bool = False
    """Something may be missing."""
    repair: "asyncio.Task[None] | None" = None
    opening: "asyncio.Task[None] | None" = None
    """Reads the first position, once for all who come meanwhile, so that they learn together if it fails."""

    def go_on(self, position: Position, last: StoredEvent | None) -> None:
        """Have the line end there; what lies between is in the log."""
        self.position, self.last = position, last
        self.kept.clear(self.newest)
        self.wake()

    def begin_again(self, head: Position, reason: ReloadReason) -> None:
        """Have every client reload and go on from the end of the log."""
        self.line, self.start, self.reason = self.line + 1, head, reason
        self.go_on(head, None)

    def wake(self) -> None:
        """Let every listener see what is new."""
        for listener in self.listeners:
            listener.wake()


@dataclass(eq=False)
class Subscription:
    """A client's view of a feed."""

    feed: Feed
    _woken: bool = False
    _waiter: "asyncio.Future[None] | None" = None
    _timer: asyncio.TimerHandle | None = None

    @property
    def head(self) -> Position:
        """Return the end of the line."""
        return self.feed.position or Position()

    def newest(self, reached: Position) -> Batch | None:
        """Return what follows a place, in one piece of limited size; None if that is only in the log."""
        kept = self.feed.newest
        missing = self.head.offset - reached.offset
        if not 0 < missing <= len(kept):
            return None
        if missing == 1:
            return kept[-1]
        found: list[Batch] = []
        size = 0
        for batch in itertools.islice(kept, len(kept) - missing, None):
            found.append(batch)
            size += batch.size_bytes
            if size > CHUNK_BYTES:
                break
        return Batch.joined(found)

    async def wait(self, until_s: float) -> None:
        """Return at a wake-up, and at the loop's time `until_s` or somewhat before it."""
        if not self._woken:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            if self._timer is None or self._timer.when() > until_s:
                self._stop_timer()
                self._timer = loop.call_at(until_s, self._ring)
            await self._waiter
        self._woken = False

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def leave(self) -> None:
        """Stop listening."""
        self.feed.listeners.discard(self)
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self.wake()


class Hub:
    """The feeds of this process."""

    def __init__(self, log: Log, metrics: Metrics, newest_max_bytes: int = NEWEST_MAX_BYTES) -> None:
        self._log = log
        self._metrics = metrics
        self._feeds: dict[str, Feed] = {}
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._kept = NewestEvents(newest_max_bytes)

    @asynccontextmanager
    async def joined(self, project_id: str) -> AsyncIterator[Subscription]:
        """Listen to a project until the block ends; raises EventLogUnavailable on entering."""
        feed = self._feeds.setdefault(project_id, Feed(project_id, self._kept))
        feed.users += 1
        subscription = Subscription(feed)
        try:
            if feed.position is None:
                await self._opened(feed)
            feed.listeners.add(subscription)
            yield subscription
        finally:
            subscription.leave()
            feed.users -= 1
            if not feed.users:
                self._feeds.pop(project_id, None)
                self._kept.clear(feed.newest)
                if feed.repair is not None:
                    feed.repair.cancel()

    def accept(self, event: StoredEvent) -> None:
        """Take an event from the reader."""
        feed = self._feeds.get(event.project_id)
        if feed is None:
            return
        if feed.position is None:
            feed.is_dirty = True
        elif feed.repair is not None:
            self._remember(feed, event)
        elif follows(event, feed.position):
            self._publish(feed, event)
        elif not is_seen(event, feed.position):
            self._mend(feed)

    def check_all(self) -> None:
        """Compare every feed with the log, because events may have been missed."""
        for feed in self._feeds.values():
            self._mend(feed)

    async def checked(self, feed: Feed) -> None:
        """Return once the feed has been compared with the log."""
        self._mend(feed)
        if feed.repair is not None:
            await asyncio.wait({feed.repair})

    async def _opened(self, feed: Feed) -> None:
        if feed.opening is None:
            feed.opening = asyncio.create_task(self._open(feed))
            feed.opening.add_done_callback(heard_of)
        opening = feed.opening
        await asyncio.wait({opening})  # a client that goes does not end it for the others
        opening.result()

    async def _open(self, feed: Feed) -> None:
        try:
            feed.position = Position(*await self._log.position(feed.project_id))
        finally:
            feed.opening = None
        if feed.is_dirty:
            self._mend(feed)

    def _publish(self, feed: Feed, event: StoredEvent) -> None:
        batch = Batch.of([event], feed.position or Position())
        feed.position, feed.last = batch.reached, event
        self._kept.add(feed.newest, batch)
        feed.wake()

    @staticmethod
    def _remember(feed: Feed, event: StoredEvent) -> None:
        if len(feed.heard) < HEARD_MAX:
            feed.heard.append(event)
        else:
            feed.is_dirty = True

    def _mend(self, feed: Feed) -> None:
        """Have the feed compared with the log soon."""
        feed.is_dirty = True
        if feed.repair is None and feed.position is not None:
            feed.repair = asyncio.create_task(self._repair(feed))

    async def _repair(self, feed: Feed) -> None:
        try:
            while feed.is_dirty:
                feed.is_dirty = False
                await self._catch_up(feed, feed.position or Position())
                self._take_heard(feed)
        except EventLogUnavailable as error:
            logger.info("feed waits for the event log", extra={"error": str(error)})
        finally:
            feed.repair = None
            feed.heard.clear()

    def _take_heard(self, feed: Feed) -> None:
        heard, feed.heard = feed.heard, []
        for event in heard:
            position = feed.position or Position()
            if follows(event, position):
                self._publish(feed, event)
            elif not is_seen(event, position):
                feed.is_dirty = True
                return

    async def _catch_up(self, feed: Feed, reached: Position) -> None:
        """Let the line end where the log ends, or tell every client to reload if the log is another one."""
        async with self._slots:
            head = Position(*await self._log.position(feed.project_id))
            if not reached.leads_to(head):
                return self._reset(feed, head, ReloadReason.EPOCH_CHANGED)
            if head.offset < reached.offset:
                return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
            # A Redis that lost its last second gives the same offsets to other events.
            if feed.last and await self._entry(feed, feed.last.offset) != feed.last:
                return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
            if head.offset > reached.offset:
                feed.go_on(head, await self._entry(feed, head.offset))
        return None

    async def _entry(self, feed: Feed, offset: int) -> StoredEvent | None:
        """Return the entry at a place, None if there is none."""
        found = await self._log.read(feed.project_id, offset - 1, 1)
        return found[0] if found and found[0].offset == offset else None

    def _reset(self, feed: Feed, head: Position, reason: ReloadReason) -> None:
        self._metrics.resets.labels(reason=reason).inc()
        logger.warning("telling clients to reload", extra={"project": feed.project_id, "reason": reason})
        feed.begin_again(head, reason)
