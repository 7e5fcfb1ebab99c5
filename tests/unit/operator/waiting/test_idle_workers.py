"""Workers of the queue that have nothing to do: a key wakes one of them; looking in vain does not count."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from unittest.mock import patch

from gather_clients.background_tasks import end_tasks
from gather_operator.work_queue import LATE_SHARE, Next, WorkQueue


@asynccontextmanager
async def running(
    queue: WorkQueue, work: Callable[[str], Awaitable[Next]], workers: int = 1
) -> AsyncIterator[None]:
    """Let the queue be worked on once its workers wait for keys."""
    task = asyncio.create_task(queue.run(workers, work))
    await settled()
    try:
        yield
    finally:
        await end_tasks([task])


async def settled() -> None:
    """Let everything happen that needs no time."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_every_so_many_keys_one_that_has_not_begun_is_taken_however_long_workers_were_idle() -> None:
    """Only keys that are taken count, not how often an idle worker has looked for one."""
    for idle_times in range(LATE_SHARE):
        queue, taken, proceed = WorkQueue(is_late=lambda key: key == "new"), list[str](), asyncio.Event()

        async def work(key: str, taken: list[str] = taken, proceed: asyncio.Event = proceed) -> Next:
            taken.append(key)
            if key == "first":
                await proceed.wait()
            return Next()

        async with running(queue, work):
            for number in range(idle_times):
                queue.add(f"idle {number}")
                await settled()
            for key in ("first", "new", *(f"at work {number}" for number in range(LATE_SHARE))):
                queue.add(key)
            await settled()
            proceed.set()
            await settled()
        assert len(taken) == idle_times + LATE_SHARE + 2
        assert (taken.index("new") + 1) % LATE_SHARE == 0, taken


async def test_a_key_wakes_one_idle_worker() -> None:
    """Not all of them, of which the others would find nothing."""

    async def calls_for_a_key(workers: int) -> int:
        queue, taken = WorkQueue(), list[str]()

        async def work(key: str) -> Next:
            taken.append(key)
            return Next()

        async with running(queue, work, workers):
            loop = asyncio.get_running_loop()
            with patch.object(loop, "call_soon", wraps=loop.call_soon) as called:
                queue.add("a")
                await settled()
            assert taken == ["a"]
            return called.call_count

    assert await calls_for_a_key(32) == await calls_for_a_key(1)


async def test_workers_that_were_stopped_while_idle_keep_no_key_from_the_next_ones() -> None:
    """As when a replica gives its Lease back and takes it again."""
    queue, taken = WorkQueue(), list[str]()

    async def work(key: str) -> Next:
        taken.append(key)
        return Next()

    async with running(queue, work):
        pass
    async with running(queue, work):
        queue.add("a")
        await settled()
    assert taken == ["a"]
