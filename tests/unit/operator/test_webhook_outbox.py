"""The operator's side of the outbox: it holds up no run, and a run's conditions say what was given up."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from gather_clients.kube_api.cluster_errors import Missing
from gather_clients.outbox.outbox_entries import GivenUp, OutboxUnavailable
from gather_contracts.resource import parse_run
from gather_operator.decisions.run_events import due
from gather_operator.event_publisher import EventPublisher
from gather_operator.webhooks import outbox_writer
from gather_operator.webhooks.given_up import GivenUpReports
from gather_operator.webhooks.outbox_writer import RETRY_S, OutboxWriter


class Outbox:
    """An outbox in memory that can be away, or hang."""

    def __init__(self) -> None:
        self.written: dict[str, str] = {}
        self.calls = 0
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.given: list[GivenUp] = []
        self.reported: list[GivenUp] = []

    async def put(self, event: Any, url: str) -> bool:
        self.calls += 1
        await self.answers.wait()
        if self.is_away:
            raise OutboxUnavailable("MongoDB is unavailable: NetworkTimeout")
        return self.written.setdefault(event.id, f"{event.type} to {url}") == url

    async def given_up(self) -> list[GivenUp]:
        return self.given

    async def report(self, told: GivenUp) -> None:
        self.reported.append(told)


class Log:
    """Redis, which is there."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def append(self, event: Any, idempotency_key: str | None = None) -> int | None:  # noqa: ARG002
        self.sent.append(event.id)
        return len(self.sent)

    async def register(self, run: Any) -> None:
        self.sent.append(f"registered {run.metadata.uid}")


def hooked(build: Any, **fields: Any) -> Any:
    return build.running("story", spec={"webhookUrl": "https://app.example/hooks"}, **fields)


def document_of(build: Any, *, has_outbox: bool) -> Any:
    return build.document("story").model_copy(update={"has_outbox": has_outbox})


async def test_events_of_a_run_with_a_webhook_go_into_the_outbox_too(build: Any) -> None:
    """With the same identity, and without a registration in Redis."""
    outbox, log = Outbox(), Log()
    publisher = EventPublisher(log, log, outbox=OutboxWriter(outbox))  # type: ignore[arg-type]
    run = hooked(build)
    assert await publisher.publish(run, build.now, document_of(build, has_outbox=True)) is None
    assert list(outbox.written.values()) == ["automation_started to https://app.example/hooks"]
    assert log.sent == list(outbox.written)
    assert publisher.has_published_all(run, build.now)


@pytest.mark.parametrize("has_webhook", [True, False], ids=["begun before the outbox", "without a webhook"])
async def test_the_run_s_document_says_which_way_its_events_go(build: Any, *, has_webhook: bool) -> None:
    """Its workers go by the same, for as long as it lasts."""
    outbox, log = Outbox(), Log()
    publisher = EventPublisher(log, log, outbox=OutboxWriter(outbox))  # type: ignore[arg-type]
    run = hooked(build) if has_webhook else build.running("story")
    await publisher.publish(run, build.now, document_of(build, has_outbox=not has_webhook))
    assert outbox.written == {}
    assert (f"registered {run.metadata.uid}" in log.sent) is has_webhook


async def test_mongodb_away_stops_no_event_in_redis(build: Any) -> None:
    """What waits is written when it is back; a deleted run is held until then, or its patience ends."""
    outbox, log, now_s = Outbox(), Log(), [0.0]
    outbox.is_away = True
    publisher = EventPublisher(log, log, outbox=OutboxWriter(outbox, lambda: now_s[0]))  # type: ignore[arg-type]
    run, document = hooked(build), document_of(build, has_outbox=True)
    assert await publisher.publish(run, build.now, document) == RETRY_S
    assert len(log.sent) == 1
    assert not publisher.has_published_all(run, build.now)
    now_s[0] = RETRY_S - 1
    await publisher.publish(run, build.now, document)
    assert outbox.calls == 1
    now_s[0], outbox.is_away = RETRY_S, False
    assert await publisher.publish(run, build.now, document) is None
    assert publisher.has_published_all(run, build.now)
    assert list(outbox.written) == log.sent


async def test_mongodb_that_hangs_holds_up_no_pass(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write goes on without it, once however many passes come."""
    monkeypatch.setattr(outbox_writer, "PATIENCE_S", 0.01)
    outbox = Outbox()
    outbox.answers.clear()
    writer, run = OutboxWriter(outbox), hooked(build)
    events = due(run, build.now)
    for _ in range(3):
        assert await writer.write(run, events) is not None
    assert outbox.calls == 1
    outbox.answers.set()
    async with asyncio.timeout(30):
        while await writer.write(run, events) is not None:
            pass
    assert len(outbox.written) == 1


async def test_what_was_written_for_a_run_that_is_over_is_forgotten(build: Any) -> None:
    """Asked again, the outbox itself knows it."""
    outbox, log = Outbox(), Log()
    writer = OutboxWriter(outbox)
    publisher = EventPublisher(log, log, outbox=writer)  # type: ignore[arg-type]
    run, document = hooked(build), document_of(build, has_outbox=True)
    for calls in (1, 1):
        assert await publisher.publish(run, build.now, document) is None
        assert outbox.calls == calls
    publisher.forget(run.metadata.uid)
    assert (len(publisher._runs), len(writer._written)) == (0, 0)
    assert await publisher.publish(run, build.now, document) is None
    assert (outbox.calls, len(outbox.written)) == (2, 1)


class Cluster:
    """Runs by name; statuses as they were written."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs = {run["metadata"]["name"]: run for run in runs}
        self.written: list[dict[str, Any]] = []

    async def get_run(self, name: str) -> dict[str, Any]:
        if name not in self.runs:
            raise Missing("gone")
        return self.runs[name]

    async def put_status(self, name: str, resource_version: str, status: dict[str, Any]) -> dict[str, Any]:
        assert self.runs[name]["metadata"]["resourceVersion"] == resource_version
        self.written.append(status)
        return self.runs[name]


async def test_what_was_given_up_stands_in_the_run_s_conditions(build: Any) -> None:
    """A number and a class of error; of runs that are gone, or another operator's, nothing is said."""
    body = build.running("story").model_dump(by_alias=True, mode="json")
    uid, name = body["metadata"]["uid"], body["metadata"]["name"]
    outbox, cluster = Outbox(), Cluster(body)
    at = datetime.now(UTC)
    mine = GivenUp(uid, name, 3, "status 503", at)
    outbox.given = [GivenUp("another", name, 1, "x", at), GivenUp("gone", "gone", 1, "x", at), mine]
    await GivenUpReports(outbox, cluster, lambda: True, is_ours=lambda _: False).look()
    assert cluster.written == []  # another shard says it
    await GivenUpReports(outbox, cluster, lambda: True).look()
    (status,) = cluster.written
    said = {c["type"]: (c["status"], c["reason"], c["message"]) for c in status["conditions"]}
    message = "Events that the webhook does not get: 3. Last: status 503."
    assert said["WebhookDelivered"] == ("False", "WebhookGivenUp", message)
    assert outbox.reported == [mine]
    assert parse_run({**body, "status": status}).status.phase == body["status"]["phase"]
