"""Tasks that come again, and doors that take the lead, when results have been written already."""

from typing import Any

import pytest

from gather_bridge.celery_door.celery_door import CeleryDoor
from gather_contracts import names
from tests.contract.bridge.celery_door.conftest import Door
from tests.support.doors.celery_client import Client
from tests.support.doors.played_statuses import DONE, FAILED, RUNNING, STORY

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


async def _until_written(client: Client, name: str) -> None:
    await client.until(
        lambda: client.kubernetes.run(name)["metadata"]["labels"].get(names.LABEL_RESULT) == "written"
    )


@pytest.mark.parametrize(
    ("status", "state"), [(DONE, "SUCCESS"), (FAILED, "FAILURE")], ids=["done", "failed"]
)
async def test_a_task_that_comes_again_after_its_result_has_gone_gets_it_again(
    client: Client, new_door: Door, status: dict[str, Any], state: str
) -> None:
    """And takes no slot, nor is it counted twice."""
    async with new_door(runs_max=1) as door:
        result = client.send()
        await client.play(result, status)
        await client.state(result, state)
        await _until_written(client, result.id)
        client.redis.delete(f"celery-task-meta-{result.id}")
        client.send(task_id=result.id)
        await client.state(result, state)
        await client.run_of(client.send())
        assert len(client.kubernetes.runs()) == 2
        assert (
            door.metrics.registry.get_sample_value(
                "celery_task_total", {"task": names.GATHER_TASK, "status": state}
            )
            == 1
        )
        assert await door._queue.request_of(result.id) is None


async def test_a_task_without_result_that_comes_again_takes_no_slot(client: Client, new_door: Door) -> None:
    async with new_door(runs_max=1):
        result = client.send(ignore_result=True)
        await client.play(result, DONE)
        await _until_written(client, result.id)
        client.send(task_id=result.id, ignore_result=True)
        await client.until(lambda: client.waiting() == 0)
        await client.run_of(client.send())
        assert client.state_of(result.id) == "PENDING"


async def test_a_run_that_waits_for_longer_than_results_are_kept_does_not_look_unknown(
    client: Client, new_door: Door
) -> None:
    """Its state is written again in time, also where nothing has changed."""
    async with new_door() as door:
        result = client.send()
        await client.state(result, "STARTED")
        assert door.reporter.rewrite_s == 3600 / 2
        door.reporter.rewrite_s = 0.5
        client.redis.delete(f"celery-task-meta-{result.id}")
        await client.state(result, "STARTED")


async def test_a_door_that_takes_the_lead_counts_no_attempt_again(client: Client, new_door: Door) -> None:
    """Only those that follow."""
    result = client.send()
    async with new_door() as door:
        await client.run_of(result)
        await client.state(result, "STARTED")
        await client.play(result, _attempt(3))
        await client.until(lambda: _retries(door) == 2)
    async with new_door() as door:
        await client.until(lambda: result.id in door.reporter._retries)
        assert _retries(door) == 0
        await client.play(result, _attempt(4))
        await client.until(lambda: _retries(door) == 1)
        await client.play(result, {**DONE, "departments": [{**STORY, "attempt": 4}]})
        await client.state(result, "SUCCESS")
        assert _retries(door) == 1


def _attempt(attempt: int) -> dict[str, Any]:
    return {**RUNNING, "departments": [{"slug": "world", "phase": "Running", "attempt": attempt}]}


def _retries(door: CeleryDoor) -> float | None:
    return door.metrics.registry.get_sample_value("celery_task_retry_total", {"task": names.GATHER_TASK})
