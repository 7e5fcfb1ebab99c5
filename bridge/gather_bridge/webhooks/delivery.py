"""Delivers events to webhooks: at least once each, in order within a run, and no run in another's way.

Work comes by events: one that was heard, or a sweep over what waits, begins a task for its run, which ends
when nothing waits any more or when the receiver failed; a timer begins it again. What is idle costs nothing.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from gather_bridge.errors import DeliveryFailed, LeaseLost, UrlRefused
from gather_bridge.metrics import Metrics
from gather_bridge.webhooks.lease import Lease
from gather_bridge.webhooks.shares import KNOWN_MAX, Pacer, Shares
from gather_bridge.webhooks.sources import UNAVAILABLE, Source
from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.stored_event import StoredEvent

logger = logging.getLogger(__name__)

SWEEP_S: Final = 2.0
"""How often a source is asked what waits, whatever was heard: one query."""
RETRY_MAX_S: Final = 300.0
"""The longest wait before another try, without its jitter."""
JITTER: Final = (0.8, 1.2)
FRESH_S: Final = 1 / 400
RETRY_S: Final = 1 / 40
"""Between two runs that begin although nothing is known of their receiver, or it failed. Reading, calling and
noting take some 5 ms of the processor; who answers waits for none of them."""
SLOW_S: Final = 2.0
"""A receiver that takes longer waits its turn among those that fail."""
GIVE_UP_AFTER_S: Final = 24 * 3600.0
"""From the first failure of an event; a receiver that accepted nothing for a day is gone."""
TRIES_MIN: Final = 10
"""Before that, however long ago the first one was: the bridge itself may have been away."""


class Sender(Protocol):
    """Sends one event to its URL."""

    async def deliver(self, event: Waiting) -> None:
        """Send; raises DeliveryFailed or UrlRefused."""


@dataclass(slots=True)
class _Line:
    """One run, while something waits for its webhook."""

    task: "asyncio.Task[None] | None" = None
    timer: asyncio.TimerHandle | None = None
    """Runs while the receiver is left alone."""
    is_woken: bool = False
    """Something was heard while the task was at work."""
    failures: int = 0
    """In a row, of whichever events."""


Place = tuple[int, str]
"""A source's number and a run's UID."""


class Dispatcher:
    """One line for each run that something waits for."""

    def __init__(
        self,
        sources: Sequence[Source],
        lease: Lease,
        sender: Sender,
        *,
        metrics: Metrics,
        retry_base_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is Unix time in seconds."""
        self._sources = tuple(sources)
        self._lease = lease
        self._sender = sender
        self._metrics = metrics
        self._backoff = Backoff(retry_base_s, RETRY_MAX_S, JITTER)
        self._clock = clock
        self._lines: dict[Place, _Line] = {}
        self._shares = Shares()
        self._is_active = False
        self._fresh, self._retries = Pacer(FRESH_S), Pacer(RETRY_S)
        self._well: OrderedDict[Place, None] = OrderedDict()
        """Runs whose last call succeeded."""

    def heard(self, event: StoredEvent) -> None:
        """Begin to deliver for the event's run."""
        if not self._is_active:
            return
        for number, source in enumerate(self._sources):
            if source.concerns(event):
                self._wake((number, event.run_uid))

    async def run(self) -> None:
        """Deliver whenever this process has the lease, until cancelled."""
        try:
            while True:
                again_s = await self._lease.keep()
                if self._lease.is_valid:
                    await self._serve(again_s)
                else:
                    await asyncio.sleep(again_s)
        finally:
            await self._lease.release()

    async def _serve(self, again_s: float) -> None:
        """Deliver as long as the lease is renewed in time."""
        logger.info("webhooks are delivered from here")
        self._metrics.delivers_webhooks.set(1)
        self._is_active = True
        sweeps = [
            asyncio.create_task(self._sweep(number, source)) for number, source in enumerate(self._sources)
        ]
        try:
            while self._lease.is_valid:
                await asyncio.sleep(again_s)
                again_s = await self._lease.keep()
            logger.warning("another bridge delivers webhooks now, or nobody can say")
        finally:
            self._is_active = False
            self._metrics.delivers_webhooks.set(0)
            await self._stop(sweeps)

    async def _stop(self, sweeps: "list[asyncio.Task[None]]") -> None:
        lines = list(self._lines.values())
        tasks = [*sweeps, *(line.task for line in lines if line.task is not None)]
        for line in lines:
            if line.timer is not None:
                line.timer.cancel()
        await end_tasks(tasks)
        self._lines.clear()
        self._metrics.webhooks.set(0)

    async def _sweep(self, number: int, source: Source) -> None:
        """Find what waits although nothing was heard of it."""
        is_begun = False
        while True:
            try:
                if not is_begun:
                    await source.begin()
                    is_begun = True
                for run_uid in await source.runs():
                    self._wake((number, run_uid))
            except UNAVAILABLE as error:
                logger.info("webhooks wait for their store", extra={"error": str(error)[:300]})
            except Exception:
                # What somebody else wrote there must not end deliveries for all.
                logger.exception("looking for webhooks failed unexpectedly; trying again")
            await asyncio.sleep(SWEEP_S)

    def _wake(self, place: Place) -> None:
        line = self._lines.setdefault(place, _Line())
        if line.timer is not None:
            return
        if line.task is not None:
            line.is_woken = True
            return
        line.task = asyncio.create_task(self._work(place, line))
        line.task.add_done_callback(partial(self._ended, place, line))
        self._metrics.webhooks.set(len(self._lines))

    def _ended(self, place: Place, line: _Line, task: "asyncio.Task[None]") -> None:
        line.task = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            level = logging.INFO if isinstance(error, UNAVAILABLE) else logging.ERROR
            logger.log(
                level,
                "webhook waits; it is tried again",
                exc_info=None if level == logging.INFO else error,
                extra={"run_uid": place[1], "error": type(error).__name__},
            )
            line.failures += 1
            self._later(place, line, self._backoff.wait_s(min(line.failures, 5)))
        elif line.timer is None:
            self._lines.pop(place, None)
            if line.is_woken:
                self._wake(place)
        self._metrics.webhooks.set(len(self._lines))

    def _later(self, place: Place, line: _Line, wait_s: float) -> None:
        def again() -> None:
            line.timer = None
            self._wake(place)

        line.timer = asyncio.get_running_loop().call_later(wait_s, again)

    async def _work(self, place: Place, line: _Line) -> None:
        """Deliver what waits for the run, until nothing does or its receiver fails."""
        source = self._sources[place[0]]
        if place not in self._well:
            await (self._retries if line.failures else self._fresh).turn()
        while True:
            line.is_woken = False
            events = await source.waiting(place[1])
            if not events and not line.is_woken:
                return
            for event in events:
                wait_s = await self._deliver(source, line, event)
                self._note(place, is_well=wait_s is None)
                if wait_s is not None:
                    self._later(place, line, wait_s)
                    return

    def _note(self, place: Place, *, is_well: bool) -> None:
        self._well.pop(place, None)
        if is_well:
            self._well[place] = None
        while len(self._well) > KNOWN_MAX:
            self._well.popitem(last=False)

    async def _deliver(self, source: Source, line: _Line, event: Waiting) -> float | None:
        """Try once; return after how many seconds to read again what waits, None if the next may follow."""
        if (early_s := event.due_s - self._clock()) > 0:
            self._shares.note(event.url, is_prompt=False)
            return early_s
        try:
            await self._call(event)
        except UrlRefused as refused:
            self._metrics.deliveries.labels(result="refused").inc()
            await self._give_up(source, event, str(refused), self._clock())
            return 0.0
        except LeaseLost:
            return SWEEP_S
        except DeliveryFailed as failed:
            return await self._failed(source, line, event, str(failed))
        line.failures = 0
        self._metrics.deliveries.labels(result="delivered").inc()
        await source.delivered(event)
        return None

    async def _call(self, event: Waiting) -> None:
        async with self._shares.place(event.project_id, event.url):
            if not self._lease.is_valid:
                raise LeaseLost
            began_s = time.monotonic()
            try:
                await self._sender.deliver(event)
            except DeliveryFailed:
                self._shares.note(event.url, is_prompt=False)
                raise
            self._shares.note(event.url, is_prompt=time.monotonic() - began_s < SLOW_S)

    async def _failed(self, source: Source, line: _Line, event: Waiting, error: str) -> float:
        """Note the failure; return after how many seconds to go on: at once, if the event is given up."""
        now_s = self._clock()
        failures, since_s = event.failures + 1, event.failing_since_s
        if since_s is None:
            # One that waited behind another that was given up has waited for the receiver all that time.
            since_s = event.written_s if line.failures >= TRIES_MIN else now_s
        line.failures = max(line.failures + 1, failures)
        if line.failures >= TRIES_MIN and now_s - since_s > GIVE_UP_AFTER_S:
            self._metrics.deliveries.labels(result="given_up").inc()
            await self._give_up(source, event, error, now_s - GIVE_UP_AFTER_S)
            return 0.0
        self._metrics.deliveries.labels(result="failed").inc()
        wait_s = self._backoff.wait_s(line.failures)
        logger.info(
            "webhook delivery failed; retrying",
            extra={"run_uid": event.run_uid, "event": event.id, "error": error, "wait_s": round(wait_s, 1)},
        )
        noted = replace(event, failures=failures, failing_since_s=since_s, due_s=now_s + wait_s)
        await source.failed(noted, error)
        return wait_s

    async def _give_up(self, source: Source, event: Waiting, error: str, written_before_s: float) -> None:
        logger.warning("events are given up", extra={"run_uid": event.run_uid, "error": error})
        await source.give_up(event, error, written_before_s)
