"""The application's side of the Celery door: Celery's plain client, and the operator's part in a run."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx
import redis
from celery import Celery  # type: ignore[import-untyped]
from celery.result import AsyncResult  # type: ignore[import-untyped]

from gather_contracts import names
from tests.support.doors.doors_api import DoorsApi

LIMIT_S: Final = 60.0
POLL_S: Final = 0.05
PROJECT: Final = "507f1f77bcf86cd799439011"
DATA: Final[dict[str, Any]] = {"project_id": PROJECT, "user_id": "me", "max_iterations": 50}


class Client:
    """The application: Celery's plain client on a queue of the test's own, and the operator's part."""

    def __init__(self, redis_url: str, kubernetes: DoorsApi, queue: str) -> None:
        self.app: Any = Celery("application", broker=redis_url, backend=redis_url, set_as_current=False)
        self.app.conf.update(broker_connection_timeout=5, result_backend_thread_safe=True)
        self.app.backend.on_task_call = lambda *_: None  # subscribes; `get` does where it is used
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
            while True:
                # An API server that has just started may still say 429.
                with suppress(httpx.HTTPError):
                    if found := await asyncio.to_thread(holds):
                        return found
                await asyncio.sleep(POLL_S)

    async def state(self, result: Any, *states: str) -> Any:
        """Return the result once it is in one of these states."""
        await self.until(lambda: self.state_of(result.id) in states)
        return AsyncResult(result.id, app=self.app)

    def state_of(self, task_id: str) -> str:
        """Return the state that is stored, without what Celery keeps for each result that is asked for."""
        meta = self.redis.get(f"celery-task-meta-{task_id}")
        return str(json.loads(meta)["status"]) if meta else "PENDING"

    def close(self) -> None:
        """Close all connections; Celery leaves those of results open."""
        self.redis.close()
        backend = self.app.backend
        backend.result_consumer.stop()
        backend.result_consumer.subscribed_to.clear()  # else results that go later would connect once more
        backend.client.connection_pool.disconnect()
        self.app.close()

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
