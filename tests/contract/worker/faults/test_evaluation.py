"""The evaluation message on a real Redis: in Celery's own form, and once however often it is sent."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from celery import Celery  # type: ignore[import-untyped]
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from gather_contracts import names
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.task import DepartmentTask
from gather_worker.services.evaluation import EvaluationRoute, send_evaluation
from gather_worker.services.evaluation_details import (
    DETAILS_MAX_BYTES,
    application_arguments,
    read_details,
)
from tests.support.worker_harness import run_document
from tests.support.workers.given_up_sockets import collect_given_up_sockets

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
def route(redis_url: str) -> EvaluationRoute:
    """The defaults, at the session's Redis."""
    return EvaluationRoute(redis_url, TIMEOUT_S)


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
    redis_url: str, route: EvaluationRoute, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """Read back by kombu from the queue, with the arguments of the requirements."""
    assert await send_evaluation(route, checkpoint)
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
    route: EvaluationRoute, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """One after the other and all at once; each call reports success."""
    sent = [await send_evaluation(route, checkpoint) for _ in range(3)]
    sent += await asyncio.gather(*(send_evaluation(route, checkpoint) for _ in range(17)))
    assert sent == [True] * 20
    assert len(messages(client, checkpoint)) == 1


async def test_an_evaluation_that_was_taken_is_not_sent_again(
    route: EvaluationRoute, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """The id is remembered at the broker, not by looking into the queue."""
    await send_evaluation(route, checkpoint)
    client.delete(names.EVALUATION_QUEUE)
    await send_evaluation(route, checkpoint)
    assert messages(client, checkpoint) == []


async def test_departments_and_runs_have_evaluations_of_their_own(
    route: EvaluationRoute, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """The id is derived from both."""
    others = [checkpoint_of(1, checkpoint.project_id), checkpoint_of(0, checkpoint.project_id)]
    others.append(checkpoint.model_copy(update={"department": "sound"}))
    for each in [checkpoint, *others]:
        await send_evaluation(route, each)
    assert [len(messages(client, each)) for each in [checkpoint, *others]] == [1, 1, 1, 1]


async def test_task_queue_and_priority_are_the_application_s(
    redis_url: str, client: redis.Redis, checkpoint: Checkpoint
) -> None:
    """As the settings name them; still one message a department and run."""
    route = EvaluationRoute(redis_url, TIMEOUT_S, "app.tasks.evaluate", "reviews", 0)
    assert await send_evaluation(route, checkpoint)
    assert await send_evaluation(route, checkpoint)
    queued: Any = client.lrange("reviews", 0, -1)
    client.delete("reviews")
    (message,) = map(json.loads, queued)
    assert message["headers"]["task"] == "app.tasks.evaluate"
    assert message["properties"]["priority"] == 0
    assert messages(client, checkpoint) == []


@pytest.fixture
async def database(mongodb_uri: str, checkpoint: Checkpoint) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """The database of the checkpoint's project."""
    mongodb: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_uri)
    async with mongodb:
        name = names.gather_database(checkpoint.project_id)
        yield mongodb[name]
        await mongodb.drop_database(name)


async def test_the_details_are_what_is_known_of_the_run(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], checkpoint: Checkpoint
) -> None:
    """Slug, threshold, the department's notes of either form, the newest first, and the other scores."""
    notes = database[names.ITEMS_COLLECTION]
    await notes.insert_many([
        {"content": "old", "department": "story", "summary": None, "imageUrl": "x"},
        {"content": "new", "automationMetadata": {"department": "story"}, "summary": "s", "context": "c"},
        {"content": "another's", "department": "sound"},
        {"content": "a person's"},
        {"content": {"root": "rich"}, "department": "story"},
    ])  # fmt: skip
    other = checkpoint_of(1, checkpoint.project_id).model_copy(
        update={"run_uid": checkpoint.run_uid, "scores": [61.25, None], "iterations": 2, "gaps": ["rhythm"]}
    )
    unscored = other.model_copy(update={"id": "unscored", "scores": [None]})
    elsewhere = other.model_copy(update={"id": "elsewhere", "run_uid": "another"})
    stored = [each.model_dump(by_alias=True) for each in (other, unscored, elsewhere)]
    await database[names.CHECKPOINTS_COLLECTION].insert_many(stored)
    assert await read_details(mongodb_uri, checkpoint) == {
        "department_slug": "story",
        "threshold": 78,
        "gather_data": [
            {"content": "new", "summary": "s", "context": "c"},
            {"content": "old", "summary": "", "context": ""},
        ],
        "previous_evaluations": [
            {
                "department": "character",
                "rating": 61.2,
                "summary": "Quality 61.2 of 75 after 2 iterations, 0 notes; gaps: rhythm",
            }
        ],
    }


async def test_the_application_gets_addresses_of_uploads_where_there_are_any(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], checkpoint: Checkpoint
) -> None:
    """Also of a picture without a word; without a callback or a threshold the arguments are there as well."""
    await database[names.ITEMS_COLLECTION].insert_many([
        {"content": "", "imageUrl": "https://x/p.png", "documentUrl": None, "department": "story"},
        {"content": "a treatment", "documentUrl": "https://x/t.pdf", "imageUrl": "", "department": "story"},
        {"content": "", "department": "story"},
    ])  # fmt: skip
    details = await read_details(mongodb_uri, checkpoint, has_uploads=True)
    assert details is not None
    older = checkpoint.model_copy(update={"threshold": None})
    arguments = application_arguments(older, {**details, "threshold": 55}, None)
    assert (arguments["threshold"], arguments["callback_url"]) == (55, None)
    without = {name: value for name, value in details.items() if name != "threshold"}
    assert application_arguments(older, without, None)["threshold"] == 80
    assert arguments["gather_data"] == [
        {"content": "a treatment", "summary": "", "context": "", "documentUrl": "https://x/t.pdf"},
        {"content": "", "summary": "", "context": "", "imageUrl": "https://x/p.png"},
    ]


async def test_the_details_are_bounded_in_bytes(
    mongodb_uri: str, database: AsyncDatabase[dict[str, Any]], checkpoint: Checkpoint
) -> None:
    """The newest notes are kept; letters outside of ASCII count as they are sent."""
    documents = [{"content": f"{n:03}" + "\u4e2d" * 2_000, "department": "story"} for n in range(120)]
    await database[names.ITEMS_COLLECTION].insert_many(documents)
    details = await read_details(mongodb_uri, checkpoint)
    assert details is not None
    kept = [note["content"][:3] for note in details["gather_data"]]
    assert kept == [f"{n:03}" for n in range(119, 119 - len(kept), -1)]
    assert DETAILS_MAX_BYTES - 13_000 < len(json.dumps(details)) <= DETAILS_MAX_BYTES


async def test_details_that_cannot_be_read_leave_the_message_due(checkpoint: Checkpoint) -> None:
    """In bounded time; a later worker sends it."""
    async with asyncio.timeout(30):
        assert await read_details("mongodb://127.0.0.1:1/", checkpoint) is None
    collect_given_up_sockets()


async def test_an_unavailable_broker_takes_bounded_time(checkpoint: Checkpoint) -> None:
    """And raises nothing: the department is done all the same."""
    async with asyncio.timeout(30):
        assert not await send_evaluation(EvaluationRoute("redis://127.0.0.1:1/0", 3), checkpoint)
