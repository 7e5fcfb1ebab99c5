"""Sends the operator's own events and registers webhooks, from what stands in the written status.

An unavailable Redis holds up nothing: it is tried again later, and a deleted run waits for it only so long.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from gather_clients.event_log import EventLogDamaged, EventLogUnavailable
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names
from gather_contracts.events import Event, identified
from gather_contracts.reasons import DepartmentPhase
from gather_contracts.resource import GatherRun
from gather_contracts.run_document import RunDocument
from gather_operator.decisions.run_events import RunEvent, due, may_give_up
from gather_operator.metrics import EVENTS_PUBLISHED
from gather_operator.webhooks.outbox_writer import OutboxWriter

logger = logging.getLogger(__name__)

ValueT = TypeVar("ValueT")

WEBHOOK_EXPIRY_S: Final = 7 * 24 * 3600
WEBHOOK_REFRESH_S: Final = 60.0
"""A running run's webhook is registered again this often, since Redis may have lost its data."""
RETRY_S: Final = 2.0
"""After Redis did not answer, no run asks it for this long: they would all wait for its timeout in turn."""
DAMAGED_RETRY_S: Final = 30.0
"""After one project's log could not be written although Redis answers; other projects do not wait."""
REMEMBERED_MAX: Final = 20_000
"""Runs, and projects whose log is damaged; the oldest go first."""


@dataclass(slots=True)
class _Published:
    """What this process has done for one run, so that nothing is asked for a second time."""

    sent: set[str] = field(default_factory=set)
    """Keys of events."""
    registered_s: float | None = None
    settled: tuple[bool, bool, int] | None = None
    """What called for events when all of them had been sent."""
    written: tuple[bool, bool, int] | None = None
    """The same of the outbox."""


class Log(Protocol):
    """The part of the event log that publishing needs."""

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append the event unless the key was used before; raises EventLogUnavailable."""


class WebhookRegistry:
    """Registers for the bridge, in Redis, where a run's events go."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float) -> None:
        self._key = place_of(redis).key
        client = connect(redis, timeout_s, decode_responses=True)
        self._calls = RedisCalls(client, 2 * timeout_s, EventLogUnavailable.because)

    async def register(self, run: GatherRun) -> None:
        """Register the run's webhook for a week; raises EventLogUnavailable."""
        uid = run.metadata.uid
        fields: dict[Any, Any] = {
            "project_id": run.spec.project_id,
            "run": run.metadata.name,
            "url": run.spec.webhook_url or "",
        }
        pipeline = self._calls.redis.pipeline(transaction=True)
        key = self._key(names.webhook_registration(uid))
        pipeline.hset(key, mapping=fields)
        pipeline.expire(key, WEBHOOK_EXPIRY_S)
        pipeline.sadd(self._key(names.WEBHOOK_REGISTRATIONS), uid)
        await self._calls.call(pipeline.execute())

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()


