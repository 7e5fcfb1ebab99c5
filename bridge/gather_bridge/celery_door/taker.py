"""Takes tasks out of their queues: one door at a time, in their order, as many as there are slots."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.celery_door.task_decisions import (
    Decision,
    Fail,
    Forget,
    Hold,
    Revoke,
    Start,
    decide,
    invalid,
)
from gather_bridge.celery_door.task_message import NotForUs, TaskMessage, read_message
from gather_bridge.celery_door.task_queue import BrokerUnavailable, TaskQueue, Waiting
from gather_bridge.celery_door.task_results import ResultRefused, TaskResults
from gather_bridge.errors import NameTaken, TaskRefused
from gather_bridge.task_runs.run_calls import TaskRuns
from gather_bridge.task_runs.task_states import Task, TaskFailure, task_of
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterError

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.2
"""Between two looks at the queues, while there are slots."""
FULL_S: Final = 1.0
"""While there are none, or another door leads."""
COUNT_S: Final = 2.0
FOREIGN_S: Final = 60.0
BACKOFF: Final = Backoff(0.5, 10.0, (0.5, 1.0))
SEEN_MAX: Final = 10_000
PROJECT_MAX: Final = 64
"""Characters of a project's id in the log; one that is longer is refused."""
SendEvent = Callable[..., None]


