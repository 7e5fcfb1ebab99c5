"""Writes what a door's runs have come to into the result backend: the door that leads, from the watch."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.task_decisions import DOOR
from gather_bridge.celery_door.task_queue import BrokerUnavailable, TaskQueue
from gather_bridge.celery_door.task_results import ResultRefused, TaskResults
from gather_bridge.task_runs.run_calls import TaskRuns
from gather_bridge.task_runs.task_states import Task, TaskFailure, TaskState, as_deleted, as_numbers
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterError, Conflict, Missing
from gather_contracts import names

logger = logging.getLogger(__name__)

SELECTOR: Final = f"{names.LABEL_DOOR}={DOOR},{names.LABEL_RESULT}!=written"
TICK_S: Final = 1.0
GONE_S: Final = 60.0
"""So long a door that does not lead remembers what has gone, should it lead soon."""
ORPHANED_S: Final = 60.0
"""After so long a task that was taken has a run, or it is deleted."""
GONE: Final = "its GatherRun was deleted"
REFUSED_S: Final = 60.0
FINISHED_MAX: Final = 5000
BACKOFF: Final = Backoff(0.5, 10.0, (0.5, 1.0))
FAILURES_MAX: Final = 3
"""After so many in one pass it is nobody's own trouble."""
WRITTEN: Final = {names.LABEL_RESULT: "written"}
UNAVAILABLE: Final = (BrokerUnavailable, ClusterError)


