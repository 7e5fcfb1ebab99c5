"""Limits per key at several doors, with and without Redis; and no key in another's way."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.service_process import ServiceProcess
from gather_contracts import names
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import (
    KEY,
    PROJECT,
    SERVICE_KEY,
    UNLIMITED,
    WAIT_S,
    ServedDoor,
    ServeDoor,
    entry,
    write_keys,
)
from tests.support.events.redis_servers import stopped

FEW = {"submit": {"per_minute": 1, "burst": 3}, "status": {"per_minute": 60, "burst": 5}}


@pytest.fixture
def few(keys_file: Path) -> None:
    """Let one key send little, and the other as much as it likes."""
    write_keys(
        keys_file,
        entry("app", KEY, PROJECT, limits=FEW),
        entry("service", SERVICE_KEY, "*", limits=UNLIMITED),
    )


@contextmanager
def killed(server: ServiceProcess) -> Iterator[None]:
    """Have it gone at once while the block lasts."""
    server.kill()
    try:
        yield
    finally:
        server.start()


def shared(door: ServedDoor) -> bool:
    """Whether this door counts with others."""
    return "\ngather_door_limits_shared 1.0" in door.metrics


@pytest.mark.usefixtures("few")
async def test_two_doors_count_a_key_together(serve_door: ServeDoor) -> None:
    """Exactly its burst; the answer says when to come again, and the other key is not concerned."""
    async with serve_door() as first, serve_door() as second:
        answers = [await door.submit() for door in (first, second) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 3
        refused = answers[-1]
        assert refused.json() | {"retry_after": 0} == {
            "error": "rate_limit_exceeded", "message": "Too many requests", "retry_after": 0, "limit": 1,
            "window": "1 minute",
        }  # fmt: skip
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining"] == "0"
        task_id = answers[0].json()["task_id"]
        polls = [await second.status(task_id) for _ in range(2)]
        assert [poll.status_code for poll in polls] == [200, 200]
        assert (await second.submit(key=SERVICE_KEY)).status_code == 201


@pytest.mark.usefixtures("few")
async def test_without_redis_each_door_counts_alone(
    serve_door: ServeDoor, redis_store: ServiceProcess
) -> None:
    """No request waits or fails for it, and none passes without being counted."""
    async with serve_door(redis_timeout_s=0.5) as door:
        with redis_store.absent():
            answers = [await door.submit() for _ in range(5)]
            assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 2
            assert not shared(door)
            assert (await door.call("GET", "/readyz")).status_code == 200
        async with asyncio.timeout(WAIT_S):
            while not shared(door):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)


async def test_what_nobody_knows_is_asked_for_less_often(serve_door: ServeDoor, keys_file: Path) -> None:
    """Each is a call of the API server; a task that is known may still be polled."""
    limits = {"unknown": {"per_minute": 1, "burst": 2}}
    write_keys(keys_file, entry("app", KEY, PROJECT, limits=limits))
    async with serve_door() as door:
        task_id = await door.submitted()
        await door.until(task_id, lambda body: "status" in body)
        guesses = [(await door.status(f"guess-{number}")).status_code for number in range(4)]
        assert guesses[-1] == 429
        assert set(guesses) == {404, 429}
        assert (await door.status(task_id)).status_code == 200


async def test_a_key_s_requests_that_hang_leave_room_for_another_s(
    serve_door: ServeDoor, kubernetes: DoorsApi, keys_file: Path
) -> None:
    """While the API server does not answer, one key has a quarter of what may be under way."""
    write_keys(
        keys_file,
        entry("app", KEY, PROJECT, limits=UNLIMITED),
        entry("service", SERVICE_KEY, "*", limits=UNLIMITED),
    )
    async with serve_door(max_requests=8, api_timeout_s=2) as door:
        known = await door.submitted()
        await door.until(known, lambda body: "status" in body)
        with stopped(kubernetes.process):
            hanging = [asyncio.create_task(door.submit()) for _ in range(6)]
            done, _ = await asyncio.wait(hanging, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status_code for task in done} == {503}
            assert (await door.status(known, key=SERVICE_KEY)).status_code == 200
            answers = await asyncio.gather(*hanging)
        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["retry-after"] for answer in answers)


async def test_keys_are_read_again_when_their_file_changes(door: ServedDoor, keys_file: Path) -> None:
    """A malformed file leaves those before in force."""
    assert (await door.submit()).status_code == 201
    write_keys(keys_file, "no entry")  # type: ignore[arg-type] # as somebody may write it
    door.door.keys._file._looked_at_s = 0
    assert (await door.submit()).status_code == 201
    write_keys(keys_file, entry("new", "another-key", PROJECT))
    door.door.keys._file._looked_at_s = 0
    assert (await door.submit()).status_code == 401
    assert (await door.submit(key="another-key")).status_code == 201


async def test_while_the_api_server_is_away_known_tasks_are_answered(
    serve_door: ServeDoor, kubernetes: DoorsApi
) -> None:
    """What needs it is 503 with a time to come again; it all goes on by itself."""
    async with serve_door(api_timeout_s=1) as door:
        task_id = await door.submitted()
        await door.until(task_id, lambda body: "status" in body)
        with killed(kubernetes.process):
            assert (await door.status(task_id)).json()["status"] == "queued"
            for answer in (
                await door.submit(),
                await door.call("DELETE", f"/api/v1/tasks/{task_id}"),
                await door.status("unknown"),
            ):
                assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
            assert (await door.call("GET", "/healthz")).status_code == 200
        async with asyncio.timeout(WAIT_S):
            while (await door.submit()).status_code != 201:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.1)
        kubernetes.put_status(task_id, {"phase": "Running", "startTime": "2026-11-29T08:00:01Z"})
        await door.until(task_id, lambda body: bool(body["status"] == "processing"))
    assert names.LABEL_DOOR in kubernetes.run(task_id)["metadata"]["labels"]
