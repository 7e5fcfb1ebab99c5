"""Beside other consumers of the same queue: neither destroys the other's messages."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.application.celery_consumer import celery_service, forget, received
from tests.support.doors.canvas_consumer import canvas_service
from tests.support.doors.celery_client import Client
from tests.support.doors.played_statuses import DONE

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
EVALUATION: dict[str, Any] = {
    "project_id": "0" * 24, "department_number": 1, "user_id": "me", "auto_triggered": True,
}  # fmt: skip
FOREIGN = (
    b"\x80\xff\x00 no text", b"", b"null", b"[]", b"7", b'"automated_gather_creation"', b"{" * 2000,
    b'{"headers": {"task": "automated_gather_creation"}}',
    b'{"headers": {"task": "automated_gather_creation", "id": 7}, "properties": []}',
    b'{"headers": [], "body": "automated_gather_creation"}',
    b'{"body": "e30=", "properties": {"body_encoding": "base64"}, "content-type": "application/json"}',
)  # fmt: skip


async def test_evaluations_are_left_as_they_lie(client: Client, new_door: Door) -> None:
    """Not one byte of them moves, and a task of ours behind three hundred of them is found."""
    for number in range(300):
        client.app.send_task(names.EVALUATION_TASK, kwargs={**EVALUATION, "n": number}, queue=client.queue)
    before = client.redis.lrange(client.queue, 0, -1)
    async with new_door():
        result = client.send()
        await client.run_of(result)
        await client.until(lambda: client.waiting() == 300)
        assert client.redis.lrange(client.queue, 0, -1) == before


async def test_ours_is_found_behind_more_than_one_look_passes_over(client: Client, new_door: Door) -> None:
    """Three thousand messages of others, of which one look takes in two thousand."""
    client.app.send_task(names.EVALUATION_TASK, kwargs=EVALUATION, queue=client.queue)
    (evaluation,) = client.redis.lrange(client.queue, 0, -1)
    client.redis.lpush(client.queue, *[evaluation] * 2999)
    result = client.send()
    async with new_door():
        await client.run_of(result)
        await client.until(lambda: client.waiting() == 3000)


async def test_what_is_no_task_is_left_and_nothing_stops(client: Client, new_door: Door) -> None:
    client.redis.lpush(client.queue, *FOREIGN)
    async with new_door() as door:
        await client.run_of(client.send())
        # The run is there before its message is gone.
        await client.until(lambda: client.redis.lrange(client.queue, 0, -1) == list(reversed(FOREIGN)))
        assert door.broken() == ""


async def test_a_queue_that_is_no_list_is_passed_over(client: Client, new_door: Door) -> None:
    """The lists of other priorities are looked at all the same."""
    result = client.send(priority=9)
    client.redis.set(client.queue, "no list")
    async with new_door():
        await client.run_of(result)


async def test_both_consumers_work_on_one_queue_where_the_worker_forwards(
    client: Client, new_door: Door, redis_url: str, tmp_path: Path
) -> None:
    """Evaluations reach the worker; the worker sends on the tasks that it gets of ours."""
    own = f"{client.queue}-gather"
    worker = canvas_service(tmp_path, redis_url, client.queue, {"FORWARDS_TO": own})
    with worker.running():
        async with new_door(queues=(client.queue, own)) as door:
            results = [client.send() for _ in range(5)]
            notes = [client.app.send_task("note", args=[n], queue=client.queue) for n in range(5)]
            for result in results:
                await client.play(result, DONE)
            values = [await asyncio.to_thread(each.get, timeout=60) for each in results]
            assert [value["status"] for value in values] == ["completed"] * 5
            assert [await asyncio.to_thread(each.get, timeout=60) for each in notes] == [1] * 5
            assert door.metrics.droppers._value.get() == 0


@pytest.mark.long
async def test_a_worker_that_does_not_know_the_task_is_named(
    client: Client, new_door: Door, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would drop what it gets: Celery's `on_unknown_task`. On a queue of its own it is no danger."""
    forget(redis_url)
    with celery_service(tmp_path, redis_url, queue=client.queue).running():
        async with new_door() as door:
            await client.until(lambda: door.metrics.droppers._value.get() == 1)
        assert "drops it" in caplog.text
        client.app.send_task(names.EVALUATION_TASK, kwargs=EVALUATION, queue=client.queue)
        async with new_door(queues=(f"{client.queue}-gather",)) as door:
            result = client.send(queue=f"{client.queue}-gather")
            await client.run_of(result)
            await client.until(lambda: received(redis_url))
            await client.until(door.remote.is_listening.is_set)
            assert door.metrics.droppers._value.get() == 0


async def test_a_worker_that_does_not_know_the_task_drops_it(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    """What docs/doors.md warns of: should this fail, Celery has become kinder, and the warning can go."""
    with celery_service(tmp_path, redis_url, queue=client.queue).running():
        result = client.send()
        await client.until(lambda: client.waiting() == 0)
        await client.until(lambda: not client.redis.hvals("unacked"))
    assert client.redis.get(f"celery-task-meta-{result.id}") is None


@pytest.mark.parametrize("prefix", ["", "app:"])
async def test_the_application_s_transport_options_say_where_messages_lie(
    client: Client, new_door: Door, prefix: str
) -> None:
    """Its own separator, priorities and key prefix."""
    options = {"global_keyprefix": prefix, "sep": ":", "priority_steps": list(range(10))}
    client.app.conf.broker_transport_options = options
    results = [client.send(priority=priority) for priority in (9, 1, 0)]
    assert client.redis.llen(f"{prefix}{client.queue}:9") == 1
    async with new_door(broker_options={**options, "visibility_timeout": 10}):
        for result in results:
            await client.run_of(result)
        await client.until(lambda: not client.redis.keys(f"{prefix}{client.queue}*"))
