"""The Celery door's parts, put together, and its probes."""

import asyncio
import logging
import secrets
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from fastapi import FastAPI

from gather_bridge.celery_door.celery_events import CeleryEvents
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.celery_door.remote_control import Panel, RemoteControl
from gather_bridge.celery_door.reporter import Reporter
from gather_bridge.celery_door.taker import Taker
from gather_bridge.celery_door.task_queue import REVOKED_MAX, BrokerUnavailable, TaskQueue
from gather_bridge.celery_door.task_results import TaskResults
from gather_bridge.task_runs.run_calls import TaskRuns, open_task_runs
from gather_clients.background_tasks import ProcessTasks
from gather_clients.kube_api.cluster_errors import ClusterError
from gather_clients.web.plain_probes import add_probes
from gather_contracts import names

logger = logging.getLogger(__name__)

DROPPED: Final = "a Celery worker on the same queue does not know the task and drops it (docs/doors.md)"
AGAIN_S: Final = 1.0


class CeleryDoor:
    """Everything that one process needs."""

    def __init__(self, settings: CelerySettings, runs: TaskRuns, metrics: CeleryMetrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.hostname = f"{names.CELERY_DOOR}@{settings.node_name or socket.gethostname()}"
        self._loop = asyncio.get_running_loop()
        self._revoked: OrderedDict[str, None] = OrderedDict()
        self._unkept: set[str] = set()
        """Revoked ids that Redis does not have yet."""
        self._came = asyncio.Event()
        self._tasks = ProcessTasks()
        self._runs = runs
        self._queue = TaskQueue(
            settings.broker, settings.redis_timeout_s, settings.queues, settings.broker_options, settings.task
        )
        self._results = TaskResults(settings, self.hostname)
        self.reporter = Reporter(
            settings.task,
            self.hostname,
            queue=self._queue,
            runs=runs,
            results=self._results,
            metrics=metrics,
            leads=lambda: self.taker.leads,
            send_event=self._send_event,
            result_expires_s=settings.result_expires_s,
        )
        self.watched = self.reporter.watched
        self.taker = Taker(
            settings,
            me=f"{self.hostname}/{secrets.token_hex(4)}",
            queue=self._queue,
            runs=runs,
            watched=self.watched,
            results=self._results,
            metrics=metrics,
            send_event=self._send_event,
            come_again=self.reporter.write_again,
        )
        self.panel = Panel(
            settings,
            self.hostname,
            on_revoked=self._revoke_soon,
            revoked=lambda: list(self._revoked),
            active=self._active,
        )
        self.remote = RemoteControl(self.panel, self._warn_of)
        self.events = CeleryEvents(self.remote.send_event, metrics.events_dropped.inc)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks until the block ends."""
        works = {
            "watch": self.watched.run(),
            "taker": self.taker.run(),
            "reporter": self.reporter.run(),
            "revokes": self._keep_revoked(),
        }
        self._tasks.start(works)
        self.remote.start()
        self.events.start()
        try:
            yield
        finally:
            await self._tasks.end()
            await self.taker.release()
            await asyncio.to_thread(self.events.close)
            await asyncio.to_thread(self.remote.close)
            await self._results.close()
            await self._queue.close()
            await self._runs.close()

    def broken(self) -> str:
        """Return which task has ended although none should, "" if none has."""
        return self._tasks.trouble() or ""

    def waits_for(self) -> str:
        """Return why tasks are not taken or their results not written, "" if they are."""
        if not self.watched.synced.is_set():
            return f"waiting for the Kubernetes API: {self.watched.trouble}"
        return self.taker.trouble or self.reporter.trouble or self.watched.trouble

    def _active(self) -> Sequence[dict[str, Any]]:
        """Return the active tasks as Celery's `inspect active` shows them; called in another thread."""
        self.panel.processed = self.taker.processed
        if not self.taker.leads:
            return []
        return [
            {
                "id": task.id, "name": self.settings.task, "args": [], "type": self.settings.task,
                "kwargs": {"project_id": task.project_id}, "hostname": self.hostname, "acknowledged": True,
                "time_start": None, "worker_pid": None,
                "delivery_info": {"routing_key": self.settings.queues[0]},
            }
            for task in self.reporter.active()
        ]  # fmt: skip

    def _send_event(self, kind: str, **fields: Any) -> None:
        """Send an event without waiting for it."""
        self.events.put(kind, fields)

    def _warn_of(self, droppers: Sequence[str]) -> None:
        self.metrics.droppers.set(len(droppers))
        if droppers:
            logger.warning(DROPPED, extra={"workers": list(droppers), "queues": list(self.settings.queues)})

    def _revoke_soon(self, ids: Sequence[str]) -> None:
        """Hear of revoked ids in another thread."""
        new = [each for each in ids if each not in self._revoked]
        if new:
            self._loop.call_soon_threadsafe(self._note_revoked, new)

    def _note_revoked(self, ids: Sequence[str]) -> None:
        self._revoked.update(dict.fromkeys(ids))
        while len(self._revoked) > REVOKED_MAX:
            self._revoked.popitem(last=False)
        self._unkept.update(ids)
        self._came.set()

    async def _keep_revoked(self) -> None:
        """Keep revoked ids in Redis, where every door finds them, and cancel their runs at once."""
        with suppress(BrokerUnavailable):
            self._revoked.update(dict.fromkeys(await self._queue.all_revoked()))
        while True:
            await self._came.wait()
            self._came.clear()
            ids = list(self._unkept)
            try:
                await self._queue.remember_revoked(ids)
                await self.reporter.cancel(ids)
                self._unkept.difference_update(ids)
            except (BrokerUnavailable, ClusterError) as error:
                logger.warning("a revoke is carried out later", extra={"error": str(error)})
                await asyncio.sleep(AGAIN_S)
                self._came.set()


def build_celery_app(settings: CelerySettings, metrics: CeleryMetrics) -> FastAPI:
    """Return the probes; its lifespan is the door's, at `state.door`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runs = await open_task_runs(settings.namespace, settings.api_timeout_s, metrics.api_errors)
        app.state.door = door = CeleryDoor(settings, runs, metrics)
        async with door.running():
            yield

    app = FastAPI(title="Gather Celery door", lifespan=lifespan, openapi_url=None, docs_url=None)

    def door_now() -> CeleryDoor:
        found: CeleryDoor = app.state.door  # there since the application has started
        return found

    add_probes(app, trouble=lambda: door_now().broken(), waits_for=lambda: door_now().waits_for())
    return app
