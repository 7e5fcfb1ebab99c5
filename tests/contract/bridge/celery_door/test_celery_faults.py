"""Doors that are killed, two at once, and a Redis or an API server that goes."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.service_process import ServiceProcess, free_port, http_answers, script
from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import Client
from tests.support.doors.doors_api import NAMESPACE
from tests.support.doors.played_statuses import DONE, RUNNING
from tests.support.network.connections import Connections, addresses_in

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


@pytest.fixture
def door_process(
    client: Client, redis_url: str, tmp_path: Path, connections: Connections
) -> Iterator[ServiceProcess]:
    """`gather-bridge celery` as a process of its own, not started; it connects to what it is given alone."""
    port = free_port()
    environment = {
        "REDIS_URL": redis_url,
        "KUBECONFIG": str(client.kubernetes.kubeconfig),
        "GATHER_NAMESPACE": NAMESPACE,
        "GATHER_CELERY_QUEUES": json.dumps([client.queue]),
        "GATHER_DOOR_PORT": str(port),
        "GATHER_DOOR_METRICS_PORT": "0",
        "GATHER_DOOR_HOST": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }
    command = connections.recorded([script("gather-bridge"), "celery"])
    uri = f"http://127.0.0.1:{port}"
    process = ServiceProcess("Celery door", uri, tmp_path, command, http_answers, environment)
    yield process
    pid = process.pid
    process.kill()
    named = addresses_in([redis_url, client.kubernetes.kubeconfig.read_text("utf-8")])
    assert connections.of(pid) == named


async def test_a_door_that_is_killed_loses_no_task_and_no_result(
    client: Client, door_process: ServiceProcess
) -> None:
    """Tasks that were sent, runs that ended and a result that was due meanwhile: the next door has them."""
    await asyncio.to_thread(door_process.start)
    first = client.send()
    await client.play(first, RUNNING)
    await client.state(first, "PROGRESS")
    await asyncio.to_thread(door_process.kill)
    second = client.send()
    await client.play(first, DONE)
    await asyncio.to_thread(door_process.start)
    await client.state(first, "SUCCESS")
    await client.play(second, DONE)
    await client.state(second, "SUCCESS")
    assert len(client.kubernetes.runs()) == 2


async def test_a_door_that_was_killed_between_the_run_and_its_acknowledgement(
    client: Client, new_door: Door
) -> None:
    """The message is still there, and is the same run."""
    result = client.send()
    (message,) = client.redis.lrange(client.queue, 0, -1)
    async with new_door():
        run = await client.run_of(result)
        await client.until(lambda: client.waiting() == 0)
    client.redis.rpush(client.queue, message)
    client.redis.delete(f"celery-task-meta-{result.id}")
    async with new_door():
        await client.until(lambda: client.waiting() == 0)
        await client.play(result, DONE)
        await client.state(result, "SUCCESS")
    assert [each["metadata"]["uid"] for each in client.kubernetes.runs()] == [run["metadata"]["uid"]]


async def test_of_two_doors_one_takes_tasks_and_the_other_goes_on(client: Client, new_door: Door) -> None:
    """Each task is one run, and its link is called once."""
    async with new_door(runs_max=100) as other:
        async with new_door(runs_max=100) as door:
            await client.until(lambda: door.taker.leads or other.taker.leads)
            results = [client.send() for _ in range(10)]
            for result in results:
                await client.run_of(result)
            assert door.taker.leads is not other.taker.leads
            assert door.taker.processed + other.taker.processed == 10
        late = client.send()
        for result in (*results, late):
            await client.play(result, DONE)
            await client.state(result, "SUCCESS")
        assert other.taker.leads


async def test_a_result_that_was_written_and_not_marked_is_written_again_without_harm(
    client: Client, new_door: Door
) -> None:
    """And a door that is late with PROGRESS does not undo a final state."""
    result = client.send()
    async with new_door():
        await client.play(result, DONE)
        await client.state(result, "SUCCESS")
        run = await client.until(lambda: _written(client, result.id))
    stored = client.redis.get(f"celery-task-meta-{result.id}")
    metadata: dict[str, Any] = {**run["metadata"], "labels": {names.LABEL_DOOR: "celery"}}
    client.kubernetes.replace({**run, "metadata": metadata})
    async with new_door() as door:
        await client.until(lambda: _written(client, result.id))
        await door.reporter._results.progress(result.id, {"id": result.id}, {"progress": 0.1})
    assert (
        json.loads(client.redis.get(f"celery-task-meta-{result.id}"))["result"]
        == json.loads(stored)["result"]
    )


def _written(client: Client, name: str) -> dict[str, Any] | None:
    run = client.kubernetes.run(name)
    return run if run["metadata"]["labels"].get(names.LABEL_RESULT) == "written" else None


async def test_an_api_server_that_is_away_costs_time_alone(client: Client, new_door: Door) -> None:
    """Tasks wait in their queue, and the door says why."""
    async with new_door() as door:
        kept = client.send()
        await client.run_of(kept)
        client.kubernetes.process.kill()
        try:
            result = client.send()
            await client.until(lambda: door.waits_for() != "")
            await client.until(lambda: client.waiting() == 1)
        finally:
            client.kubernetes.process.start()
        await client.play(result, DONE)
        await client.state(result, "SUCCESS")
        assert door.broken() == ""


async def test_a_redis_that_goes_comes_back_and_results_follow(
    client: Client, new_door: Door, redis_store: ServiceProcess
) -> None:
    """What Redis had is gone with it here; runs are not, and their results are written."""
    async with new_door() as door:
        result = client.send()
        await client.play(result, RUNNING)
        await client.state(result, "PROGRESS")
        redis_store.kill()
        try:
            await client.play(result, DONE)
            await client.until(lambda: door.waits_for() != "")
        finally:
            redis_store.start()
        await client.state(result, "SUCCESS")
        await client.until(lambda: door.remote.is_listening.is_set() and door.waits_for() == "")
        assert door.broken() == ""
