"""A task that lives while somebody needs it."""

import asyncio

from gather_clients.background_tasks import OnDemandTask, end_tasks

LIMIT_S = 30


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


async def _losing(started: asyncio.Event) -> None:
    """Lose the first cancellation, as `asyncio.wait_for` of Python 3.11 may."""
    started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def _raising(started: asyncio.Event) -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("at the end")


async def _saving(started: asyncio.Event, saved: asyncio.Event) -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.1)
        saved.set()


async def test_a_task_that_saves_at_its_end_is_given_the_time() -> None:
    """It is cancelled again only after so long."""
    started, saved = asyncio.Event(), asyncio.Event()
    saving = asyncio.create_task(_saving(started, saved))
    await started.wait()
    await end_tasks([saving], again_s=30)
    assert saved.is_set()
    hurried = asyncio.create_task(_saving(started, asyncio.Event()))
    await asyncio.sleep(0)
    await end_tasks([hurried], again_s=0.001)
    assert hurried.cancelling() > 1


async def test_a_task_ends_though_a_cancellation_was_lost() -> None:
    """It is cancelled again; what another raises at its end holds nobody up."""
    started = [asyncio.Event(), asyncio.Event()]
    losing = asyncio.create_task(_losing(started[0]))
    raising = asyncio.create_task(_raising(started[1]))
    for event in started:
        await event.wait()
    async with asyncio.timeout(30):
        await end_tasks([losing, raising], again_s=0.01)
    assert losing.cancelled()
    assert isinstance(raising.exception(), ValueError)


async def test_tasks_that_have_ended_are_waited_for_no_more() -> None:
    """None at all, too."""
    await end_tasks([])