class Taker:
    """The loop from the queues to GatherRuns."""

    def __init__(
        self,
        settings: CelerySettings,
        *,
        me: str,
        queue: TaskQueue,
        runs: TaskRuns,
        watched: WatchedRuns,
        results: TaskResults,
        metrics: CeleryMetrics,
        send_event: SendEvent,
        come_again: Callable[[Task], Awaitable[None]],
    ) -> None:
        """`me` is this door's name in the lease; `come_again` gets the run of a task that had one already."""
        self._settings = settings
        self._me = me
        self._queue = queue
        self._runs = runs
        self._watched = watched
        self._results = results
        self._metrics = metrics
        self._send_event = send_event
        self._come_again = come_again
        self._seen_s: OrderedDict[str, float] = OrderedDict()
        self._counted_s = 0.0
        self.leads = False
        self.trouble = ""
        """What keeps tasks from being taken."""
        self.processed = 0

    def slots(self) -> int:
        """Return how many runs may begin now."""
        active = self._watched.active()
        self._metrics.active.set(active)
        free = max(self._settings.runs_max - active, 0)
        self._metrics.slots.set(free)
        return free

    async def run(self) -> None:
        """Take tasks until cancelled."""
        failures = 0
        await self._watched.synced.wait()
        while True:
            try:
                await self._look()
            except (BrokerUnavailable, ClusterError) as error:
                failures += 1
                if failures == 1 or str(error) != self.trouble:
                    logger.warning("tasks cannot be taken now", extra={"error": str(error)})
                self._lead(False if isinstance(error, BrokerUnavailable) else self.leads)
                self._metrics.broker_up.set(not isinstance(error, BrokerUnavailable))
                self.trouble = str(error)
                await asyncio.sleep(BACKOFF.wait_s(failures))
            else:
                failures, self.trouble = 0, ""
                await asyncio.sleep(LOOK_S if self.leads and self.slots() else FULL_S)

    async def release(self) -> None:
        """Let another door go on."""
        try:
            await self._queue.release(self._me)
        except BrokerUnavailable as error:
            logger.info("the lease runs out by itself", extra={"error": str(error)})

    async def _look(self) -> None:
        found = await self._queue.peek(self._me)
        self._metrics.broker_up.set(1)
        self._lead(found is not None)
        if time.monotonic() - self._counted_s > COUNT_S:
            self._counted_s = time.monotonic()
            for queue, length in (await self._queue.lengths()).items():
                self._metrics.queue_length.labels(queue=queue).set(length)
        if found:
            await self._take(found)

    def _lead(self, leads: bool) -> None:
        if leads != self.leads:
            logger.info("this door takes tasks" if leads else "another door takes tasks")
        self.leads = leads
        self._metrics.leads.set(leads)

    async def _take(self, found: Sequence[Waiting]) -> None:
        now = datetime.now(UTC)
        ours: list[tuple[Waiting, TaskMessage]] = []
        for waiting in found:
            try:
                ours.append((waiting, read_message(waiting.payload, self._settings.task, now)))
            except NotForUs as reason:
                self._metrics.foreign.inc()
                logger.debug("a message is left in its queue", extra={"why": str(reason)})
                await self._queue.hold(waiting, FOREIGN_S)
        self._note([waiting for waiting, _ in ours])
        ids = [message.id for _, message in ours]
        revoked, states = await self._queue.revoked_of(ids), await self._results.states_of(ids)
        taken: set[str] = set()
        for waiting, message in ours:
            decision = decide(
                message,
                "SUCCESS" if message.id in taken else states[message.id],
                is_revoked=message.id in revoked,
                now=now,
            )
            if isinstance(decision, Start) and not self.slots():
                continue  # those behind it may have been revoked, or have expired
            try:
                await self._carry_out(waiting, message, decision)
            except ResultRefused:
                logger.exception("a task's end cannot be written", extra=self._fields(waiting, message))
                await self._queue.hold(waiting, FOREIGN_S)
                continue
            if not isinstance(decision, Hold):
                taken.add(message.id)

    async def _carry_out(self, waiting: Waiting, message: TaskMessage, decision: Decision) -> None:
        match decision:
            case Start():
                await self._start(waiting, message, decision)
            case Fail(failure):
                await self._fail(waiting, message, failure)
            case Revoke(reason):
                await self._results.revoked(message.id, message.request, reason)
                self._announce(message)
                self._end(waiting, message, "REVOKED", reason)
                expired = reason == "expired"
                self._send_event(
                    "task-revoked", uuid=message.id, terminated=False, signum=None, expired=expired
                )
            case Forget():
                logger.info("a task that has its result came again", extra=self._fields(waiting, message))
            case Hold(seconds):
                await self._queue.hold(waiting, seconds, message.id)
                return
        await self._queue.remove(waiting)
        self._seen_s.pop(waiting.digest, None)

    async def _start(self, waiting: Waiting, message: TaskMessage, start: Start) -> None:
        name = start.manifest["metadata"]["name"]
        kept = {**message.request, "kept_s": time.time(), "project_id": start.project_id}
        await self._queue.keep_request(message.id, kept)
        try:
            with self._watched.expecting(name):
                body, is_new = await self._runs.create(start.manifest)
        except (TaskRefused, NameTaken) as refused:
            failure = invalid(refused) if isinstance(refused, TaskRefused) else _taken(refused)
            await self._fail(waiting, message, failure)
            await self._queue.forget_request(message.id)
            return
        if not is_new:
            self._watched.expect_no_more(name)
            logger.info("a task came again", extra=self._fields(waiting, message))
            try:
                task = task_of(body)
            except (ValueError, KeyError, TypeError) as error:
                logger.warning("a GatherRun cannot be read", extra={"error": type(error).__name__})
                return
            await self._come_again(task)
            return
        self.processed += 1
        self._metrics.wait.labels(queue=waiting.queue).observe(self._waited_s(waiting))
        logger.info("task taken", extra=self._fields(waiting, message))
        self._announce(message)
        self._send_event("task-started", uuid=message.id)

    def _announce(self, message: TaskMessage) -> None:
        """Let those who look on know of the task, by whose name its other events go."""
        shown = {name: message.request.get(name) for name in ("root_id", "parent_id")}
        self._send_event(
            "task-received",
            uuid=message.id,
            name=message.name,
            args=message.request.get("argsrepr"),
            kwargs=message.request.get("kwargsrepr"),
            retries=message.request.get("retries", 0),
            eta=None,
            expires=None,
            **shown,
        )

    async def _fail(self, waiting: Waiting, message: TaskMessage, failure: TaskFailure) -> None:
        await self._results.failed(message.id, message.request, failure)
        self._announce(message)
        self._end(waiting, message, "FAILURE", failure.message)
        self._send_event("task-failed", uuid=message.id, exception=failure.message, traceback="")

    def _end(self, waiting: Waiting, message: TaskMessage, state: str, reason: str) -> None:
        self._metrics.ended(state)
        fields = self._fields(waiting, message) | {"state": state, "why": reason}
        logger.info("task ended before its start", extra=fields)

    def _fields(self, waiting: Waiting, message: TaskMessage) -> dict[str, Any]:
        return {
            "task_id": message.id,
            "task_name": message.name,
            "project_id": _project_of(message),
            "duration_ms": round(self._waited_s(waiting) * 1000),
            "retry_count": message.request.get("retries", 0),
        }

    def _waited_s(self, waiting: Waiting) -> float:
        """Return for how long the message has been seen in its queue."""
        now_s = time.monotonic()
        return now_s - self._seen_s.get(waiting.digest, now_s)

    def _note(self, waiting: Sequence[Waiting]) -> None:
        """Remember since when messages are seen."""
        now_s = time.monotonic()
        for each in waiting:
            self._seen_s.setdefault(each.digest, now_s)
        while len(self._seen_s) > SEEN_MAX:
            self._seen_s.popitem(last=False)


def _project_of(message: TaskMessage) -> str:
    """Return the project's id as it was sent, "" where none can be read."""
    try:
        data = message.data
    except TaskRefused:
        return ""
    given = (data.get("project_id") or data.get("projectId")) if isinstance(data, Mapping) else None
    return given[:PROJECT_MAX] if isinstance(given, str) else ""


def _taken(error: NameTaken) -> TaskFailure:
    details = {"failed_at_department": "", "completed_departments": [], "items_created_so_far": 0}
    return TaskFailure("NameTaken", str(error), details)
