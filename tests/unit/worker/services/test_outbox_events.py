"""The department's events for a webhook: written before Redis hears of them, waited for as notes are."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.events import Event
from gather_contracts.run_document import RunDocument
from gather_worker.errors import StoreUnavailable, WriteRefused
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.outbox_events import OutboxEvents


class World:
    """Redis, MongoDB and what waits for it, in memory; MongoDB can refuse or be away."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.urls: set[str] = set()
        self.failure: Exception | None = None

    def write_as(self, writer: str, epoch: int) -> None:
        """Nobody follows."""

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:  # noqa: ARG002
        self.calls.append(f"redis {event.id}")
        return 1

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:  # noqa: ARG002
        """Return whether the key was used."""
        return False

    @property
    def client(self) -> Any:
        return {names.OUTBOX_DATABASE: {names.OUTBOX_EVENTS: self}}

    async def insert_one(self, document: dict[str, Any]) -> None:
        assert document["text"]
        self.urls.add(document["url"])
        self.calls.append(f"outbox {document['_id']}")

    async def persist(self, operation: Callable[[], Awaitable[Any]], collection: str) -> Any:
        assert collection == "webhook_events"
        if self.failure is not None:
            raise self.failure
        return await operation()

    async def close(self) -> None:
        """Nothing is open."""


URL = "https://app.example/hooks"


def publisher_of(world: World, document: RunDocument) -> EventPublisher:
    outbox = OutboxEvents(world, URL)
    return EventPublisher(world, document, document.departments[0], 12, outbox)


async def test_an_event_is_in_the_outbox_before_redis_hears_of_it(document: RunDocument) -> None:
    """With the same identity, so that who hears of it finds it."""
    world = World()
    publisher = publisher_of(world, document)
    await publisher.started(1)
    await publisher.close()
    ways, ids = zip(*(call.split() for call in world.calls), strict=True)
    assert ways == ("outbox", "redis")
    assert len(set(ids)) == 1
    assert world.urls == {URL}


async def test_a_right_that_is_missing_fails_no_run(
    document: RunDocument, caplog: pytest.LogCaptureFixture
) -> None:
    """Its log says that the webhook gets nothing; live progress goes on."""
    world = World()
    world.failure = WriteRefused("gather-outbox.webhook_events: the user may not do that")
    publisher = publisher_of(world, document)
    await publisher.started(1)
    await publisher.close()
    assert [call.split()[0] for call in world.calls] == ["redis"]
    assert "the run's webhook does not get department_started" in caplog.text


async def test_mongodb_away_ends_the_attempt_as_it_does_for_notes(document: RunDocument) -> None:
    """The next one sends the event again, with the same identity."""
    world = World()
    world.failure = StoreUnavailable("MongoDB is unavailable")
    publisher = publisher_of(world, document)
    with pytest.raises(StoreUnavailable):
        await publisher.started(1)
    world.failure = None
    await publisher.started(1)
    await publisher.close()
    assert len(world.calls) == 2
