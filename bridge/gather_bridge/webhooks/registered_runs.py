"""Runs whose events are read from Redis alone: the operator registers them where there is no outbox."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from gather_bridge.live.pages import Log
from gather_bridge.live.replay import Position, is_unbroken, position_of
from gather_bridge.metrics import Metrics
from gather_bridge.webhooks.registrations import Registration
from gather_bridge.webhooks.sources import BATCH
from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import FINAL_TYPES

logger = logging.getLogger(__name__)

READ_BATCH: Final = 500
"""Events of one read from the log: 150 KiB."""
HEADS_INTERVAL_S: Final = 60.0
"""How often the ends of the logs are looked at although nothing was heard; pub/sub promises nothing."""
STRANGERS_MAX: Final = 10_000
LOGS_MAX: Final = 500


class Store(Protocol):
    """Keeps the registrations; each call raises EventLogUnavailable."""

    async def listed(self) -> list[str]:
        """Return the UIDs of registered runs."""

    async def heads(self, project_ids: list[str]) -> dict[str, Position]:
        """Return where the projects' logs end."""

    async def load(self, run_uid: str) -> Registration | None:
        """Return a registration."""

    async def save(self, registration: Registration) -> None:
        """Keep how far it has come."""

    async def end(self, run_uid: str, why: str) -> None:
        """Send nothing more."""

    async def forget(self, run_uid: str) -> None:
        """Take it off the list."""


def resumed(position: Position, head: Position) -> Position:
    """Return where to go on: at `position`, or at the beginning of a new log."""
    is_same = position.leads_to(head) and position.offset <= head.offset
    return position if is_same or position.is_start else Position(head.epoch, 0)


@dataclass(frozen=True, slots=True)
class LogEntry(Waiting):
    """A waiting event with its place in the log."""

    position: Position = field(default_factory=Position)


