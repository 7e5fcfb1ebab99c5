"""A task of the application's plain client from its queue to its result."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gather_bridge.celery_door.celery_door import CeleryDoor
from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import DATA, PROJECT, Client
from tests.support.doors.played_statuses import CANCELLED, DONE, FAILED, RUNNING


async def test_a_task_of_the_requirements_client_becomes_a_run_and_gets_its_result(
    client: Client, door: CeleryDoor
) -> None:
    """PENDING, STARTED, PROGRESS with numbers, SUCCESS with the required output; the run is marked."""
    result = client.send()
    run = await client.run_of(result)
    assert run["metadata"]["name"] == result.id
    assert run["spec"]["projectId"] == PROJECT
    assert run["metadata"]["annotations"][names.ANNOTATION_TASK_ID] == result.id
    await client.until(lambda: client.waiting() == 0)
    started = await client.state(result, "STARTED")
    assert started.info["project_id"] == PROJECT
    await client.play(result, RUNNING)
    progress = await client.state(result, "PROGRESS")
    assert (progress.info["progress"], progress.info["items_created"]) == (0.5, 15)
    await client.play(result, DONE)
    value = await asyncio.to_thread(result.get, timeout=60)
    assert (value["status"], value["iterations"], value["items_created"]) == ("completed", 8, 15)
    assert value["departments_processed"] == 1
    assert value["processing_time_ms"] > 0
    assert [line["department"] for line in value["summary"]] == ["story"]
    await client.until(lambda: client.kubernetes.run(result.id)["metadata"]["labels"].get(names.LABEL_RESULT))
    ttl_s = client.redis.ttl(f"celery-task-meta-{result.id}")
    assert 3500 < ttl_s <= 3600


@pytest.mark.parametrize(
    "options",
    [
        {"args": [], "kwargs": DATA},
        {"args": [], "kwargs": {"task_data": DATA}},
        {"args": [{"projectId": PROJECT, "userId": "me", "options": {"max_iterations": 50}}]},
    ],
    ids=["keywords", "task_data", "application"],
)
async def test_the_data_may_come_in_each_form(
    client: Client, door: CeleryDoor, options: dict[str, Any]
) -> None:
    run = await client.run_of(client.send(**options))
    assert run["spec"]["maxIterations"] == 50


async def test_the_first_protocol_is_understood_too(client: Client, door: CeleryDoor) -> None:
    client.app.conf.task_protocol = 1
    result = client.send()
    await client.play(result, DONE)
    assert (await asyncio.to_thread(result.get, timeout=60))["status"] == "completed"


async def test_a_failure_can_be_read_by_a_plain_client(client: Client, door: CeleryDoor) -> None:
    """As an exception, and in what is stored."""
    result = client.send()
    await client.play(result, FAILED)
    with pytest.raises(Exception, match="ModelUnavailable") as raised:
        await asyncio.to_thread(result.get, timeout=60)
    details = {
        "failed_at_department": "world",
        "completed_departments": ["story"],
        "items_created_so_far": 15,
    }
    shown = {"error": "ModelUnavailable", "message": "One failed.", "details": details}
    assert raised.value.args == (shown,)
    stored = json.loads(client.redis.get(f"celery-task-meta-{result.id}"))
    assert stored["status"] == "FAILURE"
    assert {name: stored["result"][name] for name in shown} == shown


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"args": [{**DATA, "max_iterations": 0}]}, "max_iterations"),
        ({"args": [{"user_id": "me"}]}, "project_id"),
        ({"args": [{**DATA, "webhook_url": "http://a.b"}]}, "webhookUrl"),
        ({"args": [1, 2]}, "args"),
        ({"args": [{**DATA, "focus": "x" * 70_000}]}, ""),
        ({"serializer": "pickle"}, ""),
        ({"compression": "zlib"}, ""),
    ],
    ids=["range", "missing", "api server", "two", "long", "pickle", "compressed"],
)
async def test_bad_input_fails_the_task_at_once_and_names_the_field(
    client: Client, door: CeleryDoor, options: dict[str, Any], field: str
) -> None:
    result = client.send(**options)
    await client.state(result, "FAILURE")
    stored = json.loads(client.redis.get(f"celery-task-meta-{result.id}"))["result"]
    assert (stored["error"], stored["details"]["field"]) == ("InvalidInput", field)
    assert field in stored["message"]
    assert client.kubernetes.runs() == []
    await client.until(lambda: client.waiting() == 0)


async def test_a_task_that_comes_twice_is_one_run(client: Client, door: CeleryDoor) -> None:
    """Before and after its end."""
    result = client.send(task_id="twice")
    client.send(task_id="twice")
    await client.run_of(result)
    await client.until(lambda: client.waiting() == 0)
    await client.play(result, DONE)
    await client.state(result, "SUCCESS")
    client.send(task_id="twice")
    await client.until(lambda: client.waiting() == 0)
    assert len(client.kubernetes.runs()) == 1
    client.redis.delete("celery-task-meta-twice")


async def test_what_exceeds_the_slots_waits_in_its_order(client: Client, new_door: Door) -> None:
    """And costs nothing: neither a run nor a place in a worker's memory. The metrics say as much."""
    queue = {"queue": client.queue}
    async with new_door(runs_max=2) as door:
        results = [client.send() for _ in range(5)]
        for result in results[:2]:
            await client.run_of(result)
        await client.until(lambda: client.waiting() == 3)
        length = "celery_queue_length"
        await client.until(lambda: door.metrics.registry.get_sample_value(length, queue) == 3)
        for n in range(2, 5):
            await client.play(results[n - 2], DONE)
            await client.run_of(results[n])
        assert len(client.kubernetes.runs()) == 5
        await client.until(lambda: door.metrics.slots._value.get() == 0)
        made = (await client.run_of(results[4]))["metadata"]["creationTimestamp"]
        took_61_s = datetime.fromisoformat(made) + timedelta(seconds=61)
        await client.play(results[4], {**FAILED, "completionTime": took_61_s.isoformat()})
        await client.until(lambda: _value(door, "celery_task_total", status="FAILURE") == 1)
        await client.until(lambda: _value(door, "celery_task_total", status="SUCCESS") == 3)
        await client.until(lambda: _value(door, "celery_task_duration_seconds_count") == 4)
        assert _value(door, "celery_task_duration_seconds_bucket", le="60.0") == 0
        assert _value(door, "celery_task_duration_seconds_bucket", le="120.0") == 1
        waits = "celery_queue_wait_time_seconds"
        await client.until(lambda: door.metrics.registry.get_sample_value(f"{waits}_count", queue) == 5)
        assert door.metrics.registry.get_sample_value(f"{waits}_sum", queue) > 0


