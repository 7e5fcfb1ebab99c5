"""Events on their way to the log, in order and behind the caller's back: no event slows what it tells of."""

import asyncio
import logging
from collections import deque
from typing import Final, Protocol

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLogUnavailable
from gather_contracts.events import Event

QUEUED_MAX: Final = 1000
"""A department of 500 iterations sends about 1,000 events, of 400 bytes each; the oldest go beyond that."""
RETRY: Final = Backoff(0.5, 5.0)

_LOGGER = logging.getLogger(__name__)


class Log(Protocol):
    """The part of the event log that sending needs."""

    def write_as(self, writer: str, epoch: int) -> None:
        """Be one of the writers by a name that follow one another: events of an earlier one are refused."""

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append the event unless the key was used before; raises EventLogUnavailable."""

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:
        """Return whether an event with this key was appended; raises EventLogUnavailable."""

    async def close(self) -> None:
        """Close the connections."""


class EventQueue:
    """Appends events one after the other; while Redis is unavailable they wait, with their keys."""

    def __init__(self, log: Log, end_s: float = 1.0) -> None:
        """`end_s` is how long `close` waits for what is still queued."""
        self._log = log
        self._end_s = end_s
        self._queued: deque[tuple[Event, str]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0
        self._is_unavailable = False

    def write_as(self, writer: str, epoch: int) -> None:
        """Have later events refused of earlier writers by this name, and of this one once another follows."""
        self._log.write_as(writer, epoch)

    def put(self, event: Event, idempotency_key: str) -> None:
        """Have an event sent soon; the oldest gives way if too many wait."""
        if len(self._queued) >= QUEUED_MAX:
            self._queued.popleft()
            self._dropped += 1
        self._queued.append((event, idempotency_key))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send())

    async def knows(self, project_id: str, idempotency_key: str) -> bool:
        """Return whether the log has an event with this key; False at once while Redis is unavailable."""
        try:
            return not self._is_unavailable and await self._log.has_sent(project_id, idempotency_key)
        except EventLogUnavailable:
            return False

    async def close(self) -> None:
        """Send what is queued, within `end_s`, and close the connections."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self._end_s)
            await end_tasks([self._task])
        if lost := self._dropped + len(self._queued):
            _LOGGER.warning("events were not sent, since Redis was unavailable: %d", lost)
        await self._log.close()

    def end(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _send(self) -> None:
        failures = 0
        while self._queued:
            event, key = first = self._queued[0]
            try:
                await self._log.append(event, key)
            except EventLogUnavailable as error:
                failures += 1
                self._is_unavailable = True
                if failures == 1:
                    _LOGGER.warning("live progress pauses: %s", error)
                await asyncio.sleep(RETRY.wait_s(failures))
                continue
            except ValueError as error:
                _LOGGER.error("an event cannot be sent: %s", error)  # noqa: TRY400 - it says all
            failures, self._is_unavailable = 0, False
            if self._queued and self._queued[0] is first:  # it may have given way meanwhile
                self._queued.popleft()
