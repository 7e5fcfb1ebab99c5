"""What others put into Redis: no bytes end the operator's listening, and no project holds up another."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio as redis

from gather_clients.background_tasks import end_tasks
from gather_clients.event_log import EventLog, EventLogDamaged, EventLogUnavailable
from gather_contracts import names
from gather_contracts.events import IterationComplete, timestamp
from gather_contracts.resource import GatherRun, parse_run
from gather_operator.event_publisher import EventPublisher, WebhookRegistry
from gather_operator.live_numbers import Listener, LiveNumbers

LIMIT_S = 30
FOREIGN = [
    b"\xff",
    b"",
    b"\x00" * 100,
    b"null",
    b"[]",
    b"{}",
    b"{" * 100_000,
    b'{"type":"iteration_complete"}',
    b'{"type":"of_next_year","project_id":"p","run":"r"}',
    b'{"type":"iteration_complete","iteration":NaN}',
    b'{"type":"deduplicating","project_id":"\\ud800","department":"d"}',
    json.dumps({"type": "deduplicating", "project_id": "p", "department": "x" * 100_000}).encode(),
    b"(\xdd\xb5/\xfd binary of another program",
]
OTHER_KINDS: dict[str, tuple[Any, ...]] = {
    "string": ("SET", "x"), "list": ("RPUSH", "x"), "hash": ("HSET", "x", "y"), "set": ("SADD", "x"),
}  # fmt: skip


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.Redis]:
    async with redis.Redis.from_url(redis_url) as client:
        yield client


def run_of(phase: str = "Succeeded") -> GatherRun:
    ended = {} if phase == "Running" else {"completionTime": timestamp(datetime.now(UTC))}
    return parse_run(
        {
            "metadata": {"name": "film", "namespace": "films", "uid": str(uuid.uuid4())},
            "spec": {"projectId": uuid.uuid4().hex[:24], "userId": "me"},
            "status": {"phase": phase, **ended},
        }
    )


def iteration(run: GatherRun, number: int) -> IterationComplete:
    return IterationComplete(
        project_id=run.spec.project_id, run="film", run_uid=run.metadata.uid, department="story",
        department_name="Story", iteration=number, total_iterations=9, quality_score=50, items_created=6,
        threshold=80,
    )  # fmt: skip


def stored(event: IterationComplete, offset: int) -> bytes:
    """Return the event as the log stores and publishes it."""
    return event.model_copy(update={"offset": offset, "epoch": "e1"}).model_dump_json().encode()


async def damage(client: redis.Redis, key: str, kind: str) -> None:
    """Put something of another kind where our key is."""
    command, *values = OTHER_KINDS[kind]
    await client.delete(key)
    await client.execute_command(command, key, *values)  # type: ignore[no-untyped-call]


async def heard(log: EventLog, runs: list[GatherRun], until: GatherRun, provoke: Any) -> LiveNumbers:
    """Listen while `provoke` works, until numbers of the run `until` are there."""
    numbers, done = LiveNumbers(), asyncio.Event()

    def notify(uid: str) -> None:
        if uid == until.metadata.uid:
            done.set()

    listener = Listener(log, numbers, notify, lambda: [run.spec.project_id for run in runs])
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            while not done.is_set():
                await provoke()
                await asyncio.wait({asyncio.create_task(done.wait()), task}, timeout=0.2)
                assert not task.done()
    finally:
        await end_tasks([task])
    return numbers


@pytest.mark.parametrize("number", range(len(FOREIGN)))
async def test_foreign_bytes_on_a_channel_are_passed_over(
    log: EventLog, client: redis.Redis, number: int
) -> None:
    """The next event is heard by the same subscription."""
    run = run_of("Running")

    async def provoke() -> None:
        await client.publish("automated-gather:x", FOREIGN[number])
        await client.publish(names.channel(run.spec.project_id), FOREIGN[number])
        await client.publish(names.channel(run.spec.project_id), stored(iteration(run, 3), 1))

    numbers = await heard(log, [], run, provoke)
    assert numbers.of_run(run.metadata.uid)["story"].iterations == 3


async def test_foreign_entries_in_a_log_cost_only_themselves(log: EventLog, client: redis.Redis) -> None:
    """The numbers before and after them are read; an entry without our field is one of them."""
    run = run_of("Running")
    key = names.event_log(run.spec.project_id)
    await log.append(iteration(run, 2))
    for number, text in enumerate(FOREIGN, start=10):
        await client.xadd(key, {b"event": text}, id=f"{number}-0")
    await client.xadd(key, {b"other": b"field"}, id="100-0")
    await client.xadd(key, {b"event": stored(iteration(run, 4), 101)}, id="101-0")
    events = await log.tail(run.spec.project_id)
    assert [event.iteration for event in events if isinstance(event, IterationComplete)] == [2, 4]


@pytest.mark.parametrize("kind", OTHER_KINDS)
async def test_a_key_of_another_type_stops_no_other_project(
    log: EventLog, client: redis.Redis, kind: str
) -> None:
    """Live numbers of the others are filled from their logs."""
    broken, well = run_of("Running"), run_of("Running")
    await damage(client, names.event_log(broken.spec.project_id), kind)
    await log.append(iteration(well, 5))
    with pytest.raises(EventLogDamaged):
        await log.tail(broken.spec.project_id)

    async def provoke() -> None:
        pass

    numbers = await heard(log, [broken, well], well, provoke)
    assert numbers.of_run(well.metadata.uid)["story"].iterations == 5


@pytest.mark.parametrize("part", ["log", "meta"])
@pytest.mark.parametrize("kind", sorted(set(OTHER_KINDS) - {"hash"}))
async def test_a_project_whose_log_cannot_be_written_holds_up_no_other(
    log: EventLog, client: redis.Redis, webhooks: WebhookRegistry, part: str, kind: str
) -> None:
    """Its own end waits, and comes once the key is gone."""
    broken, well = run_of(), run_of()
    project_id = broken.spec.project_id
    key = names.event_log(project_id) if part == "log" else names.event_log_meta(project_id)
    await log.append(iteration(broken, 1))
    await damage(client, key, kind)
    now_s = [0.0]
    publisher = EventPublisher(log, webhooks, clock=lambda: now_s[0])
    wait_s = await publisher.publish(broken)
    assert wait_s is not None
    assert not publisher.has_published_all(broken)
    assert await publisher.publish(well) is None
    await client.delete(key)
    now_s[0] += wait_s
    assert await publisher.publish(broken) is None
    assert [event.type for event in await log.tail(project_id)] == ["automation_complete"]


async def test_a_refusal_of_redis_itself_is_no_damage(client: redis.Redis) -> None:
    """Full memory is everybody's trouble."""
    refused = redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
    assert type(EventLogUnavailable.because(refused)) is EventLogUnavailable
