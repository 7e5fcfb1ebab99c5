"""Doors of tasks over HTTP, in front of a real API server and the session's real Redis."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gather_bridge.task_runs.run_calls import TaskRuns
from gather_contracts import names
from tests.support.doors.http_door import (
    KEY,
    OTHER_KEY,
    OTHER_PROJECT,
    PROJECT,
    SERVICE_KEY,
    ServedDoor,
    ServeDoor,
    entry,
    serving_door,
    write_keys,
)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Keys for one project each, and one for all."""
    path = tmp_path / "keys.json"
    write_keys(
        path,
        entry("app", KEY, PROJECT),
        entry("other", OTHER_KEY, OTHER_PROJECT),
        entry("service", SERVICE_KEY, "*"),
    )
    return path


@pytest.fixture
async def serve_door(task_runs: TaskRuns, redis: Redis, redis_url: str, keys_file: Path) -> ServeDoor:
    """Return a context manager that serves a door, about no GatherRun yet and with all limits unused."""
    used = [key async for key in redis.scan_iter(f"{names.DOOR_LIMITS}*")]
    if used:
        await redis.unlink(*used)
    return partial(serving_door, redis_url, keys_file)


@pytest.fixture
async def door(serve_door: ServeDoor) -> AsyncIterator[ServedDoor]:
    """A door with the usual settings."""
    async with serve_door() as served:
        yield served
