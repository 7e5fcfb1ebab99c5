"""Callers of the release from outside: of the brain, many at once; of the doors, as an application does."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import httpx
import redis
from celery import Celery  # type: ignore[import-untyped]

from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, new_project

DOOR: Final = "gather-http-door"
ANSWER_S: Final = 60
NOTHING_HAPPENS: Final = nullcontext()
Ask = Callable[[httpx.Client, str], httpx.Response]


def write(client: httpx.Client, project: str) -> httpx.Response:
    """Ask for one node to be written."""
    node = {"type": "GatherItem", "content": f"A lamp that nobody lit. {new_project()}", "projectId": project}
    return client.post("nodes/batch", json={"nodes": [node]})


def search(client: httpx.Client, project: str) -> httpx.Response:
    """Ask for duplicates."""
    return client.post(
        "search/duplicates", json={"content": "A lamp that somebody lit.", "projectId": project}
    )


def context(client: httpx.Client, project: str) -> httpx.Response:
    """Ask for what the story department needs to know."""
    return client.get("context/department", params={"projectId": project, "department": "story"})


def coverage(client: httpx.Client, project: str) -> httpx.Response:
    """Ask how much of a department one note covers."""
    body = {
        "projectId": project, "department": "story", "departmentDescription": "What happens, and why.",
        "gatherItems": [{"content": "A lamp burns in a house where nobody lives."}],
    }  # fmt: skip
    return client.post("analyze/coverage", json=body)


ASKED: Final[tuple[tuple[Ask, float], ...]] = ((write, 9), (search, 3), (context, 3), (coverage, 5))
"""Each kind of call, and after how many seconds an answer is more than twice as late as promised."""


class BrainCalls:
    """Calls of the brain with one key, about a project that has a node."""

    def __init__(self, gather: DeployedGather, key: str) -> None:
        self._gather = gather
        self._headers = {"Authorization": f"Bearer {key}"}
        self._project = new_project()

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Yield an HTTP client of the API."""
        with (
            self._gather.forward("gather-brain", 8080) as port,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}/api/v1/", headers=self._headers, timeout=ANSWER_S
            ) as client,
        ):
            yield client

    def begin(self) -> None:
        """Make the project."""
        with self.client() as client:
            write(client, self._project).raise_for_status()

    def many(
        self, asks: Ask, count: int, during: AbstractContextManager[None] = NOTHING_HAPPENS
    ) -> list[int]:
        """Return the statuses of so many calls at once, made while something happens."""
        with self.client() as client, during, ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: asks(client, self._project).status_code, range(count)))


class Tasks:
    """Tasks of the application, by both doors."""

    def __init__(self, gather: DeployedGather) -> None:
        self._gather = gather
        secret = json.loads(gather.kubectl("get", "secret", "gather-backing-bridge", "-o", "json"))
        key = base64.b64decode(secret["data"]["GATHER_BRIDGE_DOOR_KEY"]).decode()
        self._headers = {"X-API-Key": key}
        self.sent: list[str] = []
        """The names of all runs."""

    def send(self, count: int, **data: Any) -> list[str]:
        """Send tasks to the Celery door; return their ids, which are their runs' names."""
        with self.broker() as (url, _):
            app: Any = Celery("monitoring", broker=url, set_as_current=False)
            sent = []
            for _ in range(count):
                given = {"project_id": new_project(), "user_id": "e2e", "departments": ["story"], **data}
                task = app.send_task(names.GATHER_TASK, args=[given], queue="cpu_intensive", priority=1)
                sent.append(str(task.id))
            app.close()
        self.sent += sent
        return sent

    @contextmanager
    def broker(self) -> Iterator[tuple[str, Any]]:
        """Yield the broker's address and a client of it."""
        with self._gather.forward("gather-backing-redis", 6379) as port:
            url = f"redis://127.0.0.1:{port}/0"
            with redis.Redis.from_url(url) as client:
                yield url, client

    def submit(self, callback_url: str | None = None, **data: Any) -> httpx.Response:
        """Submit a task to the HTTP door."""
        body = {
            "project_id": new_project(), "task_type": "automated_gather_creation",
            "task_data": {"departments": ["story"], **data}, "priority": 1, "metadata": {"user_id": "e2e"},
            **({"callback_url": callback_url} if callback_url else {}),
        }  # fmt: skip
        with self._gather.forward(DOOR, 8080) as port:
            url = f"http://127.0.0.1:{port}/api/v1/tasks/submit"
            answer = httpx.post(url, json=body, headers=self._headers, timeout=ANSWER_S)
        if answer.is_success:
            self.sent.append(names.task_run_name(answer.json()["task_id"]))
        return answer

    def forget(self) -> None:
        """Delete the runs of all tasks."""
        for run in self.sent:
            self._gather.delete_run(run)