class EventPublisher:
    """Sends what is due and remembers what it has sent; the log's keys remember it across restarts."""

    def __init__(
        self,
        log: Log,
        webhooks: WebhookRegistry,
        clock: Callable[[], float] = time.monotonic,
        permit: Callable[[], object] = lambda: None,
        outbox: OutboxWriter | None = None,
    ) -> None:
        """`clock` counts seconds; `permit` raises NotLeading where this replica must send nothing."""
        self._outbox = outbox
        self._log = log
        self._permit = permit
        self._webhooks = webhooks
        self._clock = clock
        self._runs: OrderedDict[str, _Published] = OrderedDict()
        self._not_before_s = 0.0
        self._damaged_until_s: OrderedDict[str, float] = OrderedDict()

    def has_published_all(self, run: GatherRun, now: datetime | None = None) -> bool:
        """Return whether everything due for the run was sent or may be given up."""
        moment = now or datetime.now(UTC)
        is_written = self._outbox is None or self._outbox.has_written_all(run.metadata.uid)
        return (is_written and not self._pending(run, moment)) or may_give_up(run, moment)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run for which nothing is left to do."""
        self._runs.pop(run_uid, None)
        if self._outbox is not None:
            self._outbox.forget(run_uid)

    @property
    def has_outbox(self) -> bool:
        """Return whether events for webhooks go through the outbox, for runs that begin now."""
        return self._outbox is not None

    async def publish(
        self, run: GatherRun, now: datetime | None = None, document: RunDocument | None = None
    ) -> float | None:
        """Send what is due; return None if nothing is left, else after how many seconds to try again."""
        moment = now or datetime.now(UTC)
        # First, since what is heard of in Redis is looked for there.
        outbox_wait_s = await self._write(run, moment, document)
        wait_s = await self._publish(run, self._pending(run, moment, document), document)
        waits_s = [each for each in (outbox_wait_s, wait_s) if each is not None]
        return min(waits_s, default=None)

    async def _write(self, run: GatherRun, now: datetime, document: RunDocument | None) -> float | None:
        """Write into the outbox what is due; return None if it is there, else when to try again."""
        if self._outbox is None or not _goes_to_outbox(run, document):
            return None
        done, wanted = self._of(run), calls_for(run, document)
        if done.written == wanted:
            return None
        self._permit()
        wait_s = await self._outbox.write(run, due(run, now, document))
        if wait_s is None:
            done.written = wanted
        return wait_s

    async def _publish(
        self, run: GatherRun, pending: Sequence[RunEvent], document: RunDocument | None
    ) -> float | None:
        is_registered = self._outbox is None or not _goes_to_outbox(run, document)
        is_wanted = is_registered and run.spec.webhook_url is not None and not run.status.phase.is_final
        done = self._of(run)
        last_s = done.registered_s
        needs_webhook = is_wanted and (last_s is None or self._clock() - last_s >= WEBHOOK_REFRESH_S)
        if not pending and not needs_webhook:
            return None
        wait_s = max(self._not_before_s, self._damaged_until_s.get(run.spec.project_id, 0)) - self._clock()
        if wait_s > 0:
            return wait_s
        try:
            if needs_webhook:
                self._permit()
                await self._webhooks.register(run)
                done.registered_s = self._clock()
            for event in pending:
                await self._send(event)
                done.sent.add(event.key)
        except EventLogDamaged as error:
            return self._hold_project(run, str(error))
        except EventLogUnavailable as error:
            logger.warning("event log unavailable", extra={"run": run.metadata.name, "error": str(error)})
            self._not_before_s = self._clock() + RETRY_S
            return RETRY_S
        return None

    def _hold_project(self, run: GatherRun, why: str) -> float:
        """Leave the project's log alone for a while; return for how long."""
        project_id = run.spec.project_id
        logger.error(
            "a project's event log is damaged; deleting its key mends it",
            extra={"run": run.metadata.name, "key": names.event_log(project_id), "error": why},
        )
        _remember(self._damaged_until_s, project_id, self._clock() + DAMAGED_RETRY_S)
        return DAMAGED_RETRY_S

    def _pending(self, run: GatherRun, now: datetime, document: RunDocument | None = None) -> list[RunEvent]:
        """Return what is due and was not sent; events are built only for a status that calls for others."""
        done, wanted = self._of(run), calls_for(run, document)
        if done.settled == wanted:
            return []
        pending = [a for a in due(run, now, document) if a.key not in done.sent]
        if not pending:
            done.settled = wanted
        return pending

    def _of(self, run: GatherRun) -> _Published:
        uid = run.metadata.uid
        if (done := self._runs.get(uid)) is None:
            done = _Published()
            _remember(self._runs, uid, done)
        return done

    async def _send(self, due: RunEvent) -> None:
        kind = due.event.type
        self._permit()
        try:
            offset = await self._log.append(identified(due.event, due.key), due.key)
        except EventLogUnavailable:
            EVENTS_PUBLISHED.labels(type=kind, result="unavailable").inc()
            raise
        EVENTS_PUBLISHED.labels(type=kind, result="repeated" if offset is None else "sent").inc()


def calls_for(run: GatherRun, document: RunDocument | None = None) -> tuple[bool, bool, int]:
    """Return what of a run decides which events are due: whether it began, whether it ended, failures."""
    departments = run.status.departments
    has_begun = bool(departments) or (document is not None and bool(document.departments))
    failed = sum(d.phase is DepartmentPhase.FAILED for d in departments)
    return has_begun, run.status.phase.is_final, failed


def _goes_to_outbox(run: GatherRun, document: RunDocument | None) -> bool:
    """Return whether the run's webhook is served from the outbox: as its workers were told at its start."""
    return run.spec.webhook_url is not None and (document is None or document.has_outbox)


def _remember(memory: OrderedDict[str, ValueT], key: str, value: ValueT) -> None:
    """Keep the value under the key, and let the oldest go beyond `REMEMBERED_MAX`."""
    memory[key] = value
    while len(memory) > REMEMBERED_MAX:
        memory.popitem(last=False)
