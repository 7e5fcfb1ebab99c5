"""A Celery door in this process, before a real Redis and a real API server, and the application's client."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from celery import Celery  # type: ignore[import-untyped]
from celery.result import AsyncResult  # type: ignore[import-untyped]
from fastapi import FastAPI

from gather_bridge.celery_door.celery_door import CeleryDoor, build_celery_app
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_contracts import names
from tests.support.kubernetes.doors_api import NAMESPACE, DoorsApi

LIMIT_S = 20.0
PROJECT = "507f1f77bcf86cd799439011"
DATA = {"project_id": PROJECT, "user_id": "me", "max_iterations": 50}


class Client:
    """The application: Celery's plain client on a queue of the test's own, and the operator's part."""

    def __init__(self, redis_url: str, kubernetes: DoorsApi, queue: str) -> None:
        self.app: Any = Celery("application", broker=redis_url, backend=redis_url, set_as_current=False)
        self.app.conf.broker_connection_timeout = 5
        self.kubernetes = kubernetes
        self.queue = queue
        self.redis: Any = redis.Redis.from_url(redis_url)

    def send(self, *args: Any, **options: Any) -> Any:
        """Send the task as the requirements do."""
        given = {"args": list(args) or [DATA], "queue": self.queue, "priority": 1, **options}
        return self.app.send_task(names.GATHER_TASK, **given)

    def waiting(self) -> int:
        """Return how many messages wait at the highest priority."""
        return int(self.redis.llen(self.queue))

    async def until(self, holds: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
        """Return what holds, once it does."""
        async with asyncio.timeout(limit_s):
            while not (found := await asyncio.to_thread(holds)):
                await asyncio.sleep(0.05)
        return found

    async def state(self, result: Any, *states: str) -> Any:
        """Return the result once it is in one of these states."""
        await self.until(lambda: AsyncResult(result.id, app=self.app).state in states)
        return AsyncResult(result.id, app=self.app)

    async def run_of(self, result: Any) -> dict[str, Any]:
        """Return the task's GatherRun once it exists."""
        name = names.task_run_name(result.id)
        found = await self.until(lambda: [r for r in self.kubernetes.runs() if r["metadata"]["name"] == name])
        return dict(found[0])

    async def play(self, result: Any, *statuses: dict[str, Any]) -> None:
        """Write these statuses to the task's run, one after the other."""
        run = await self.run_of(result)
        for status in statuses:
            await asyncio.to_thread(self.kubernetes.put_status, run["metadata"]["name"], status)


Door = Callable[..., Any]


@pytest.fixture
def client(redis_url: str, kubernetes: DoorsApi) -> Iterator[Client]:
    kubernetes.clear()
    made = Client(redis_url, kubernetes, f"test-{uuid.uuid4().hex[:8]}")
    # Doors of one Redis share one lease: a test that was interrupted must not hold up the next.
    made.redis.delete(names.CELERY_LEASE)
    yield made
    made.redis.delete(made.queue, names.CELERY_REQUESTS, names.CELERY_LEASE)
    made.redis.close()
    made.app.close()


@pytest.fixture
def new_door(redis_url: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return what runs a door while its block lasts; settings may be given."""
    monkeypatch.setenv("KUBECONFIG", str(client.kubernetes.kubeconfig))

    @asynccontextmanager
    async def running(**given: Any) -> AsyncIterator[CeleryDoor]:
        settings = CelerySettings.model_validate(
            {
                "redis_url": redis_url,
                "namespace": NAMESPACE,
                "queues": (client.queue,),
                "node_name": f"gather-door@{uuid.uuid4().hex[:6]}",
                **given,
            }
        )
        app: FastAPI = build_celery_app(settings)
        async with app.router.lifespan_context(app):
            door: CeleryDoor = app.state.door
            yield door

    return running


@pytest.fixture
async def door(new_door: Door) -> AsyncIterator[CeleryDoor]:
    async with new_door() as made:
        yield made


Wait = Callable[[], Awaitable[Any]]
