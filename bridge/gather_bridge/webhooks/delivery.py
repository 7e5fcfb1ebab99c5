"""Delivers the events of registered runs to their webhooks: at least once each, in order, one run at a time.

Redis keeps which event was delivered last, so that a new process goes on where the old one ended.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from gather_bridge.errors import DeliveryFailed, UrlRefused
from gather_bridge.live.pages import Log
from gather_bridge.live.replay import Position, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_bridge.webhooks.registrations import REGISTRATIONS_MAX, Registration
from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import FINAL_TYPES

logger = logging.getLogger(__name__)

READ_BATCH: Final = 500
"""Events of one read from the log: 150 KiB."""
POLL_INTERVAL_S: Final = 2.0
"""How soon a new registration is seen, and a run is checked again without an event."""
RETRY_MAX_S: Final = 300.0
"""The longest wait before another try, without its jitter."""
JITTER: Final = (0.8, 1.2)
GIVE_UP_AFTER_S: Final = 24 * 3600.0
"""A receiver that accepted nothing for a day is gone; the log holds a week."""
CALLS_AT_ONCE: Final = 16


class Sender(Protocol):
    """Sends one event to one URL."""

    async def deliver(self, url: str, event: StoredEvent) -> None:
        """Send; raises DeliveryFailed or UrlRefused."""


class Store(Protocol):
    """Keeps the registrations; each call raises EventLogUnavailable."""

    async def listed(self) -> list[str]:
        """Return the UIDs of registered runs."""

    async def load(self, run_uid: str) -> Registration | None:
        """Return a registration."""

    async def save(self, run_uid: str, position: Position, failing_since_s: float | None = None) -> None:
        """Keep how far it has come."""

    async def end(self, run_uid: str, why: str) -> None:
        """Send nothing more."""

    async def forget(self, run_uid: str) -> None:
        """Take it off the list."""


def resumed(position: Position, head: Position) -> Position:
    """Return where to go on: at `position`, or at the beginning of a new log."""
    is_same = position.leads_to(head) and position.offset <= head.offset
    return position if is_same or position.is_start else Position(head.epoch, 0)


class Dispatcher:
    """One task for each registered run."""

    def __init__(
        self,
        log: Log,
        store: Store,
        sender: Sender,
        *,
        metrics: Metrics,
        retry_base_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is Unix time in seconds."""
        self._log = log
        self._store = store
        self._sender = sender
        self._metrics = metrics
        self._backoff = Backoff(retry_base_s, RETRY_MAX_S, JITTER)
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)

    def heard(self, event: StoredEvent) -> None:
        """Wake the event's run."""
        if wake := self._wakes.get(event.run_uid):
            wake.set()

    async def run(self) -> None:
        """Serve the registrations until cancelled."""
        try:
            while True:
                try:
                    self._start(await self._store.listed())
                except EventLogUnavailable as error:
                    logger.info("webhooks wait for Redis", extra={"error": str(error)[:300]})
                await asyncio.sleep(POLL_INTERVAL_S)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, uids: list[str]) -> None:
        for uid in uids:
            if uid not in self._tasks and len(self._tasks) < REGISTRATIONS_MAX:
                self._wakes[uid] = asyncio.Event()
                self._tasks[uid] = asyncio.create_task(self._serve(uid))
                self._tasks[uid].add_done_callback(partial(self._ended, uid))
        self._metrics.webhooks.set(len(self._tasks))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[uid], self._wakes[uid]
        self._metrics.webhooks.set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("webhook task failed; it starts again", exc_info=error, extra={"run_uid": uid})

    async def _serve(self, uid: str) -> None:
        while True:
            self._wakes[uid].clear()
            try:
                if await self._drain(uid):
                    return
            except EventLogUnavailable as error:
                logger.info("webhook waits for Redis", extra={"run_uid": uid, "error": str(error)[:300]})
            try:
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._wakes[uid].wait()
            except TimeoutError:
                continue

    async def _drain(self, uid: str) -> bool:
        """Deliver what the log holds; return whether the run has had its last event."""
        registration = await self._store.load(uid)
        if registration is None or registration.ended:
            await self._store.forget(uid)
            return True
        head = Position(*await self._log.position(registration.project_id))
        start = resumed(registration.position, head)
        while start.offset < head.offset:
            events = await self._log.read(registration.project_id, start.offset, READ_BATCH)
            if not events:
                return False
            if start.offset and not is_unbroken(events, start):
                logger.warning("events were lost before their webhook got them", extra={"run_uid": uid})
                self._metrics.deliveries.labels(result="lost").inc()
            for event in events:
                if event.run_uid == uid and not await self._deliver(registration, event):
                    return True
            start = position_of(events[-1], start)
            registration = replace(registration, position=start)
            await self._store.save(uid, start)
        return False

    async def _deliver(self, registration: Registration, event: StoredEvent) -> bool:
        """Try until the event is delivered; return False if nothing more is to be sent for the run."""
        uid, failures, since_s = registration.run_uid, 0, registration.failing_since_s
        while True:
            try:
                async with self._calls:
                    await self._sender.deliver(registration.url, event)
                break
            except UrlRefused as refused:
                await self._end(uid, "refused", str(refused))
                return False
            except DeliveryFailed as failed:
                error = str(failed)
            failures += 1
            since_s = self._clock() if since_s is None else since_s
            if self._clock() - since_s > GIVE_UP_AFTER_S:
                await self._end(uid, "given_up", error)
                return False
            self._metrics.deliveries.labels(result="failed").inc()
            wait_s = self._backoff.wait_s(failures)
            logger.info(
                "webhook delivery failed; retrying",
                extra={"run_uid": uid, "offset": event.offset, "error": error, "wait_s": round(wait_s, 1)},
            )
            if failures == 1:
                await self._store.save(uid, Position(event.epoch, event.offset - 1), since_s)
            await asyncio.sleep(wait_s)
        self._metrics.deliveries.labels(result="delivered").inc()
        await self._store.save(uid, Position(event.epoch, event.offset))
        if event.type not in FINAL_TYPES:
            return True
        await self._end(uid, "complete", "")
        return False

    async def _end(self, uid: str, why: str, error: str) -> None:
        """Send nothing more for the run."""
        logger.info("webhook ended", extra={"run_uid": uid, "why": why, "error": error})
        if why != "complete":
            self._metrics.deliveries.labels(result=why).inc()
        await self._store.end(uid, why)
