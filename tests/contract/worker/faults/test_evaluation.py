"""The evaluation message on a real Redis: in Celery's own form, and once however often it is sent."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery  # type: ignore[import-untyped]

from gather_contracts import names
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.task import DepartmentTask
from gather_worker.services.evaluation import send_evaluation
from tests.support.worker_harness import run_document

TIMEOUT_S = 10


def checkpoint_of(index: int = 0, project_id: str | None = None) -> Checkpoint:
    """Return the checkpoint of a department of a run of its own."""
    document = run_document(project_id or uuid.uuid4().hex[:24], str(uuid.uuid4()))
    return DepartmentTask(document, index, 1, "pod").fresh_checkpoint()


@pytest.fixture
def checkpoint() -> Checkpoint:
    """A department of a run of its own."""
    return checkpoint_of()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def messages(client: redis.Redis, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Return the department's queued messages."""
    task_id = names.evaluation_task_id(checkpoint.run_uid, checkpoint.department)
    queued: Any = client.lrange(names.EVALUATION_QUEUE, 0, -1)
    return [m for m in map(json.loads, queued) if m["headers"]["id"] == task_id]


async def test_the_message_is_one_that_celery_understands(
    redis_url: str, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """Read back by kombu from the queue, with the arguments of the requirements."""
    assert await send_evaluation(redis_url, checkpoint, TIMEOUT_S)
    (message,) = messages(client, checkpoint)
    assert message["headers"]["task"] == names.EVALUATION_TASK
    assert message["properties"]["priority"] == 1
    app = Celery(broker=redis_url, set_as_current=False)
    with app.connection_for_read() as connection, connection.SimpleQueue(names.EVALUATION_QUEUE) as queue:
        waiting: Any = client.llen(names.EVALUATION_QUEUE)
        received = [queue.get(timeout=TIMEOUT_S) for _ in range(waiting)]
        for each in received:
            each.ack()
    app.close()
    _, kwargs, _ = next(r.payload for r in received if r.headers["id"] == message["headers"]["id"])
    assert kwargs == {
        "project_id": checkpoint.project_id,
        "department_number": 10,
        "user_id": "harness-user",
        "auto_triggered": True,
    }


async def test_sending_twenty_times_queues_one_message(
    redis_url: str, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """One after the other and all at once; each call reports success."""
    sent = [await send_evaluation(redis_url, checkpoint, TIMEOUT_S) for _ in range(3)]
    sent += await asyncio.gather(*(send_evaluation(redis_url, checkpoint, TIMEOUT_S) for _ in range(17)))
    assert sent == [True] * 20
    assert len(messages(client, checkpoint)) == 1


async def test_an_evaluation_that_was_taken_is_not_sent_again(
    redis_url: str, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """The id is remembered at the broker, not by looking into the queue."""
    await send_evaluation(redis_url, checkpoint, TIMEOUT_S)
    client.delete(names.EVALUATION_QUEUE)
    await send_evaluation(redis_url, checkpoint, TIMEOUT_S)
    assert messages(client, checkpoint) == []


async def test_departments_and_runs_have_evaluations_of_their_own(
    redis_url: str, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """The id is derived from both."""
    others = [checkpoint_of(1, checkpoint.project_id), checkpoint_of(0, checkpoint.project_id)]
    others.append(checkpoint.model_copy(update={"department": "sound"}))
    for each in [checkpoint, *others]:
        await send_evaluation(redis_url, each, TIMEOUT_S)
    assert [len(messages(client, each)) for each in [checkpoint, *others]] == [1, 1, 1, 1]


async def test_an_unavailable_broker_takes_bounded_time(checkpoint: Checkpoint) -> None:
    """And raises nothing: the department is done all the same."""
    async with asyncio.timeout(8):
        assert not await send_evaluation("redis://127.0.0.1:1/0", checkpoint, 3)
