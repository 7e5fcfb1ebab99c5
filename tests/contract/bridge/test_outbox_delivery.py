"""Webhooks out of the outbox: MongoDB keeps what must be delivered, whatever becomes of Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from pymongo import AsyncMongoClient

from dev.service_process import ServiceProcess
from gather_bridge.webhooks import delivery
from gather_clients.event_log import EventLog, EventLogUnavailable
from gather_clients.outbox.outbox_entries import OutboxUnavailable
from gather_clients.outbox.outbox_store import Outbox
from gather_contracts import names
from gather_contracts.events import AutomationCancelled, Deduplicating, Event, identified
from tests.support.events.webhook_receiver import Receiver, receiving

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]

LOOPBACK = ip_network("127.0.0.0/8")


@dataclass
class Run:
    """One run's events, written as workers and operator write them: the outbox first, then Redis."""

    outbox: Outbox
    log: EventLog
    url: str
    serve_bridge: ServeBridge
    settings: dict[str, Any]
    project: str = field(default_factory=lambda: uuid4().hex[:24])
    count: int = 0
    ids: list[str] = field(default_factory=list)

    @property
    def uid(self) -> str:
        """The run's UID, another one for each test."""
        return f"{self.project}-run"

    def event(self, number: int) -> Event:
        made = Deduplicating(project_id=self.project, run="film", run_uid=self.uid, department="story")
        return identified(made, f"{self.uid}/{number}")

    async def send(self, count: int = 1, *, is_in_redis: bool = True) -> None:
        for _ in range(count):
            self.count += 1
            await self.write(self.event(self.count), is_in_redis=is_in_redis)

    async def end(self) -> None:
        made = AutomationCancelled(
            project_id=self.project, run="film", run_uid=self.uid, items_created_so_far=3
        )
        await self.write(identified(made, f"{self.uid}:ended"))

    async def write(self, event: Event, *, is_in_redis: bool = True) -> None:
        self.ids.append(event.id)
        async with asyncio.timeout(30):
            while not await self.is_written(event):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        if is_in_redis:
            try:
                await self.log.append(event, event.id)
            except EventLogUnavailable:
                return

    async def is_written(self, event: Event) -> bool:
        """Write once, as a writer does that repeats its write while MongoDB is unavailable."""
        try:
            await self.outbox.put(event, self.url)
        except OutboxUnavailable:
            return False
        return True

    def serve(self, **changed: Any) -> AbstractAsyncContextManager[Any]:
        """Serve a bridge that may call the receiver."""
        return self.serve_bridge(**{**self.settings, **changed})


@pytest.fixture
async def outbox(mongodb_uri: str) -> AsyncIterator[Outbox]:
    """An empty outbox."""
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        await client.drop_database(names.OUTBOX_DATABASE)
    made = Outbox(mongodb_uri, 2)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
def run(  # noqa: PLR0917 - fixtures
    outbox: Outbox,
    log: EventLog,
    receiver: Receiver,
    serve_bridge: ServeBridge,
    certificate: Path,
    mongodb_uri: str,
    redis_url: str,
) -> Run:
    """A run with a webhook at the receiver."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete(names.WEBHOOK_REGISTRATIONS)
    settings = {
        "GATHER_OUTBOX": True,
        "MONGODB_URI": mongodb_uri,
        "webhook_allowed_networks": [LOOPBACK],
        "webhook_ca_file": certificate,
        "webhook_retry_base_s": 0.05,
    }
    return Run(outbox, log, f"https://127.0.0.1:{receiver.port}/hooks", serve_bridge, settings)


async def test_events_arrive_in_order_with_an_identity_of_their_own(run: Run, receiver: Receiver) -> None:
    """The identity stands in both forms of the header and in the body; Redis' place does not."""
    async with run.serve():
        await run.send(5)
        await run.end()
        await receiver.wait_for(6)
    assert receiver.ids == run.ids
    for header in ("x-gather-delivery", "webhook-id"):
        assert [each[header] for each in receiver.headers] == run.ids
    assert not {"offset", "epoch"} & json.loads(receiver.bodies[0]).keys()
    assert await run.outbox.waiting(run.uid, 10) == []


async def test_what_is_written_twice_comes_once(run: Run, receiver: Receiver) -> None:
    """Before its delivery, and after it."""
    first, second = run.event(1), run.event(2)
    assert [await run.outbox.put(first, run.url) for _ in range(2)] == [True, False]
    async with run.serve():
        await receiver.wait_for(1)
        async with asyncio.timeout(30):
            while await run.outbox.runs():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        assert await run.outbox.put(first, run.url) is False
        await run.outbox.put(second, run.url)
        await receiver.wait_for(2)
    assert receiver.ids == [first.id, second.id]


async def test_a_run_whose_whole_life_falls_into_an_outage_of_redis_arrives(
    run: Run, receiver: Receiver, redis_store: ServiceProcess
) -> None:
    """While Redis is still away: nothing here needs it."""
    async with run.serve() as serving:
        with redis_store.absent():
            await serving.until_live(is_live=False)
            await run.send(3, is_in_redis=False)
            await run.end()
            await receiver.wait_for(4)
    assert receiver.ids == run.ids


async def test_redis_may_lose_everything_while_no_bridge_runs(
    run: Run, receiver: Receiver, redis_url: str
) -> None:
    """The last event, too: a registration has nowhere to be lost."""
    async with run.serve():
        await run.send(2)
        await receiver.wait_for(2)
    await run.send(2)
    await run.end()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    async with run.serve():
        await receiver.wait_for(5)
    assert list(dict.fromkeys(receiver.ids)) == run.ids


