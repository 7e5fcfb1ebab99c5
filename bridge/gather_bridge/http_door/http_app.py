"""The HTTP door's parts, put together: calls, watch, callbacks, limits, and the application before them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from gather_bridge.http_door import task_routes
from gather_bridge.http_door.callback_feed import CallbackFeed
from gather_bridge.http_door.door_document import PREFIX, TITLE, build_document
from gather_bridge.http_door.door_keys import DoorKeys
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_bridge.http_door.door_settings import DoorSettings
from gather_bridge.http_door.key_gate import SUBMIT_PATH, KeyGate, Places, RequestRecord, limit_shown
from gather_bridge.http_door.task_line import TaskLine
from gather_bridge.http_door.task_routes import Door
from gather_bridge.task_runs.run_calls import open_task_runs
from gather_bridge.task_runs.task_states import Task
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_bridge.webhooks.task_callbacks import TaskCallbacks
from gather_clients.background_tasks import ProcessTasks
from gather_clients.limits.buckets import Buckets, LocalBuckets
from gather_clients.limits.redis_buckets import RedisBuckets
from gather_clients.web import docs_routes, error_bodies
from gather_clients.web.plain_probes import add_probes
from gather_clients.web.request_frame import BodyLimit, Instrumentation, LastResort
from gather_clients.web.service_errors import ServiceError
from gather_contracts import names

EVERY_RUN: Final = ""
"""A selector: tasks of the other door and runs of kubectl can be asked for too."""


class HttpDoor:
    """Everything that one process of the door needs."""

    def __init__(self, settings: DoorSettings) -> None:
        """Raises ConfigurationError."""
        self.settings = settings
        self.keys = DoorKeys(settings.keys_file)
        self.metrics = DoorMetrics()
        self.is_draining = False
        self.watched: WatchedRuns | None = None
        self._tasks = ProcessTasks()

    @asynccontextmanager
    async def running(self, app: FastAPI, buckets: Buckets) -> AsyncIterator[None]:
        """Watch, and feed callbacks, until the block ends; raises ConfigurationError."""
        settings = self.settings
        runs = await open_task_runs(settings.namespace, settings.api_timeout_s, self.metrics.api_errors)
        callbacks = TaskCallbacks(settings.redis, settings.redis_timeout_s)
        feed, line = CallbackFeed(callbacks, runs, self.metrics), TaskLine()

        def changed(task: Task) -> None:
            line.note(task)
            feed.note(task)

        def gone(task: Task) -> None:
            line.leave(task)
            feed.note_gone(task)

        watched = self.watched = WatchedRuns(runs, EVERY_RUN, changed, gone)
        self.metrics.watch_stands(lambda: not watched.trouble)
        app.state.door = Door(
            runs, watched, line, buckets, self.metrics,
            places=Places(settings.max_requests // 4),
            allowed_networks=settings.webhook_allowed_networks,
        )  # fmt: skip
        works = {"watch": watched.run(), "callbacks": feed.run()}
        self._tasks.start(works)
        try:
            yield
        finally:
            await self._tasks.end()
            for closing in (callbacks, buckets, runs):
                await closing.close()

    def trouble(self) -> str | None:
        """Return which task has ended although none should, or None."""
        return self._tasks.trouble()

    def waits_for(self) -> str | None:
        """Return why no request should come here now, or None."""
        if self.is_draining:
            return "ending"
        if self.watched is None or not self.watched.synced.is_set():
            return f"waiting for the Kubernetes API: {self.watched.trouble if self.watched else ''}"
        return None

    def drain(self) -> None:
        """Fail the readiness probe from now on."""
        self.is_draining = True


def build_app(door: HttpDoor) -> FastAPI:
    """Return the application; its lifespan is the door's."""
    settings, metrics = door.settings, door.metrics
    shared = RedisBuckets(settings.redis, settings.redis_timeout_s, prefix=names.DOOR_LIMITS)
    buckets = Buckets(shared, LocalBuckets(), metrics.limits_shared.set)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with door.running(app, buckets):
            yield

    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[
            Middleware(Instrumentation, record=RequestRecord(metrics), limit_of=limit_shown),
            Middleware(LastResort, max_requests=settings.max_requests),
            Middleware(
                KeyGate,
                caller_of=door.keys.caller_of,
                buckets=buckets,
                metrics=metrics,
                max_requests=settings.max_requests,
            ),
            Middleware(
                BodyLimit,
                endpoints=[SUBMIT_PATH],
                max_bytes=settings.max_body_bytes,
                timeout_s=settings.body_timeout_s,
            ),
        ],
        exception_handlers={
            ServiceError: error_bodies.on_service_error,
            HTTPException: error_bodies.on_http_error,
            RequestValidationError: error_bodies.on_invalid_request,
        },
    )
    app.include_router(task_routes.router, prefix=PREFIX)
    app.include_router(docs_routes.build_router(build_document(), TITLE), prefix=PREFIX)
    add_probes(app, trouble=door.trouble, waits_for=door.waits_for)
    return app
