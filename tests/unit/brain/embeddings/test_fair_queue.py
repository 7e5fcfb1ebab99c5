"""Which request goes next, where few can at a time."""

import asyncio

import pytest

from gather_brain.embeddings.fair_queue import OLDEST_EVERY, FairQueue, Flow
from gather_clients.background_tasks import end_tasks


async def take(queue: FairQueue, flow: Flow, costs: list[int], log: list[str], name: str) -> None:
    for cost in costs:
        async with queue.turn(flow, cost):
            log.append(name)
            await asyncio.sleep(0)


async def test_no_more_are_admitted_than_there_are_places() -> None:
    queue, inside, most = FairQueue(2), 0, 0

    async def enter() -> None:
        nonlocal inside, most
        async with queue.turn(queue.join(), 1):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(9)))
    assert (most, inside) == (2, 0)


async def test_a_short_request_goes_before_the_rest_of_long_ones() -> None:
    """It waits for the turn under way, and for one more of who is behind the oldest."""
    queue = FairQueue(1)
    log: list[str] = []
    shorts: list[asyncio.Task[None]] = []

    async def long(flow: Flow) -> None:
        for _ in range(5):
            async with queue.turn(flow, 10):
                log.append("long")
                if len(log) == 8:
                    shorts.append(asyncio.create_task(take(queue, queue.join(), [1], log, "short")))
                await asyncio.sleep(0)

    await asyncio.gather(*(long(queue.join()) for _ in range(4)))
    await asyncio.gather(*shorts)
    assert log.index("short") == 9


async def test_short_requests_without_end_let_a_long_one_finish() -> None:
    """It has moved back by its own turns only, and those that come later do not start in front of it."""
    queue = FairQueue(1)
    log: list[str] = []
    long = asyncio.create_task(take(queue, queue.join(), [10] * 3, log, "long"))
    for _ in range(200):
        if long.done():
            break
        await asyncio.gather(*(take(queue, queue.join(), [4], log, "short") for _ in range(3)))
    assert long.done()


async def test_a_long_request_ends_though_short_ones_always_wait() -> None:
    """Where more come than can be served: every fourth turn is the oldest's, however much it has used."""
    queue = FairQueue(2)
    log: list[str] = []
    shorts: set[asyncio.Task[None]] = set()
    long = asyncio.create_task(take(queue, queue.join(), [10] * 20, log, "long"))
    while not long.done() and len(log) < 1000:
        while len(shorts) < 6:
            short = asyncio.create_task(take(queue, queue.join(), [7], log, "short"))
            shorts.add(short)
            short.add_done_callback(shorts.discard)
        await asyncio.sleep(0)
    await asyncio.gather(long, *shorts)
    assert log.index("short") < 8
    assert len(log) < 20 * OLDEST_EVERY + 12


async def test_a_cancelled_request_leaves_no_place_taken() -> None:
    """While it waits, and in the moment in which it is admitted."""
    queue = FairQueue(1)
    async with queue.turn(queue.join(), 1):
        waiting = asyncio.create_task(take(queue, queue.join(), [1], [], "waiting"))
        await asyncio.sleep(0)
        await end_tasks([waiting])
        admitted = asyncio.create_task(take(queue, queue.join(), [1], [], "admitted"))
        await asyncio.sleep(0)
    admitted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await admitted
    log: list[str] = []
    async with asyncio.timeout(5):
        await take(queue, queue.join(), [1], log, "next")
    assert log == ["next"]


async def test_a_failed_turn_gives_its_place_back() -> None:
    queue = FairQueue(1)
    with pytest.raises(ValueError, match="model"):
        async with queue.turn(queue.join(), 1):
            raise ValueError("model")
    log: list[str] = []
    async with asyncio.timeout(5):
        await take(queue, queue.join(), [1], log, "next")
    assert log == ["next"]