class Reporter:
    """The loop from GatherRuns to results."""

    def __init__(
        self,
        task_name: str,
        hostname: str,
        *,
        queue: TaskQueue,
        runs: TaskRuns,
        results: TaskResults,
        metrics: CeleryMetrics,
        leads: Callable[[], bool],
        send_event: Callable[..., None],
        result_expires_s: float,
    ) -> None:
        self._task_name = task_name
        self._hostname = hostname
        self._queue = queue
        self._runs = runs
        self._results = results
        self._metrics = metrics
        self._leads = leads
        self._send_event = send_event
        self.watched = WatchedRuns(runs, SELECTOR, self._changed, self._gone_away)
        self._requests: dict[str, dict[str, Any]] = {}
        self._shown: dict[str, tuple[tuple[str, dict[str, Any]], float]] = {}
        """What was last written of a run, and when."""
        self.rewrite_s = result_expires_s / 2
        """After so long a state is written again, unchanged: a run may wait for longer than it is kept."""
        self._retries: dict[str, int] = {}
        """Up to which attempt those of a run are counted, by this door or by those that led before."""
        self._refused_s: dict[str, float] = {}
        """Until when a run is left alone whose end cannot be written."""
        self._gone: dict[str, tuple[Task, float]] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._news = asyncio.Event()
        self._adopted_s = 0.0
        self.trouble = ""

    def active(self) -> list[Task]:
        """Return the tasks whose runs have not ended."""
        return [task for task in self.watched.tasks.values() if not task.state.is_final]

    async def run(self) -> None:
        """Write until cancelled."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            if not self.watched.synced.is_set():
                continue
            try:
                await self._pass()
            except UNAVAILABLE as error:
                failures += 1
                self.trouble = str(error)
                logger.warning("results cannot be written now", extra={"error": str(error)})
                await asyncio.sleep(BACKOFF.wait_s(failures))
            else:
                failures, self.trouble = 0, ""
                await asyncio.sleep(TICK_S / 4)  # several changes of a run are one write

    async def cancel(self, ids: Iterable[str]) -> None:
        """Cancel the runs of these tasks; raises ClusterError."""
        wanted = set(ids)
        for task in self.active():
            if task.id in wanted and not task.is_cancelling:
                try:
                    await self._runs.cancel(task.run)
                except Missing:
                    continue
                logger.info("run cancelled, its task was revoked", extra=self._fields(task))

    def _changed(self, _: Task) -> None:
        self._news.set()

    def _gone_away(self, task: Task) -> None:
        """Hear of a run that was deleted, or whose result is written."""
        if task.run_uid not in self._finished:
            self._gone[task.run] = (task, time.monotonic())
            self._news.set()

    async def _pass(self) -> None:
        if not self._leads():
            self._adopted_s = 0.0
            self._forget_gone()
            # Another door writes and counts meanwhile.
            self._shown.clear()
            self._retries.clear()
            return
        if time.monotonic() - self._adopted_s > ORPHANED_S:
            self._adopted_s = time.monotonic()
            await self._adopt()
        await self._cancel_revoked()
        await self._report_all()
        for name, (task, _) in list(self._gone.items()):
            try:
                await self._take_leave(task)
            except ResultRefused as error:
                self._put_aside(task, error)
            self._gone.pop(name, None)
        ages_s = [_age_s(task) for task in self.active()]
        self._metrics.oldest.set(max(ages_s, default=0))

    async def _report_all(self) -> None:
        failed: list[BrokerUnavailable | ClusterError] = []
        for task in list(self.watched.tasks.values()):
            if self._refused_s.get(task.run_uid, 0) > time.monotonic():
                continue
            try:
                await self._report(task)
            except ResultRefused as error:
                self._put_aside(task, error)
            except UNAVAILABLE as error:
                failed.append(error)  # it may be this task's own trouble: the others do not wait for it
            if len(failed) >= FAILURES_MAX:
                break
        if failed:
            raise failed[-1]

    def _put_aside(self, task: Task, error: ResultRefused) -> None:
        """Leave a task alone for a while: it is its own trouble, and the others go on."""
        logger.error("a task's end cannot be written", extra=self._fields(task), exc_info=error)
        now_s = time.monotonic()
        self._refused_s = {uid: until_s for uid, until_s in self._refused_s.items() if until_s > now_s}
        self._refused_s[task.run_uid] = now_s + REFUSED_S

    async def _report(self, task: Task) -> None:
        if task.run_uid in self._finished or _is_written(task):
            return
        self._count_retries(task)
        if task.state.is_final:
            await self._end(task)
            return
        request = await self._request(task)
        await self._keep_limit(task, request)
        meta = {**as_numbers(task.progress), "project_id": task.project_id, "run": task.run}
        shown = ("STARTED" if task.state is TaskState.QUEUED else "PROGRESS", meta)
        last, written_s = self._shown.get(task.run, (None, 0.0))
        if last == shown and time.monotonic() - written_s < self.rewrite_s:
            return
        try:
            if shown[0] == "STARTED":
                await self._results.started(task.id, request, {**meta, "hostname": self._hostname})
            else:
                await self._results.progress(task.id, request, meta)
        except ResultRefused:
            logger.exception("a task's progress cannot be written", extra=self._fields(task))
        self._shown[task.run] = (shown, time.monotonic())

    async def _end(self, task: Task, *, is_there: bool = True) -> None:
        """Write the end, then say on the run that it is written."""
        state = await self._write(task)
        if is_there:
            await self._mark(task)
        await self._queue.forget_request(task.id)
        self._remember(task, state)

    async def write_again(self, task: Task) -> None:
        """Write again what has become of a task that came again; its result may have gone meanwhile.

        A run whose end was written is out of the watch's sight. Nothing is counted a second time. Raises
        BrokerUnavailable, and ResultRefused if no result can be written.
        """
        self._shown.pop(task.run, None)
        if task.state.is_final and _is_written(task):
            self._requests.pop(task.id, None)
            await self._write(task)
            self._requests.pop(task.id, None)
            await self._queue.forget_request(task.id)

    async def _write(self, task: Task) -> str:
        """Write the end, without what follows it where that is malformed; return the state."""
        try:
            return await self._write_with(task, await self._request(task))
        except ResultRefused:
            logger.exception("what follows a task cannot be sent", extra=self._fields(task))
            return await self._write_with(task, {"id": task.id, "task": self._task_name})

    async def _write_with(self, task: Task, request: dict[str, Any]) -> str:
        limit = task.annotations.get(names.ANNOTATION_TIME_LIMIT)
        if task.state is TaskState.COMPLETED and task.result is not None:
            await self._results.succeeded(task.id, request, task.result)
            return "SUCCESS"
        if task.state is TaskState.CANCELLED and limit is None:
            kept = task.progress.items_created
            await self._results.revoked(task.id, request, f"cancelled; {kept} items are kept")
            return "REVOKED"
        await self._results.failed(task.id, request, _failure(task, limit))
        return "FAILURE"

    async def _mark(self, task: Task) -> None:
        try:
            await self._runs.mark(task.run, task.run_uid, labels=WRITTEN)
        except (Missing, Conflict):
            logger.debug("the run has gone", extra=self._fields(task))

    def _remember(self, task: Task, state: str) -> None:
        self._finished[task.run_uid] = None
        while len(self._finished) > FINISHED_MAX:
            self._finished.popitem(last=False)
        self._requests.pop(task.id, None)
        for memory in (self._shown, self._retries):
            memory.pop(task.run, None)
        duration_s = _age_s(task)
        self._metrics.ended(state)
        self._metrics.duration.observe(duration_s)
        logger.info("task ended", extra=self._fields(task) | {"state": state})
        failure = task.failure
        match state:
            case "SUCCESS":
                self._send_event(
                    "task-succeeded", uuid=task.id, result=repr(task.result)[:500], runtime=duration_s
                )
            case "REVOKED":
                self._send_event("task-revoked", uuid=task.id, terminated=True, signum="TERM", expired=False)
            case _:
                shown = failure.message if failure is not None else ""
                self._send_event("task-failed", uuid=task.id, exception=shown, traceback="")

    async def _take_leave(self, task: Task) -> None:
        """Find out whether a run that is out of sight was deleted before its end was written."""
        if task.run_uid in self._finished:
            return
        try:
            body = await self._runs.get(task.run)
        except Missing:
            await self._end(as_deleted(task), is_there=False)
            return
        if body["metadata"]["uid"] != task.run_uid:
            await self._end(as_deleted(task), is_there=False)

    def _forget_gone(self) -> None:
        until_s = time.monotonic() - GONE_S
        self._gone = {name: each for name, each in self._gone.items() if each[1] > until_s}

    async def _adopt(self) -> None:
        """Look after tasks whose runs were deleted while no door led; at the beginning, and now and then."""
        known = {
            task.id for task in (*self.watched.tasks.values(), *(task for task, _ in self._gone.values()))
        }
        for task_id in await self._queue.tasks_with_requests():
            if task_id in known:
                continue
            request = await self._queue.request_of(task_id)
            if request is None or time.time() - float(request.get("kept_s") or 0) < ORPHANED_S:
                continue
            try:
                if _is_owed(await self._runs.get(names.task_run_name(task_id)), task_id):
                    continue  # the watch has not brought it yet
            except Missing:
                try:
                    await self._results.revoked(task_id, request, GONE)
                    self._metrics.ended("REVOKED")
                    fields = self._fields_of(request) | {"state": "REVOKED", "why": GONE}
                    logger.info("task ended", extra=fields)
                except ResultRefused:
                    logger.exception("a task's end cannot be written", extra={"task_id": task_id})
            await self._queue.forget_request(task_id)

    async def _cancel_revoked(self) -> None:
        """Cancel what was revoked, by a command that any door heard or in the result backend."""
        ids = [task.id for task in self.active() if not task.is_cancelling]
        if not ids:
            return
        revoked = await self._queue.revoked_of(ids)
        states = await self._results.states_of(ids)
        await self.cancel(revoked | {task_id for task_id, state in states.items() if state == "REVOKED"})

    async def _keep_limit(self, task: Task, request: dict[str, Any]) -> None:
        """Cancel a run that takes longer than its sender allows: it saves what it has, as after SIGTERM."""
        limits = [
            each for each in request.get("timelimit") or () if isinstance(each, int | float) and each > 0
        ]
        if not limits or task.is_cancelling or _age_s(task) < min(limits):
            return
        note = {names.ANNOTATION_TIME_LIMIT: str(min(limits))}
        try:
            await self._runs.mark(task.run, task.run_uid, annotations=note)
            await self._runs.cancel(task.run)
        except (Missing, Conflict):
            return
        logger.info("run cancelled, its task's time limit is over", extra=self._fields(task))

    async def _request(self, task: Task) -> dict[str, Any]:
        if task.id not in self._requests:
            kept = await self._queue.request_of(task.id)
            # Without Redis' data there are no callbacks, but there is a result.
            self._requests[task.id] = kept or {"id": task.id, "task": self._task_name}
        return self._requests[task.id]

    def _count_retries(self, task: Task) -> None:
        """Count what has been added since this door first saw the run: the rest was counted by another."""
        count = task.progress.retry_count
        self._metrics.retries.inc(max(count - self._retries.get(task.run, count), 0))
        self._retries[task.run] = count

    def _fields(self, task: Task) -> dict[str, Any]:
        return {
            "task_id": task.id,
            "task_name": self._task_name,
            "project_id": task.project_id,
            "duration_ms": round(_age_s(task) * 1000),
            "retry_count": task.progress.retry_count,
        }

    def _fields_of(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return those of a task whose run has gone."""
        return {
            "task_id": request.get("id"),
            "task_name": self._task_name,
            "project_id": request.get("project_id", ""),
            "duration_ms": round((time.time() - float(request.get("kept_s") or 0)) * 1000),
            "retry_count": request.get("retries", 0),
        }


