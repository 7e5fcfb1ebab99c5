"""The operator and the real event log: sent once, webhooks registered, live numbers resumed after a break."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio as redis

from dev.service_process import ServiceProcess
from gather_clients.background_tasks import end_tasks
from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.events import AutomationStarted, IterationComplete, timestamp
from gather_contracts.resource import GatherRun, parse_run
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_operator.event_publisher import WEBHOOK_EXPIRY_S, EventPublisher, WebhookRegistry
from gather_operator.live_numbers import Listener, LiveNumbers

LIMIT_S = 30


def run_of(phase: str, **spec: Any) -> GatherRun:
    """A run of a project of its own."""
    ended = {"completionTime": timestamp(datetime.now(UTC))} if phase != "Running" else {}
    return parse_run(
        {
            "metadata": {"name": "film", "namespace": "films", "uid": str(uuid.uuid4())},
            "spec": {"projectId": uuid.uuid4().hex[:24], "userId": "me", **spec},
            "status": {"phase": phase, "itemsCreated": 5, **ended},
        }
    )


def document_of(run: GatherRun) -> RunDocument:
    """The run's document with one department."""
    department = ResolvedDepartment(slug="story", name="Story", code_dep_number=1, threshold=80, model="m")
    identity = RunIdentity(name="film", namespace="films", uid=run.metadata.uid)
    return RunDocument(run=identity, spec=run.spec, departments=[department])


def iteration(run: GatherRun, number: int) -> IterationComplete:
    return IterationComplete(
        project_id=run.spec.project_id, run="film", run_uid=run.metadata.uid, department="story",
        department_name="Story", iteration=number, total_iterations=9, quality_score=50,
        items_created=6 * number, threshold=80,
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
async def test_the_end_is_in_the_log_once_however_often_operators_restart(
    log: EventLog, webhooks: WebhookRegistry, phase: str
) -> None:
    """Each new publisher sends it again, and the key makes that a no-op."""
    run = run_of(phase)
    for _ in range(3):
        publisher = EventPublisher(log, webhooks)
        assert await publisher.publish(run) is None
        assert publisher.has_published_all(run)
    events = await log.tail(run.spec.project_id)
    assert [event.type for event in events] == {
        "Succeeded": ["automation_complete"],
        "Failed": ["automation_error", "automation_failed"],
        "Cancelled": ["automation_cancelled"],
    }[phase]
    assert {event.run_uid for event in events} == {run.metadata.uid}
    assert [event.offset for event in events] == [1, 2][: len(events)]


async def test_the_start_is_the_first_event_and_in_the_log_once(
    log: EventLog, webhooks: WebhookRegistry, redis_url: str
) -> None:
    """Of operators that restart, and of two that work at the same moment."""
    run = run_of("Running")
    document = document_of(run)
    other = EventLog(redis_url, timeout_s=2)
    try:
        publishers = [EventPublisher(client, webhooks) for client in (log, other, log)]
        await asyncio.gather(*(p.publish(run, document=document) for p in publishers))
    finally:
        await other.close()
    await log.append(iteration(run, 1))
    started, done = await log.tail(run.spec.project_id)
    assert (started.type, done.type) == ("automation_started", "iteration_complete")
    assert isinstance(started, AutomationStarted)
    assert (started.task_id, started.departments_count, started.max_iterations) == ("film", 1, 50)


async def test_a_start_that_redis_missed_is_sent_at_its_return(
    log: EventLog, webhooks: WebhookRegistry, redis_store: ServiceProcess
) -> None:
    """The run did not wait for it."""
    now_s = [0.0]
    run = run_of("Running")
    document = document_of(run)
    publisher = EventPublisher(log, webhooks, clock=lambda: now_s[0])
    with redis_store.absent():
        assert await publisher.publish(run, document=document) is not None
    now_s[0] += 60
    assert await publisher.publish(run, document=document) is None
    assert [event.type for event in await log.tail(run.spec.project_id)] == ["automation_started"]


async def test_a_webhook_is_registered_for_a_week(
    log: EventLog, webhooks: WebhookRegistry, redis_url: str
) -> None:
    """As the bridge reads it."""
    run = run_of("Running", webhookUrl="https://example.org/hook")
    await EventPublisher(log, webhooks).publish(run)
    async with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        key = names.webhook_registration(run.metadata.uid)
        assert await client.hgetall(key) == {
            "project_id": run.spec.project_id,
            "run": "film",
            "url": "https://example.org/hook",
        }
        assert 0 < await client.ttl(key) <= WEBHOOK_EXPIRY_S
        assert run.metadata.uid in await client.smembers(names.WEBHOOK_REGISTRATIONS)


async def test_without_redis_publishing_waits_and_goes_on_at_its_return(
    log: EventLog, webhooks: WebhookRegistry, redis_store: ServiceProcess
) -> None:
    """Nothing is lost, and nothing hangs."""
    now_s = [0.0]
    run = run_of("Succeeded")
    publisher = EventPublisher(log, webhooks, clock=lambda: now_s[0])
    with redis_store.absent():
        assert await publisher.publish(run) is not None
        assert not publisher.has_published_all(run)
    now_s[0] += 60
    assert await publisher.publish(run) is None
    assert len(await log.tail(run.spec.project_id)) == 1


async def test_live_numbers_arrive_and_are_filled_up_after_a_break(
    log: EventLog, redis_url: str, redis_store: ServiceProcess
) -> None:
    """What was published while Redis or the operator was unavailable is read from the log's tail."""
    run = run_of("Running")
    await log.append(iteration(run, 1))
    numbers, changed = LiveNumbers(), asyncio.Event()
    own = EventLog(redis_url, timeout_s=2)
    listener = Listener(own, numbers, lambda _: changed.set(), lambda: [run.spec.project_id])
    task = asyncio.create_task(listener.run())

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                await changed.wait()
                changed.clear()

    def iterations() -> int:
        known = numbers.of_run(run.metadata.uid).get("story")
        return known.iterations if known else 0

    try:
        await until(lambda: iterations() == 1)
        await log.append(iteration(run, 2))
        await until(lambda: iterations() == 2)
        redis_store.restart()
        await log.append(iteration(run, 3))
        await until(lambda: iterations() == 3)
        await log.append(iteration(run, 4))
        await until(lambda: iterations() == 4)
    finally:
        await end_tasks([task])
        await own.close()
