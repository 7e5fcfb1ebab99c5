"""The hub gives every listener one unbroken line of events, whatever pub/sub lost, or tells all to reload."""

import asyncio
from typing import Any

import pytest

from gather_bridge.live.hub import Hub
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent
from tests.support.events.hub_clients import MemoryLog, P, listening


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def hub(log: MemoryLog) -> Hub:
    return Hub(log, Metrics())


async def test_events_go_to_the_listeners_of_their_project(hub: Hub, log: MemoryLog) -> None:
    """In order, from the moment of joining, without a look at the log."""
    log.append()
    async with listening(hub) as one, listening(hub) as two, listening(hub, "f" * 24) as other:
        assert one.start == Position("e1", 1)
        for _ in range(3):
            hub.accept(log.append())
        assert await one.received() == await two.received() == [2, 3, 4]
        assert await other.received() == []
    assert log.reads == 0


async def test_the_first_event_of_a_project_arrives(hub: Hub, log: MemoryLog) -> None:
    """A project without events has no epoch yet."""
    async with listening(hub) as subscription:
        assert subscription.start == Position()
        hub.accept(log.append())
        assert await subscription.received() == [1]


async def test_lost_messages_are_read_from_the_log(hub: Hub, log: MemoryLog) -> None:
    """Pub/sub promises nothing; the next message shows the gap."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.append()
        log.append()
        hub.accept(log.append())
        assert await subscription.received() == [1, 2, 3, 4]


async def test_a_lost_last_message_is_found_by_the_regular_check(hub: Hub, log: MemoryLog) -> None:
    """No further message would ever show that gap."""
    async with listening(hub) as subscription:
        log.append()
        hub.check_all()
        assert await subscription.received() == [1]


async def test_an_event_is_never_given_twice(hub: Hub, log: MemoryLog) -> None:
    """After a reconnection the same event may come from the log and from the channel."""
    async with listening(hub) as subscription:
        event = log.append()
        hub.check_all()
        await asyncio.sleep(0)
        hub.accept(event)
        hub.accept(event)
        assert await subscription.received() == [1]
        hub.accept(event)
        assert await subscription.received() == []


async def test_events_during_a_repair_are_neither_lost_nor_out_of_order(hub: Hub, log: MemoryLog) -> None:
    """The reader never waits for a repair."""
    async with listening(hub) as subscription:
        for _ in range(5):
            log.append()
        hub.check_all()
        for _ in range(20):
            hub.accept(log.append())
            await asyncio.sleep(0)
        assert await subscription.received() == list(range(1, 26))


async def test_a_client_that_joins_in_the_middle_gets_the_rest(hub: Hub, log: MemoryLog) -> None:
    """Each listener's line begins right after its own start."""
    starts: list[tuple[int, list[Any]]] = []

    async def listen() -> None:
        async with listening(hub) as subscription:
            starts.append((subscription.start.offset, await subscription.received()))

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
        assert await subscription.received() == [1]
        log.lose()
        log.epoch = "e2"
        hub.accept(log.append())
        hub.accept(log.append())
        got = await subscription.received()
        hub.accept(log.append())
        assert (got, await subscription.received()) == (["epoch_changed"], [3])


async def test_a_lost_log_makes_every_client_reload(hub: Hub, log: MemoryLog) -> None:
    """Even before anything new happens."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.lose()
        hub.check_all()
        assert await subscription.received() == [1, "epoch_changed"]
        log.epoch = "e2"
        hub.accept(log.append())
        assert await subscription.received() == [1]


async def test_a_log_that_went_back_makes_every_client_reload(hub: Hub, log: MemoryLog) -> None:
    """A Redis that lost its last second gives the same offsets of the same epoch to other events."""
    async with listening(hub) as subscription:
        for _ in range(3):
            hub.accept(log.append())
        assert await subscription.received() == [1, 2, 3]
        log.events = log.events[:1]
        for _ in range(3):
            log.append("other")
        hub.check_all()
        assert await subscription.received() == ["offset_ahead"]


async def test_a_gap_that_cannot_be_filled_is_never_filled_in_part(hub: Hub, log: MemoryLog) -> None:
    """The log was trimmed past it."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        assert await subscription.received() == [1]
        for _ in range(4):
            log.append()
        log.events = log.events[:1] + log.events[3:]
        hub.check_all()
        assert await subscription.received() == ["too_old"]


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
        assert await subscription.received() == [1]
        log.is_away = False
        hub.check_all()
        assert await subscription.received() == [2]


async def test_a_herd_asks_a_hanging_log_once(
    hub: Hub, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All learn at the same moment that it is away, not one after the other."""
    asked = 0
    gives_up = asyncio.Event()

    async def position(project_id: str) -> tuple[str, int]:
        nonlocal asked
        asked += 1
        await gives_up.wait()
        raise EventLogUnavailable("hangs")

    async def join() -> None:
        async with hub.joined(P):
            pass

    monkeypatch.setattr(log, "position", position)
    herd = [asyncio.create_task(join()) for _ in range(50)]
    await asyncio.sleep(0)
    herd[0].cancel()
    await asyncio.sleep(0)
    gives_up.set()
    found = await asyncio.gather(*herd, return_exceptions=True)
    assert [type(each) for each in found[1:]] == [EventLogUnavailable] * 49
    assert asked == 1
    monkeypatch.undo()
    async with listening(hub) as client:
        hub.accept(log.append())
        assert await client.received() == [1]


async def test_a_project_without_listeners_is_forgotten(hub: Hub, log: MemoryLog) -> None:
    """A new listener starts from the log's end, not from where the last one left."""
    async with listening(hub):
        hub.accept(log.append())
    hub.accept(log.append())
    async with listening(hub) as subscription:
        assert subscription.start.offset == 2


async def test_what_is_kept_of_all_projects_is_bounded_in_bytes(log: MemoryLog) -> None:
    """A client that is behind reads from the log what is no longer kept."""
    hub = Hub(log, Metrics(), newest_max_bytes=10_000)
    async with listening(hub) as slow:
        slow.reads.clear()
        for _ in range(100):
            hub.accept(log.append())
        kept = hub._feeds[P].newest
        assert sum(batch.size_bytes for batch in kept) <= 10_000
        assert 0 < len(kept) < 20
        slow.reads.set()
        assert await slow.received() == list(range(1, 101))


async def test_what_is_no_event_is_passed_over(hub: Hub, log: MemoryLog) -> None:
    """Its place in the log is empty; all others are there, from the log and live."""
    async with listening(hub) as subscription:
        hub.accept(log.append())
        log.events.append(StoredEvent(2))
        hub.accept(log.append())
        hub.accept(log.append())
        assert await subscription.received() == [1, 3, 4]


async def test_a_log_that_begins_with_what_is_no_event_is_followed(hub: Hub, log: MemoryLog) -> None:
    """It has no epoch of its own."""
    async with listening(hub) as subscription:
        log.epoch = "e1"
        log.events.append(StoredEvent(1))
        hub.accept(log.append())
        assert await subscription.received() == [2]
