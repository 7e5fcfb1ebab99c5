"""Fans the events of one Redis reader out to the sockets of this process, each project in an unbroken line.

The reader only hands events over. What is missing in between (a lost message, a Redis outage) is read from
the log, once for each project and outside of the reader, which never waits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from gather_bridge.live import frames
from gather_bridge.live.mailbox import Frame, Mailbox
from gather_bridge.live.replay import Position, ReloadReason, follows, is_seen, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_contracts.events import Event

logger = logging.getLogger(__name__)

READ_BATCH: Final = 500
"""Events of one read from the log: 150 KiB."""
REPAIRS_AT_ONCE: Final = 8
"""Projects read from the log at once after Redis comes back."""


class Log(Protocol):
    """The part of the event log that the bridge reads."""

    async def position(self, project_id: str) -> tuple[str, int]:
        """Return epoch and last offset; raises EventLogUnavailable."""

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[Event]:
        """Return events after an offset; raises EventLogUnavailable."""


@dataclass(eq=False)
class Feed:
    """One project's line of events, while somebody listens."""

    project_id: str
    position: Position | None = None
    """What all mailboxes have; None until the log has been read."""
    last: Event | None = None
    """The event at `position`, to notice a log that went back and was written again."""
    mailboxes: set[Mailbox] = field(default_factory=set)
    users: int = 0
    is_dirty: bool = False
    """Something may be missing."""
    repair: "asyncio.Task[None] | None" = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def publish(self, event: Event) -> None:
        """Give the next event to every client."""
        self.position, self.last = position_of(event), event
        self._put(event.model_dump_json())

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
    """A client's place in a feed: everything after `start` comes through the mailbox."""

    start: Position
    mailbox: Mailbox


class Hub:
    """The feeds of this process."""

    def __init__(self, log: Log, metrics: Metrics, queue_events: int, queue_bytes: int) -> None:
        self._log = log
        self._metrics = metrics
        self._queue_events = queue_events
        self._queue_bytes = queue_bytes
        self._feeds: dict[str, Feed] = {}
        self._slots = asyncio.Semaphore(REPAIRS_AT_ONCE)

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
            # Nothing is awaited in between, so that the mailbox gets all that follows the position.
            feed.mailboxes.add(mailbox)
            yield Subscription(feed.position, mailbox)
        finally:
            feed.mailboxes.discard(mailbox)
            feed.users -= 1
            if not feed.users:
                self._feeds.pop(project_id, None)
                if feed.repair is not None:
                    feed.repair.cancel()

    def accept(self, event: Event) -> None:
        """Take an event from the reader."""
        feed = self._feeds.get(event.project_id.lower())
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
                async with self._slots:
                    await self._catch_up(feed, feed.position or Position())
        except EventLogUnavailable as error:
            logger.info("feed waits for the event log", extra={"error": str(error)})
        except ValueError:
            logger.exception("unreadable entry in the event log")
        finally:
            feed.repair = None

    async def _catch_up(self, feed: Feed, reached: Position) -> None:
        """Publish what the log holds after `reached`, or tell every client to reload if there is a gap."""
        head = Position(*await self._log.position(feed.project_id))
        if not reached.is_start and head.epoch != reached.epoch:
            return self._reset(feed, head, ReloadReason.EPOCH_CHANGED)
        if head.offset < reached.offset:
            return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
        # A Redis that lost its last second gives the same offsets to other events.
        if feed.last and await self._log.read(feed.project_id, feed.last.offset - 1, 1) != [feed.last]:
            return self._reset(feed, head, ReloadReason.OFFSET_AHEAD)
        while reached.offset < head.offset:
            events = await self._log.read(feed.project_id, reached.offset, READ_BATCH)
            if not events or not is_unbroken(events, reached):
                return self._reset(feed, head, ReloadReason.TOO_OLD)
            for event in events:
                feed.publish(event)
            reached = position_of(events[-1])
        return None

    def _reset(self, feed: Feed, head: Position, reason: ReloadReason) -> None:
        self._metrics.resets.labels(reason=reason).inc()
        logger.warning("telling clients to reload", extra={"project": feed.project_id, "reason": reason})
        feed.reset(head, reason)