def _is_written(task: Task) -> bool:
    """Return whether a door has written its end: a watch that begins again may bring it once more."""
    return task.labels.get(names.LABEL_RESULT) == WRITTEN[names.LABEL_RESULT]


def _failure(task: Task, limit: str | None) -> TaskFailure:
    """Return why there is no result."""
    details = task.failure.details if task.failure is not None else {}
    if limit is not None and task.state is TaskState.CANCELLED:
        message = f"The task's time limit of {limit} s is over; what was made is kept."
        return TaskFailure("TimeLimitExceeded", message, details)
    return task.failure or TaskFailure("Unknown", "", details)


def _is_owed(body: Mapping[str, Any], task_id: str) -> bool:
    """Return whether a run is this task's, of this kind of door, and its end is not written."""
    metadata = body["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    is_its_own = annotations.get(names.ANNOTATION_TASK_ID, metadata["name"]) == task_id
    return is_its_own and labels.get(names.LABEL_DOOR) == DOOR and names.LABEL_RESULT not in labels


def _age_s(task: Task) -> float:
    """Return the seconds from the run's making to its end or to now."""
    end = datetime.fromisoformat(task.ended_at) if task.ended_at else datetime.now(UTC)
    return max((end - datetime.fromisoformat(task.created_at)).total_seconds(), 0.0)
