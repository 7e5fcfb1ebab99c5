"""The hub gives every listener one unbroken line of events, whatever pub/sub lost, or tells all to reload."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gather_bridge.errors import SubscriberTooSlow
from gather_bridge.live.hub import Hub
from gather_bridge.live.mailbox import Mailbox
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import Deduplicating
from tests.support.events.stored_events import stored

P = "66f1a2b3c4d5e6f708192a3b"


class MemoryLog:
    """A log in memory that can be unavailable, lose its data, and be trimmed."""

    def __init__(self) -> None:
        self.epoch = ""
        self.events: list[StoredEvent] = []
        self.is_away = False
        self.reads = 0

    def append(self, department: str = "story") -> StoredEvent:
        self.epoch = self.epoch or "e1"
        offset = self.events[-1].offset + 1 if self.events else 1
        sent = Deduplicating(project_id=P, run="film", department=department, offset=offset, epoch=self.epoch)
        event = stored(sent)
        self.events.append(event)
        return event

    def lose(self, epoch: str = "") -> None:
        self.epoch, self.events = epoch, []

    async def position(self, project_id: str) -> tuple[str, int]:  # noqa: ARG002 - one project
        await self._answer()
        return (self.epoch, self.events[-1].offset) if self.events else ("", 0)

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:  # noqa: ARG002
        await self._answer()
        self.reads += 1
        return [e for e in self.events if e.offset > after_offset][:limit]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.is_away:
            raise EventLogUnavailable("away")


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def hub(log: MemoryLog) -> Hub:
    return Hub(log, Metrics(), queue_events=100, queue_bytes=100_000)


@dataclass
class Listening:
    start: Position
    mailbox: Mailbox


@asynccontextmanager
async def listening(hub: Hub, project: str = P) -> AsyncIterator[Listening]:
    """Join as a client that wants live events."""
    async with hub.joined(project) as subscription:
        yield Listening(subscription.attach(), subscription.mailbox)


async def received(mailbox: Mailbox) -> list[Any]:
    """Return what arrives until nothing does: offsets of events, and of greetings their reason."""
    got: list[Any] = []
    while frame := await mailbox.get(0.02):
        body = json.loads(frame.text)
        got.append(body["reason"] if body["type"] == "hello" else body["offset"])
    return got


async def test_events_go_to_the_listeners_of_their_project(hub: Hub, log: MemoryLog) -> None:
    """In order, from the moment of joining, without a look at the log."""
    log.append()
    async with listening(hub) as one, listening(hub) as two, listening(hub, "f" * 24) as other:
        assert one.start == Position("e1", 1)
        for _ in range(3):
            hub.accept(log.append())
        assert await received(one.mailbox) == await received(two.mailbox) == [2, 3, 4]
        assert await received(other.mailbox) == []
    assert log.reads == 0


async def test_the_first_event_of_a_project_arrives(hub: Hub, log: MemoryLog) -> None:
    """A project without events has no epoch yet."""
    async with listening(hub) as subscription:
        assert subscription.start == Position()
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1]


async def test_lost_messages_are_read_from_the_log(hub: Hub, log: MemoryLog) -> None:
    """Pub/sub promises nothing; the next message shows the gap."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.append()
        log.append()
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1, 2, 3, 4]


async def test_a_lost_last_message_is_found_by_the_regular_check(hub: Hub, log: MemoryLog) -> None:
    """No further message would ever show that gap."""
    async with listening(hub) as subscription:
        log.append()
        hub.check_all()
        assert await received(subscription.mailbox) == [1]


async def test_an_event_is_never_given_twice(hub: Hub, log: MemoryLog) -> None:
    """After a reconnection the same event may come from the log and from the channel."""
    async with listening(hub) as subscription:
        event = log.append()
        hub.check_all()
        await asyncio.sleep(0)
        hub.accept(event)
        hub.accept(event)
        assert await received(subscription.mailbox) == [1]
        hub.accept(event)
        assert await received(subscription.mailbox) == []


async def test_events_during_a_repair_are_neither_lost_nor_out_of_order(hub: Hub, log: MemoryLog) -> None:
    """The reader never waits for a repair."""
    async with listening(hub) as subscription:
        for _ in range(5):
            log.append()
        hub.check_all()
        for _ in range(20):
            hub.accept(log.append())
            await asyncio.sleep(0)
        assert await received(subscription.mailbox) == list(range(1, 26))