@dataclass(slots=True)
class _FirstEvents:
    """Where the runs of one project's log begin, so that fifty new ones read the log once."""

    epoch: str = ""
    upto: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class RegisteredRuns:
    """The registrations and the event log as a source."""

    def __init__(
        self,
        log: Log,
        store: Store,
        metrics: Metrics,
        subscriptions: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`subscriptions` counts how often events began to be heard; `clock` is Unix time in seconds."""
        self._log = log
        self._store = store
        self._metrics = metrics
        self._subscriptions = subscriptions
        self._clock = clock
        self._known: dict[str, Registration] = {}
        self._given_up_before_s: dict[str, float] = {}
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._logs: OrderedDict[str, _FirstEvents] = OrderedDict()
        self._compared: tuple[int, float] | None = None

    def concerns(self, event: StoredEvent) -> bool:
        """Return True unless the run is not registered: that comes before its first event."""
        return bool(event.run_uid) and event.run_uid not in self._strangers

    async def begin(self) -> None:
        """Read every registration again."""
        self._known.clear()
        self._strangers.clear()
        self._compared = None

    async def runs(self) -> list[str]:
        """Return the runs that are new here, and from time to time those whose log has grown."""
        listed = await self._store.listed()
        for run_uid in listed:
            self._strangers.pop(run_uid, None)
        fresh = [run_uid for run_uid in listed if run_uid not in self._known]
        if self._is_comparison_due():
            projects = sorted({registration.project_id for registration in self._known.values()})
            compared = (self._subscriptions(), self._clock())
            heads = await self._store.heads(projects)
            fresh += [
                uid
                for uid, known in self._known.items()
                if heads.get(known.project_id, Position()) != known.position
            ]
            self._compared = compared
        return fresh

    async def waiting(self, run_uid: str) -> list[Waiting]:
        """Return the run's next events."""
        known = self._known.get(run_uid) or await self._load(run_uid)
        if known is None:
            return []
        head = Position(*await self._log.position(known.project_id))
        place = resumed(known.position, head)
        if place.is_start and head.offset:
            place = await self._first_place(run_uid, known.project_id, head)
        while place.offset < head.offset:
            events = await self._log.read(known.project_id, place.offset, READ_BATCH)
            if not events:
                break
            if not place.is_start and not is_unbroken(events, place):
                logger.warning("events were lost before their webhook got them", extra={"run_uid": run_uid})
                self._metrics.deliveries.labels(result="lost").inc()
            if own := [e for e in events if e.run_uid == run_uid and e.is_event][:BATCH]:
                entries = [_entry(event, known) for event in own]
                entries[0] = replace(
                    entries[0], failures=known.failures, failing_since_s=known.failing_since_s
                )
                return await self._without_given_up(entries)
            place = position_of(events[-1], place)
        # In memory alone: the next bridge reads these few again.
        self._known[run_uid] = replace(known, position=head if place.offset == head.offset else place)
        return []

    async def delivered(self, event: Waiting) -> None:
        """Keep the place after the event; after a run's last one there is nothing more to send."""
        await self._reached(event)
        if event.type in FINAL_TYPES:
            await self._end(event.run_uid, "complete")

    async def failed(self, event: Waiting, reason: str) -> None:  # noqa: ARG002 - only the outbox keeps it
        """Keep how often it failed, and since when."""
        if known := self._known.get(event.run_uid):
            changed = replace(known, failures=event.failures, failing_since_s=event.failing_since_s)
            await self._save(changed)

    async def give_up(self, event: Waiting, reason: str, written_before_s: float) -> None:  # noqa: ARG002
        """Pass over the event, and over those of the run that are as old."""
        self._given_up_before_s[event.run_uid] = written_before_s
        await self.delivered(event)

    def _is_comparison_due(self) -> bool:
        if self._compared is None:
            return True
        subscriptions, at_s = self._compared
        return subscriptions != self._subscriptions() or self._clock() - at_s >= HEADS_INTERVAL_S

    async def _without_given_up(self, entries: list[LogEntry]) -> list[Waiting]:
        before_s = self._given_up_before_s.get(entries[0].run_uid, 0.0)
        while entries and entries[0].written_s <= before_s:
            self._metrics.deliveries.labels(result="given_up").inc()
            await self.delivered(entries.pop(0))
        ends = [place for place, entry in enumerate(entries) if entry.type in FINAL_TYPES]
        return list(entries[: ends[0] + 1] if ends else entries)

    async def _reached(self, event: Waiting) -> None:
        known = self._known.get(event.run_uid)
        if known is not None and isinstance(event, LogEntry):
            await self._save(replace(known, position=event.position, failures=0, failing_since_s=None))

    async def _save(self, registration: Registration) -> None:
        self._known[registration.run_uid] = registration
        await self._store.save(registration)

    async def _end(self, run_uid: str, why: str) -> None:
        await self._store.end(run_uid, why)
        self._drop(run_uid)

    async def _load(self, run_uid: str) -> Registration | None:
        found = await self._store.load(run_uid)
        if found is not None and not found.ended:
            self._known[run_uid] = found
            return found
        if found is not None:
            await self._store.forget(run_uid)
        self._drop(run_uid)
        return None

    def _drop(self, run_uid: str) -> None:
        self._known.pop(run_uid, None)
        self._given_up_before_s.pop(run_uid, None)
        self._strangers[run_uid] = None
        while len(self._strangers) > STRANGERS_MAX:
            self._strangers.popitem(last=False)

    async def _first_place(self, run_uid: str, project_id: str, head: Position) -> Position:
        """Return the place before the run's first event, or the head if it has none."""
        log = self._logs.setdefault(project_id, _FirstEvents())
        self._logs.move_to_end(project_id)
        while len(self._logs) > LOGS_MAX:
            self._logs.popitem(last=False)
        async with log.reading:
            # Who waited here may know an older head; a log that went back has another epoch.
            if log.epoch != head.epoch:
                log.epoch, log.upto, log.offsets = head.epoch, 0, {}
            while log.upto < head.offset:
                events = await self._log.read(project_id, log.upto, READ_BATCH)
                for event in events:
                    log.offsets.setdefault(event.run_uid, event.offset)
                log.upto = events[-1].offset if events else head.offset
        first = log.offsets.get(run_uid)
        return Position(head.epoch, head.offset if first is None else first - 1)


def _entry(event: StoredEvent, known: Registration) -> LogEntry:
    return LogEntry(
        id=event.id or f"{event.epoch}-{event.offset}",
        run_uid=known.run_uid,
        project_id=event.project_id,
        url=known.url,
        type=event.type,
        text=event.text,
        written_s=_written_s(event.text),
        position=position_of(event, known.position),
    )


def _written_s(text: str) -> float:
    """Return when it happened, as the event says; now, if it says nothing."""
    try:
        return datetime.fromisoformat(str(json.loads(text)["at"])).timestamp()
    except (KeyError, ValueError, OverflowError):
        return time.time()
