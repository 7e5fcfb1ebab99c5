"""Writes the operator's events for webhooks into the outbox; MongoDB holds up no run, there or not."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gather_clients.outbox.outbox_entries import OutboxUnavailable
from gather_contracts.events import Event, identified
from gather_contracts.resource import GatherRun
from gather_operator.decisions.run_events import RunEvent

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 0.25
"""How long a pass waits for MongoDB; a write takes some milliseconds, and goes on without the pass."""
RETRY_S: Final = 10.0
"""After MongoDB did not answer, no run asks it for this long."""
REMEMBERED_MAX: Final = 20_000
"""Runs; the oldest go first."""


class Outbox(Protocol):
    """The part of the outbox that writing needs."""

    async def put(self, event: Event, url: str) -> bool:
        """Write an event unless it was written before; raises OutboxUnavailable."""


class OutboxWriter:
    """Writes what is due, and remembers what is written; the outbox itself remembers it across restarts."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._outbox = outbox
        self._clock = clock
        self._written: OrderedDict[str, set[str]] = OrderedDict()
        """Keys of events, by run."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unfinished: set[str] = set()
        self._not_before_s = 0.0

    def has_written_all(self, run_uid: str) -> bool:
        """Return whether the run's last call wrote everything."""
        return run_uid not in self._unfinished

    async def write(self, run: GatherRun, due: Sequence[RunEvent]) -> float | None:
        """Write the run's events in order; return None if all are there, else when to come again."""
        uid = run.metadata.uid
        written = self._of(uid)
        missing = [each for each in due if each.key not in written]
        if not missing:
            self._unfinished.discard(uid)
            return None
        self._unfinished.add(uid)
        if (wait_s := self._not_before_s - self._clock()) > 0:
            return wait_s
        if (task := self._tasks.get(uid)) is None:
            writing = self._write(run.spec.webhook_url or "", missing, written)
            task = self._tasks[uid] = asyncio.create_task(writing)
            task.add_done_callback(lambda _: self._tasks.pop(uid, None))
        await asyncio.wait({task}, timeout=PATIENCE_S)
        if any(each.key not in written for each in missing):
            return RETRY_S if task.done() else PATIENCE_S
        self._unfinished.discard(uid)
        return None

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run for which nothing is left to do."""
        self._written.pop(run_uid, None)
        self._unfinished.discard(run_uid)

    def _of(self, run_uid: str) -> set[str]:
        written = self._written.setdefault(run_uid, set())
        while len(self._written) > REMEMBERED_MAX:
            self._written.popitem(last=False)
        return written

    async def _write(self, url: str, events: Sequence[RunEvent], written: set[str]) -> None:
        try:
            for each in events:
                await self._outbox.put(identified(each.event, each.key), url)
                written.add(each.key)
        except OutboxUnavailable as error:
            logger.warning("events for webhooks wait for MongoDB", extra={"error": str(error)})
            self._not_before_s = self._clock() + RETRY_S
