"""A client gets what follows its place, from memory or from the log, however slow or early it is."""

import asyncio

import pytest

from gather_bridge.live.hub import Hub
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from tests.support.events.hub_clients import MemoryLog, listening


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def hub(log: MemoryLog) -> Hub:
    return Hub(log, Metrics())


async def test_a_slow_listener_costs_only_itself(hub: Hub, log: MemoryLog) -> None:
    """The other one gets everything at once; the slow one gets it when it reads, from the log."""
    async with listening(hub) as slow, listening(hub) as quick:
        slow.reads.clear()
        for _ in range(600):
            hub.accept(log.append())
        assert await quick.received() == list(range(1, 601))
        assert await slow.received() == []
        slow.reads.set()
        assert await slow.received() == list(range(1, 601))


async def test_a_burst_in_the_log_reaches_every_client(hub: Hub, log: MemoryLog) -> None:
    """More than is kept of a project, after an outage, and nobody is dropped."""
    async with listening(hub) as one, listening(hub) as two:
        for _ in range(500):
            log.append()
        hub.check_all()
        assert [await one.received(), await two.received()] == [list(range(1, 501))] * 2


async def test_a_client_that_another_bridge_has_told_more_need_not_reload(hub: Hub, log: MemoryLog) -> None:
    """This one has not heard of the newest events yet: it looks into the log first."""
    async with listening(hub) as first:
        hub.accept(log.append())
        late = [log.append(), log.append()]
        async with (
            listening(hub, asked=Position("e1", 2)) as back,
            listening(hub, asked=Position("e1", 3)) as ahead,
        ):
            assert (back.hello["recovered"], ahead.hello["recovered"]) == (True, True)
            for event in (*late, log.append()):
                hub.accept(event)
            assert [await back.received(), await ahead.received()] == [[3, 4], [4]]
        assert await first.received() == [1, 2, 3, 4]


async def test_a_client_of_a_new_log_may_be_the_first_to_know_of_it(hub: Hub, log: MemoryLog) -> None:
    """Those that were there reload, the new one does not."""
    async with listening(hub) as first:
        hub.accept(log.append())
        assert await first.received() == [1]
        log.lose("e2")
        log.append()
        async with listening(hub, asked=Position("e2", 1)) as back:
            assert back.hello["recovered"]
            hub.accept(log.append())
            assert [await first.received(), await back.received()] == [["epoch_changed", 2], [2]]


async def test_a_client_that_fell_out_of_the_log_reloads_in_place(hub: Hub, log: MemoryLog) -> None:
    """What it missed was trimmed while it read nothing; it goes on from the log's end."""
    async with listening(hub) as slow:
        slow.reads.clear()
        for _ in range(600):
            hub.accept(log.append())
        log.events = log.events[500:]
        slow.reads.set()
        got = await slow.received()
        hub.accept(log.append())
        assert (got, await slow.received()) == (["too_old"], [601])


async def test_a_client_that_is_behind_waits_for_the_log(
    hub: Hub, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not sent away in the middle of a replay."""
    monkeypatch.setattr("gather_bridge.live.follower.RETRY_S", 0.001)
    async with listening(hub) as slow:
        slow.reads.clear()
        for _ in range(600):
            hub.accept(log.append())
        log.is_away = True
        slow.reads.set()
        assert await slow.received() == []
        log.is_away = False
        hub.check_all()
        async with asyncio.timeout(30):
            while slow.got[-1:] != [600]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        assert slow.got == list(range(1, 601))
