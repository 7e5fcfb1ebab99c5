"""The work queue: one task per run at a time, no run queued twice, longer waits after each failure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gather_clients.backoff import Backoff
from gather_operator.errors import OperatorError
from gather_operator.metrics import QUEUE_DEPTH

logger = logging.getLogger(__name__)

BACKOFF: Final = Backoff(0.5, 8.0)
"""A run whose namespace hangs is tried at least this often, and delays no other."""

Work = Callable[[str], Awaitable[float | None]]
"""Works on a key; returns in how many seconds it wants to be called again."""


class WorkQueue:
    """Keys to work on. It holds each key once, so it is never longer than there are runs."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}

    def add(self, key: str) -> None:
        """Queue the key now; while it is being worked on, it is queued once that ends."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)
            QUEUE_DEPTH.set(len(self._queued))

    def add_later(self, key: str, delay_s: float) -> None:
        """Queue the key after a delay; of several delays the shortest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(delay_s, 0)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self.add, key)

    async def run(self, workers: int, work: Work) -> None:
        """Work on keys until cancelled, on `workers` of them at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(work))

    async def _worker(self, work: Work) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            QUEUE_DEPTH.set(len(self._queued))
            self._busy.add(key)
            try:
                delay_s = await self._attempt(key, work)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            elif delay_s is not None:
                self.add_later(key, delay_s)

    async def _attempt(self, key: str, work: Work) -> float | None:
        try:
            delay_s = await work(key)
        except OperatorError as error:
            logger.warning(
                "reconcile failed; retrying with back-off", extra={"run_uid": key, "error": str(error)}
            )
        except Exception:
            # One run's failure must not stop the others.
            logger.exception("reconcile failed unexpectedly; retrying with back-off", extra={"run_uid": key})
        else:
            self._failures.pop(key, None)
            return delay_s
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return BACKOFF.wait_s(failures)
