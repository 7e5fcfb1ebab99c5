"""A task that lives while somebody needs it."""

import asyncio

from gather_clients.on_demand import OnDemandTask

LIMIT_S = 5


async def test_it_starts_when_it_is_needed_and_again_after_its_end() -> None:
    """However many need it, it runs once."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))

    task = OnDemandTask(work)
    for expected in (1, 2):
        task.need()
        task.need()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(begun) == expected


async def test_a_newcomer_ends_a_pause() -> None:
    """And time does."""
    looks: asyncio.Queue[None] = asyncio.Queue()

    async def work() -> None:
        while True:
            looks.put_nowait(None)
            await task.pause(3600 if looks.qsize() else 0.001)

    task = OnDemandTask(work)
    async with asyncio.timeout(LIMIT_S):
        task.need()
        await looks.get()
        task.need()
        await looks.get()
    await task.close()


async def test_closing_waits_for_its_end_and_may_be_repeated() -> None:
    """So that nothing of it happens afterwards."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await task.pause(3600)
        finally:
            await asyncio.sleep(0)
            ended.set()

    task = OnDemandTask(work)
    await task.close()
    task.need()
    await asyncio.sleep(0)
    await task.close()
    assert ended.is_set()
    await task.close()
