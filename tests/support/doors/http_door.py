"""A door of tasks over HTTP in this process, on a free port, and its callers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from prometheus_client import generate_latest

from gather_bridge.http_door.door_settings import DoorSettings
from gather_bridge.http_door.http_app import HttpDoor
from gather_bridge.http_door.http_server import build_server
from gather_clients.issued_secrets import secret_hash
from tests.support.doors.doors_api import NAMESPACE
from tests.support.doors.settings_by_name import settings_by_name

PROJECT: Final = "507f1f77bcf86cd799439011"
OTHER_PROJECT: Final = "507f1f77bcf86cd799439012"
KEY: Final = "a-key-for-one-project"
OTHER_KEY: Final = "a-key-for-another-project"
SERVICE_KEY: Final = "a-key-for-all-projects"
WAIT_S: Final = 30
UNLIMITED: Final = {
    name: {"per_minute": 90_000, "burst": 90_000} for name in ("submit", "status", "cancel", "unknown")
}

ServeDoor = Callable[..., AbstractAsyncContextManager["ServedDoor"]]


def entry(name: str, key: str, *projects: str, **more: Any) -> dict[str, Any]:
    """Return an entry of the keys file."""
    return {"name": name, "sha256": secret_hash(key), "projects": list(projects), **more}


def write_keys(path: Path, *entries: dict[str, Any]) -> None:
    """Write a keys file."""
    path.write_text(json.dumps(list(entries)), encoding="utf-8")


def submission(**changed: Any) -> dict[str, Any]:
    """Return what the application sends."""
    return {
        "project_id": PROJECT,
        "task_type": "automated_gather_creation",
        "task_data": {"max_iterations": 20},
        "priority": 1,
        "metadata": {"user_id": "user-123"},
        **changed,
    }


class ServedDoor:
    """A running door, and calls to it."""

    def __init__(self, door: HttpDoor, port: int) -> None:
        self.door = door
        self.url = f"http://127.0.0.1:{port}"

    @property
    def metrics(self) -> str:
        """What it measures, in Prometheus' text format."""
        return generate_latest(self.door.metrics.registry).decode()

    async def call(
        self, method: str, path: str, body: Any = None, key: str | None = KEY, **headers: str
    ) -> httpx.Response:
        """Return the answer; `headers` are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**({"X-API-Key": key} if key else {}), **named}
        async with httpx.AsyncClient(timeout=WAIT_S) as client:
            return await client.request(method, f"{self.url}{path}", json=body, headers=sent)

    async def submit(
        self, key: str | None = KEY, idempotency_key: str = "", **changed: Any
    ) -> httpx.Response:
        """Submit a task as the application does."""
        named = {"Idempotency_Key": idempotency_key} if idempotency_key else {}
        return await self.call("POST", "/api/v1/tasks/submit", submission(**changed), key, **named)

    async def submitted(self, **changed: Any) -> str:
        """Return the id of a new task."""
        answer = await self.submit(**changed)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["task_id"])

    async def status(self, task_id: str, key: str | None = KEY) -> httpx.Response:
        """Ask for a task."""
        return await self.call("GET", f"/api/v1/tasks/{task_id}/status", key=key)

    async def until(self, task_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the task's status once it is so."""
        async with asyncio.timeout(WAIT_S):
            while True:
                body: dict[str, Any] = (await self.status(task_id)).json()
                if holds(body):
                    return body
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving_door(redis_url: str, keys_file: Path, **changed: Any) -> AsyncIterator[ServedDoor]:
    """Serve a door with the settings that are given until the block ends."""
    values = {
        "redis_url": redis_url,
        "namespace": NAMESPACE,
        "keys_file": keys_file,
        "host": "127.0.0.1",
        "port": 0,
        "drain_s": 0,
        **changed,
    }
    door = HttpDoor(settings_by_name(DoorSettings, values))
    server: Any = build_server(door)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(WAIT_S):
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
            assert door.watched is not None
            await door.watched.synced.wait()
        yield ServedDoor(door, int(server.servers[0].sockets[0].getsockname()[1]))
    finally:
        server.should_exit = True
        await task
