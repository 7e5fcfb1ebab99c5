"""The log in pages that the clients of one project share when they come back together."""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gather_bridge.live.replay import Position
from gather_clients.stored_event import StoredEvent

PAGE_EVENTS: Final = 100
"""Some 30 KiB of a usual run."""
PAGES_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of all pages that are kept; those in the hands of clients count no second time, since texts are shared."""
KEPT_S: Final = 5.0
"""A herd is over by then; a page must not outlive a log that went back."""
READS_AT_ONCE: Final = 16

Key = tuple[str, str, int, int]


class Log(Protocol):
    """The part of the event log that the bridge reads."""

    async def position(self, project_id: str) -> tuple[str, int]:
        """Return epoch and last offset; raises EventLogUnavailable."""

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        """Return entries after an offset; raises EventLogUnavailable."""


@dataclass(frozen=True, slots=True)
class _Kept:
    events: Sequence[StoredEvent]
    size: int
    until_s: float


class Pages:
    """Reads each page once, however many clients ask for it at the same time."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._reading: dict[Key, asyncio.Task[Sequence[StoredEvent]]] = {}
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, project_id: str, after: Position, upto: int) -> Sequence[StoredEvent]:
        """Return the next entries after a place, at most to `upto`; raises EventLogUnavailable.

        Pages end at multiples of `PAGE_EVENTS`, so that clients who begin at different places meet.
        """
        limit = min(upto - after.offset, PAGE_EVENTS - after.offset % PAGE_EVENTS)
        key = (project_id, after.epoch, after.offset, limit)
        now_s = asyncio.get_running_loop().time()
        self._drop(now_s)
        if (kept := self._kept.get(key)) is not None:
            return kept.events
        if (task := self._reading.get(key)) is None:
            task = self._reading[key] = asyncio.create_task(self._load(key))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        # A client that goes must not end the reading of the others.
        return await asyncio.shield(task)

    async def _load(self, key: Key) -> Sequence[StoredEvent]:
        project_id, _, after, limit = key
        async with self._slots:
            events = await self._log.read(project_id, after, limit)
        if len(events) == limit:
            size = sum(sys.getsizeof(event.text) for event in events)
            until_s = asyncio.get_running_loop().time() + KEPT_S
            self._kept[key] = _Kept(events, size, until_s)
            self._bytes += size
        return events

    def _drop(self, now_s: float) -> None:
        """Forget pages that are too old, and the oldest while all are too large."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.until_s > now_s and self._bytes <= PAGES_MAX_BYTES:
                return
            del self._kept[key]
            self._bytes -= oldest.size