def _value(door: CeleryDoor, name: str, **labels: str) -> float | None:
    return door.metrics.registry.get_sample_value(name, {"task": names.GATHER_TASK, **labels})


async def test_priorities_go_as_celery_s_do_on_redis(client: Client, new_door: Door) -> None:
    """0 before 9; within one, by submission."""
    sent = [client.send(priority=priority) for priority in (9, 6, 0, 9, 0)]
    async with new_door(runs_max=1):
        for n in (2, 4, 1, 0, 3):
            await client.run_of(sent[n])
            await client.play(sent[n], DONE)
            await client.state(sent[n], "SUCCESS")


async def test_a_task_with_a_countdown_waits_in_its_queue(client: Client, door: CeleryDoor) -> None:
    """Also if every door is killed meanwhile; those behind it do not wait."""
    client.send(countdown=3600)
    sent_at = datetime.now(UTC).replace(microsecond=0)
    late = client.send(countdown=3)
    await client.run_of(client.send())
    run = await client.run_of(late)
    assert datetime.fromisoformat(run["metadata"]["creationTimestamp"]) >= sent_at + timedelta(seconds=3)
    await client.until(lambda: client.waiting() == 1)


async def test_a_task_that_has_expired_is_revoked(client: Client, new_door: Door) -> None:
    result = client.send(expires=0.01)
    async with new_door():
        await client.state(result, "REVOKED")
    assert client.kubernetes.runs() == []


async def test_a_time_limit_ends_the_run_as_a_failure(client: Client, door: CeleryDoor) -> None:
    """What was made is kept: the run is cancelled, and says so."""
    result = client.send(soft_time_limit=1, time_limit=9)
    run = await client.run_of(result)
    await client.until(lambda: client.kubernetes.run(run["metadata"]["name"])["spec"].get("cancel"))
    await client.play(result, CANCELLED)
    await client.state(result, "FAILURE")
    stored = json.loads(client.redis.get(f"celery-task-meta-{result.id}"))["result"]
    assert (stored["error"], stored["details"]["items_created_so_far"]) == ("TimeLimitExceeded", 15)
