"""Fans the events of one Redis reader out to the sockets of this process, each project in an unbroken line.

The reader only hands events over. What is missing in between (a lost message, a Redis outage) is read from
the log, once for each project and outside of the reader, which never waits.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from gather_bridge.live import frames
from gather_bridge.live.mailbox import Frame, Mailbox
from gather_bridge.live.pages import Log
from gather_bridge.live.replay import Position, ReloadReason, follows, is_seen, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent

logger = logging.getLogger(__name__)

READ_BATCH: Final = 500
"""Events of one read from the log: 150 KiB."""
READS_AT_ONCE: Final = 8
"""Projects read from the log at once after Redis comes back."""
BURST_EVENTS: Final = 16
BURST_SHARE: Final = 4
"""So many events, or that part of what may wait for a client, are handed out at once."""
PATIENCE_S: Final = 5.0
"""For a client that reads more slowly than the log is caught up with; then it is dropped as too slow."""


@dataclass(eq=False)
class Feed:
    """One project's line of events, while somebody listens."""

    project_id: str
    position: Position | None = None
    """What all mailboxes have; None until the log has been read."""
    last: StoredEvent | None = None
    """The event at `position`, to notice a log that went back and was written again."""
    mailboxes: set[Mailbox] = field(default_factory=set)
    users: int = 0
    is_dirty: bool = False
    """Something may be missing."""
    repair: "asyncio.Task[None] | None" = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def publish(self, event: StoredEvent) -> None:
        """Give the next event to every client; the place of what is no event is passed over."""
        self.position, self.last = position_of(event, self.position or Position()), event
        if event.is_event:
            self._put(event.text)

    async def eased(self) -> None:
        """Return once no client has much to read, or they had their time for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                for mailbox in tuple(self.mailboxes):
                    await mailbox.eased()

    def reset(self, head: Position, reason: ReloadReason) -> None:
        """Tell every client to reload, and go on from the end of the log."""
        self.position, self.last = head, None
        self._put(frames.hello(head, reason))

    def _put(self, text: str) -> None:
        frame = Frame(text, self.position or Position())
        for mailbox in self.mailboxes:
            mailbox.put(frame)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A client's place in a feed."""

    feed: Feed
    mailbox: Mailbox

    @property
    def head(self) -> Position:
        """Return the end of the log, as far as it is known here."""
        return self.feed.position or Position()

    def attach(self) -> Position:
        """Have everything after the place that this returns come through the mailbox."""
        self.feed.mailboxes.add(self.mailbox)
        return self.head


class Hub:
    """The feeds of this process."""

    def __init__(self, log: Log, metrics: Metrics, queue_events: int, queue_bytes: int) -> None:
        self._log = log
        self._metrics = metrics
        self._queue_events = queue_events
        self._queue_bytes = queue_bytes
        self._feeds: dict[str, Feed] = {}
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    @asynccontextmanager
    async def joined(self, project_id: str) -> AsyncIterator[Subscription]:
        """Listen to a project until the block ends; raises EventLogUnavailable on entering."""
        feed = self._feeds.setdefault(project_id, Feed(project_id))
        feed.users += 1
        mailbox = Mailbox(self._queue_events, self._queue_bytes)
        try:
            async with feed.opening:
                if feed.position is None:
                    feed.position = Position(*await self._log.position(project_id))
                    if feed.is_dirty:
                        self._mend(feed)
            yield Subscription(feed, mailbox)
        finally:
            feed.mailboxes.discard(mailbox)
            feed.users -= 1
            if not feed.users:
                self._feeds.pop(project_id, None)
                if feed.repair is not None:
                    feed.repair.cancel()

    def accept(self, event: StoredEvent) -> None:
        """Take an event from the reader."""
        feed = self._feeds.get(event.project_id)
        if feed is None:
            return
        if feed.position is None or feed.repair is not None:
            feed.is_dirty = True
        elif follows(event, feed.position):
            feed.publish(event)
        elif not is_seen(event, feed.position):
            self._mend(feed)

    def check_all(self) -> None:
        """Compare every feed with the log, because events may have been missed."""
        for feed in self._feeds.values():
            self._mend(feed)

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
        except EventLogUnavailable as error:
            logger.info("feed waits for the event log", extra={"error": str(error)})
        finally:
            feed.repair = None

    async def _catch_up(self, feed: Feed, reached: Position) -> None:
        """Publish what the log holds after `reached`, or tell every client to reload if there is a gap."""
        async with self._slots:
            head = Position(*await self._log.position(feed.project_id))
        if not reached.is_start and head.epoch != reached.epoch:
            return self._reset(feed, head, ReloadReason.EPOCH_CHANGED)
        if head.offset < reached.offset:
            return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
        # A Redis that lost its last second gives the same offsets to other events.
        if feed.last and await self._read(feed, feed.last.offset - 1, 1) != [feed.last]:
            return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
        while reached.offset < head.offset:
            events = await self._read(feed, reached.offset, READ_BATCH)
            if not events or not is_unbroken(events, reached):
                return self._reset(feed, head, ReloadReason.TOO_OLD)
            await self._hand_out(feed, events)
            reached = position_of(events[-1], reached)
        return None

    async def _read(self, feed: Feed, after: int, limit: int) -> list[StoredEvent]:
        async with self._slots:
            return await self._log.read(feed.project_id, after, limit)

    async def _hand_out(self, feed: Feed, events: Sequence[StoredEvent]) -> None:
        """Publish what was caught up with no faster than healthy clients read."""
        count = size = 0
        for event in events:
            count, size = count + 1, size + len(event.text)
            if count > BURST_EVENTS or size > self._queue_bytes // BURST_SHARE:
                await feed.eased()
                count, size = 1, len(event.text)
            feed.publish(event)

    def _reset(self, feed: Feed, head: Position, reason: ReloadReason) -> None:
        self._metrics.resets.labels(reason=reason).inc()
        logger.warning("telling clients to reload", extra={"project": feed.project_id, "reason": reason})
        feed.reset(head, reason)
