"""Work that can wait is done once, when it is due, and never grows without bound."""

import asyncio

from gather_brain.context.delay_queue import DelayQueue


async def test_work_comes_when_it_is_due_and_the_first_due_first() -> None:
    """Whatever the order in which it was asked for."""
    queue = DelayQueue[str](10)
    queue.put("late", "late", 0.02)
    queue.put("early", "early", 0)
    assert [await queue.next(), await queue.next()] == ["early", "late"]


async def test_asking_again_neither_doubles_nor_delays() -> None:
    """A department under constant writing is still looked at; the newest request's work is what is done."""
    now = [0.0]
    queue = DelayQueue[str](10, clock=lambda: now[0])
    queue.put("a", "first", 5)
    now[0] = 4
    queue.put("a", "second", 5)
    now[0] = 5
    assert await queue.next() == "second"
    assert len(queue) == 0


async def test_there_is_never_more_than_the_limit() -> None:
    """What has no room is refused; what waits already is not."""
    queue = DelayQueue[str](1)
    assert queue.put("a", "a", 60)
    assert not queue.put("b", "b", 0)
    assert queue.put("a", "again", 0)
    assert len(queue) == 1


async def test_waiting_ends_when_something_earlier_is_put() -> None:
    """A wait for work due in an hour does not keep work due now waiting."""
    queue = DelayQueue[str](10)
    queue.put("later", "later", 3600)
    waiting = asyncio.create_task(queue.next())
    await asyncio.sleep(0)
    queue.put("now", "now", 0)
    assert await waiting == "now"