async def test_a_client_that_joins_in_the_middle_gets_the_rest(hub: Hub, log: MemoryLog) -> None:
    """Each listener's line begins right after its own start."""
    starts: list[tuple[int, list[Any]]] = []

    async def listen() -> None:
        async with listening(hub) as subscription:
            starts.append((subscription.start.offset, await received(subscription.mailbox)))

    listeners = []
    for _ in range(10):
        listeners.append(asyncio.create_task(listen()))
        hub.accept(log.append())
        await asyncio.sleep(0)
    await asyncio.gather(*listeners)
    for start, got in starts:
        assert got == list(range(start + 1, 11))


async def test_a_new_log_makes_every_client_reload(hub: Hub, log: MemoryLog) -> None:
    """Once, and the new log's events follow."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1]
        log.lose()
        log.epoch = "e2"
        hub.accept(log.append())
        hub.accept(log.append())
        got = await received(subscription.mailbox)
        hub.accept(log.append())
        assert (got, await received(subscription.mailbox)) == (["epoch_changed"], [3])


async def test_a_lost_log_makes_every_client_reload(hub: Hub, log: MemoryLog) -> None:
    """Even before anything new happens."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.lose()
        hub.check_all()
        assert await received(subscription.mailbox) == [1, "epoch_changed"]
        log.epoch = "e2"
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1]


async def test_a_log_that_went_back_makes_every_client_reload(hub: Hub, log: MemoryLog) -> None:
    """A Redis that lost its last second gives the same offsets of the same epoch to other events."""
    async with listening(hub) as subscription:
        for _ in range(3):
            hub.accept(log.append())
        assert await received(subscription.mailbox) == [1, 2, 3]
        log.events = log.events[:1]
        for _ in range(3):
            log.append("other")
        hub.check_all()
        assert await received(subscription.mailbox) == ["offset_ahead"]


async def test_a_gap_that_cannot_be_filled_is_never_filled_in_part(hub: Hub, log: MemoryLog) -> None:
    """The log was trimmed past it."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1]
        for _ in range(4):
            log.append()
        log.events = log.events[:1] + log.events[3:]
        hub.check_all()
        assert await received(subscription.mailbox) == ["too_old"]


async def test_without_a_log_nobody_joins_and_listeners_keep_their_place(hub: Hub, log: MemoryLog) -> None:
    """They go on where they were when it comes back."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.is_away = True
        log.append()
        hub.check_all()
        with pytest.raises(EventLogUnavailable):
            async with listening(hub, "f" * 24):
                pass
        assert await received(subscription.mailbox) == [1]
        log.is_away = False
        hub.check_all()
        assert await received(subscription.mailbox) == [2]


async def test_a_slow_listener_costs_only_itself(log: MemoryLog) -> None:
    """The other one gets everything."""
    hub = Hub(log, Metrics(), queue_events=5, queue_bytes=100_000)
    async with listening(hub) as slow, listening(hub) as quick:
        got: Sequence[Any] = []
        for _ in range(10):
            hub.accept(log.append())
            got = [*got, *await received(quick.mailbox)]
        assert got == list(range(1, 11))
        with pytest.raises(SubscriberTooSlow):
            await slow.mailbox.get(0.01)


async def test_a_project_without_listeners_is_forgotten(hub: Hub, log: MemoryLog) -> None:
    """A new listener starts from the log's end, not from where the last one left."""
    async with listening(hub):
        hub.accept(log.append())
    hub.accept(log.append())
    async with listening(hub) as subscription:
        assert subscription.start.offset == 2


async def test_a_burst_from_the_log_waits_for_healthy_clients(hub: Hub, log: MemoryLog) -> None:
    """Five times what may wait for a client, and nobody is dropped for reading no faster than we write."""
    async with listening(hub) as one, listening(hub) as two:
        for _ in range(500):
            log.append()
        hub.check_all()
        got = await asyncio.gather(received(one.mailbox), received(two.mailbox))
        assert [*got] == [list(range(1, 501))] * 2


async def test_what_is_no_event_is_passed_over(hub: Hub, log: MemoryLog) -> None:
    """Its place in the log is empty; all others are there, from the log and live."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.events.append(StoredEvent(2))
        hub.accept(log.append())
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [1, 3, 4]


async def test_a_log_that_begins_with_what_is_no_event_is_followed(hub: Hub, log: MemoryLog) -> None:
    """It has no epoch of its own."""
    async with listening(hub) as subscription:
        log.epoch = "e1"
        log.events.append(StoredEvent(1))
        hub.accept(log.append())
        assert await received(subscription.mailbox) == [2]
