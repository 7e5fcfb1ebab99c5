"""The log in pages that the clients of one project share when they come back together."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gather_bridge.live.batch import Batch
from gather_bridge.live.replay import Position, is_unbroken
from gather_clients.stored_event import StoredEvent

READ_EVENTS: Final = 64
"""Of one read from the log: some 20 KiB of a usual run, 4 MiB of the largest events."""
READS_AT_ONCE: Final = 4
PAGE_MAX_BYTES: Final = 256 * 1024
"""Of one page, texts and frames; a single event may be larger."""
KEPT_MAX_BYTES: Final = 16 * 1024 * 1024
KEPT_S: Final = 5.0
"""A herd is over by then; a page must not outlive a log that went back."""
IN_HAND: Final = 64
"""Clients that are being sent a page at once; the others wait for their turn, each time."""

Key = tuple[str, str, int]


class Log(Protocol):
    """The part of the event log that the bridge reads."""

    async def position(self, project_id: str) -> tuple[str, int]:
        """Return epoch and last offset; raises EventLogUnavailable."""

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        """Return entries after an offset; raises EventLogUnavailable."""


@dataclass(frozen=True, slots=True)
class _Kept:
    page: Batch
    until_s: float


class Pages:
    """Reads each page once, however many clients ask for it at the same time.

    Memory is bounded by `KEPT_MAX_BYTES`, `IN_HAND` pages and `READS_AT_ONCE` reads, whatever clients do.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._reading: dict[Key, asyncio.Task[Batch | None]] = {}
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._hands = asyncio.Semaphore(IN_HAND)

    @asynccontextmanager
    async def page(self, project_id: str, after: Position) -> AsyncIterator[Batch | None]:
        """Have the events that follow a place until the block ends; None if the log does not go on there.

        Raises EventLogUnavailable. Pages end at multiples of `READ_EVENTS`, so that clients who begin at
        different places meet.
        """
        async with self._hands:
            yield await self._page((project_id, after.epoch, after.offset), after)

    async def beginning(self, project_id: str, head: Position) -> Position:
        """Return the place before the first entry that the log still holds; raises EventLogUnavailable."""
        async with self._slots:
            oldest = await self._log.read(project_id, 0, 1)
        return Position(oldest[0].epoch or head.epoch, oldest[0].offset - 1) if oldest else head

    async def _page(self, key: Key, after: Position) -> Batch | None:
        self._drop(asyncio.get_running_loop().time())
        if (kept := self._kept.get(key)) is not None:
            return kept.page
        if (task := self._reading.get(key)) is None:
            task = self._reading[key] = asyncio.create_task(self._load(key, after))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
            task.add_done_callback(heard_of)
        # A client that goes must not end the reading of the others.
        return await asyncio.shield(task)

    async def _load(self, key: Key, after: Position) -> Batch | None:
        project_id, _, offset = key
        async with self._slots:
            events = await self._log.read(project_id, offset, READ_EVENTS - offset % READ_EVENTS)
        if not (events and is_unbroken(events, after)):
            return None
        pages = cut(events, after)
        until_s = asyncio.get_running_loop().time() + KEPT_S
        for page in pages:
            self._keep((project_id, after.epoch, after.offset), _Kept(page, until_s))
            after = page.reached
        return pages[0]

    def _keep(self, key: Key, kept: _Kept) -> None:
        if key not in self._kept:
            self._kept[key] = kept
            self._bytes += kept.page.size_bytes

    def _drop(self, now_s: float) -> None:
        """Forget pages that are too old, and the oldest while all are too large."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.until_s > now_s and self._bytes <= KEPT_MAX_BYTES:
                return
            del self._kept[key]
            self._bytes -= oldest.page.size_bytes


def heard_of(task: "asyncio.Task[Any]") -> None:
    """Take note of a failure, also where everybody who waited for it has gone."""
    if not task.cancelled():
        task.exception()


def cut(events: Sequence[StoredEvent], after: Position) -> list[Batch]:
    """Return the events in pages, each at most `PAGE_MAX_BYTES` unless one event is larger."""
    pages: list[Batch] = []
    first = size = 0
    for number, event in enumerate(events):
        size += 2 * len(event.text)
        if size > PAGE_MAX_BYTES and number > first:
            pages.append(Batch.of(events[first:number], pages[-1].reached if pages else after))
            first, size = number, 2 * len(event.text)
    pages.append(Batch.of(events[first:], pages[-1].reached if pages else after))
    return pages
