"""Celery's revoke: before the start, after it, and while no door runs."""

import json
import uuid
from typing import Any

import pytest
from celery import Celery  # type: ignore[import-untyped]

from gather_bridge.celery_door.celery_door import CeleryDoor
from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.application.celery_consumer import celery_service
from tests.support.doors.celery_client import Client
from tests.support.doors.played_statuses import CANCELLED, DONE, RUNNING

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


async def listening(client: Client, door: CeleryDoor) -> None:
    """Wait until a broadcast reaches the door."""
    await client.until(door.remote.is_listening.is_set)


async def test_a_task_that_waits_is_revoked_and_has_no_run(client: Client, new_door: Door) -> None:
    async with new_door(runs_max=1) as door:
        first, second = client.send(), client.send()
        await client.run_of(first)
        await listening(client, door)
        second.revoke()
        await client.state(second, "REVOKED")
        await client.until(lambda: client.waiting() == 0)
    assert [run["metadata"]["name"] for run in client.kubernetes.runs()] == [first.id]


async def test_a_run_is_cancelled_and_keeps_what_it_made(client: Client, door: CeleryDoor) -> None:
    """With `terminate` or without; REVOKED comes once the operator has ended the run."""
    await listening(client, door)
    result = client.send()
    await client.play(result, RUNNING)
    result.revoke(terminate=True, signal="SIGTERM")
    await client.until(lambda: client.kubernetes.run(result.id)["spec"].get("cancel"))
    await client.play(result, CANCELLED)
    revoked = await client.state(result, "REVOKED")
    assert "15 items are kept" in str(revoked.result)


async def test_a_run_that_ends_well_in_spite_of_it_is_a_success(client: Client, door: CeleryDoor) -> None:
    await listening(client, door)
    result = client.send()
    await client.run_of(result)
    result.revoke()
    await client.until(lambda: client.kubernetes.run(result.id)["spec"].get("cancel"))
    await client.play(result, DONE)
    await client.state(result, "SUCCESS")


async def test_a_revoke_is_remembered_by_the_doors_that_follow(client: Client, new_door: Door) -> None:
    """It came before its task did, as it may."""
    task_id = str(uuid.uuid4())
    async with new_door() as door:
        await listening(client, door)
        client.app.control.revoke(task_id)
        await client.until(lambda: client.redis.zscore(names.CELERY_REVOKED, task_id) is not None)
    async with new_door():
        await client.state(client.send(task_id=task_id), "REVOKED")
    assert client.kubernetes.runs() == []


async def test_a_revoked_state_in_the_result_backend_counts(client: Client, new_door: Door) -> None:
    """What a client can do that needs nobody to listen: before the start, and after it."""
    early = client.send()
    client.app.backend.mark_as_revoked(early.id, "cancelled by the user")
    async with new_door() as door:
        await client.until(lambda: client.waiting() == 0)
        late = client.send()
        await client.run_of(late)
        await client.state(late, "STARTED")
    client.app.backend.mark_as_revoked(late.id, "cancelled by the user")
    async with new_door() as door:
        await client.until(lambda: client.kubernetes.run(late.id)["spec"].get("cancel"))
        await client.play(late, CANCELLED)
        await client.until(lambda: not door.watched.tasks)
    assert (await client.state(late, "REVOKED")).result.args == ("cancelled by the user",)
    assert [run["metadata"]["name"] for run in client.kubernetes.runs()] == [late.id]


@pytest.mark.long
async def test_a_revoke_while_no_door_runs_is_learnt_from_another_worker(
    client: Client, new_door: Door, redis_url: str, tmp_path: Any
) -> None:
    """Workers remember revokes, mark what waits as revoked, and answer `hello` with them."""
    async with new_door():
        running = client.send()
        await client.run_of(running)
        await client.state(running, "STARTED")
    other = Celery("other", broker=redis_url, set_as_current=False)
    service = celery_service(tmp_path, redis_url, queue=f"{client.queue}-evaluations")
    with service.running():

        def is_remembered() -> bool:
            running.revoke()  # again: a worker that has just begun may not listen yet
            return running.id in _remembered(other)

        await client.until(is_remembered)
        async with new_door():
            await client.until(lambda: client.kubernetes.run(running.id)["spec"].get("cancel"))
    other.close()


def _remembered(app: Any) -> list[str]:
    replies = app.control.inspect(timeout=1).revoked() or {}
    return [task_id for ids in replies.values() for task_id in ids]


async def test_a_deleted_run_is_a_revoked_task(client: Client, new_door: Door) -> None:
    """While a door looks on, and while none does."""
    async with new_door():
        seen = client.send()
        await client.run_of(seen)
        await client.state(seen, "STARTED")
        client.kubernetes.delete(seen.id)
        await client.state(seen, "REVOKED")
        unseen = client.send()
        await client.run_of(unseen)
        await client.state(unseen, "STARTED")
    client.kubernetes.delete(unseen.id)
    # Some minutes ago: before that the run may still be about to be made.
    kept = json.loads(client.redis.hget(names.CELERY_REQUESTS, unseen.id))
    client.redis.hset(names.CELERY_REQUESTS, unseen.id, json.dumps({**kept, "kept_s": kept["kept_s"] - 300}))
    async with new_door():
        await client.state(unseen, "REVOKED")