async def test_mongodb_may_be_away_for_a_while(
    run: Run, receiver: Receiver, mongodb_store: ServiceProcess
) -> None:
    """Events wait where they are written; the bridge asks again."""
    async with run.serve():
        await run.send(2)
        await receiver.wait_for(2)
        mongodb_store.kill()
        mongodb_store.start()
        await run.send(2)
        await receiver.wait_for(4)
    assert list(dict.fromkeys(receiver.ids)) == run.ids


async def test_what_is_refused_for_good_is_given_up_and_reported_once(run: Run, receiver: Receiver) -> None:
    """As a class of error; the operator writes it into the run's conditions."""
    run.url = "https://app.example/{not-a-url}"
    async with run.serve():
        await run.send(3)
        async with asyncio.timeout(30):
            while await run.outbox.runs():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
    (told,) = await run.outbox.given_up()
    assert (told.run_uid, told.run, told.events, told.reason) == (run.uid, "film", 3, "not a plain https URL")
    await run.outbox.report(told)
    assert await run.outbox.given_up() == []
    assert receiver.bodies == []


async def test_how_often_an_event_failed_outlives_the_bridge(run: Run, receiver: Receiver) -> None:
    """Its day goes on, and so does its wait."""
    receiver.answers = [503]
    async with run.serve(webhook_retry_base_s=60):
        await run.send()
        async with asyncio.timeout(30):
            while not (await run.outbox.waiting(run.uid, 1))[0].failures:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    (event,) = await run.outbox.waiting(run.uid, 1)
    assert event.failing_since_s is not None
    assert event.due_s - event.failing_since_s > 40
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize("has_outbox", [True, False], ids=["lease in MongoDB", "lease in Redis"])
async def test_of_several_bridges_one_delivers_and_another_goes_on_after_it(
    run: Run, receiver: Receiver, redis_url: str, *, has_outbox: bool
) -> None:
    """None of the others sends a second copy."""
    if not has_outbox:
        run.settings |= {"GATHER_OUTBOX": False, "MONGODB_URI": None}
        with redis.Redis.from_url(redis_url) as client:
            fields: dict[Any, Any] = {"project_id": run.project, "run": "film", "url": run.url}
            client.hset(names.webhook_registration(run.uid), mapping=fields)
            client.sadd(names.WEBHOOK_REGISTRATIONS, run.uid)
    async with AsyncExitStack() as others:
        async with run.serve() as first:
            await first.until_metric("gather_bridge_delivers_webhooks 1.0")
            second = await others.enter_async_context(run.serve())
            await run.send(5)
            await receiver.wait_for(5)
            assert "\ngather_bridge_delivers_webhooks 0.0" in second.metrics
        await run.send(5)
        await receiver.wait_for(10)
        await second.until_metric("gather_bridge_delivers_webhooks 1.0")
    assert list(dict.fromkeys(receiver.ids)) == run.ids
    assert len(receiver.ids) == 10


async def test_idle_runs_cost_nothing(run: Run, receiver: Receiver, mongodb_uri: str) -> None:
    """However many have a webhook: what is delivered is in no index that is asked."""
    async with run.serve():
        await run.send(3)
        await receiver.wait_for(3)
        async with asyncio.timeout(30):
            while await run.outbox.runs():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
    async with AsyncMongoClient[dict[str, Any]](mongodb_uri) as client:
        events = client[names.OUTBOX_DATABASE][names.OUTBOX_EVENTS]
        plan = await events.find({"waiting": True}).explain()
    assert plan["executionStats"]["totalKeysExamined"] == 0


class Moody(Receiver):
    """Takes an event at once, after two failures, or never, as the path says."""

    tries: dict[bytes, int]
    taken: dict[str, list[str]]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        kind, _, _ = scope["path"].strip("/").partition("-")
        self.tries[body] = self.tries.get(body, 0) + 1
        if kind == "hang":
            await receive()  # until the other side goes
            return
        is_taken = kind == "well" or self.tries[body] > 2
        if is_taken:
            async with self.arrived:
                self.taken.setdefault(scope["path"], []).append(json.loads(body)["id"])
                self.arrived.notify_all()
        await send({"type": "http.response.start", "status": 204 if is_taken else 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_order_holds_in_each_run_while_others_fail_and_hang(run: Run, certificate: Path) -> None:
    """A small load of what `make bench-webhooks` measures."""
    moody = Moody()
    moody.tries, moody.taken = {}, {}
    async with receiving(certificate, moody):
        paths = [f"/{kind}-{n}" for n in range(8) for kind in ("well", "fail", "hang")]
        runs = {path: replace(run, url=f"https://127.0.0.1:{moody.port}{path}", count=0, ids=[],
                              project=uuid4().hex[:24]) for path in paths}  # fmt: skip
        wanted = {path: each for path, each in runs.items() if not path.startswith("/hang")}
        async with run.serve():
            for _ in range(4):
                for each in runs.values():
                    await each.send()
            async with asyncio.timeout(60), moody.arrived:
                await moody.arrived.wait_for(lambda: sum(map(len, moody.taken.values())) >= 4 * len(wanted))
        assert moody.taken == {path: each.ids for path, each in wanted.items()}


def test_a_sweep_finds_what_nobody_was_told_of_within_seconds() -> None:
    """What the outage of Redis above waits for."""
    assert delivery.SWEEP_S <= 2
