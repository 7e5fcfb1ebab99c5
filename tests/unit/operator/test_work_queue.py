"""The work queue: one task a key, nothing lost, one run's trouble is its own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gather_operator import work_queue as module
from gather_operator.errors import ClusterUnavailable
from gather_operator.work_queue import WorkQueue

LIMIT_S = 5


class Recorder:
    """Records what was worked on, and ends after so many."""

    def __init__(self, until: int) -> None:
        self.keys: list[str] = []
        self.until = until
        self.done = asyncio.Event()

    def note(self, key: str) -> None:
        self.keys.append(key)
        if len(self.keys) >= self.until:
            self.done.set()


async def run_until(
    queue: WorkQueue, recorder: Recorder, work: Callable[[str], Awaitable[float | None]]
) -> None:
    task = asyncio.create_task(queue.run(2, work))
    try:
        await asyncio.wait_for(recorder.done.wait(), LIMIT_S)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_key_queued_often_is_worked_on_once() -> None:
    """A burst of pod events is one decision."""
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> None:
        recorder.note(key)

    for _ in range(5):
        queue.add("a")
    queue.add("b")
    await run_until(queue, recorder, work)
    assert sorted(recorder.keys) == ["a", "b"]


async def test_a_key_is_never_worked_on_twice_at_the_same_time() -> None:
    """What comes while it is worked on is worked on afterwards."""
    queue, recorder = WorkQueue(), Recorder(2)
    busy: set[str] = set()

    async def work(key: str) -> None:
        assert key not in busy
        busy.add(key)
        if not recorder.keys:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(0)
        busy.discard(key)
        recorder.note(key)

    queue.add("a")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["a", "a"]


async def test_a_run_that_hangs_does_not_hold_up_another() -> None:
    """Its namespace may be stuck."""
    queue, recorder = WorkQueue(), Recorder(1)

    async def work(key: str) -> None:
        if key == "hangs":
            await asyncio.Event().wait()
        recorder.note(key)

    queue.add("hangs")
    queue.add("other")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["other"]


@pytest.mark.parametrize("error", [ClusterUnavailable("unavailable"), ZeroDivisionError("a mistake of ours")])
async def test_a_failure_is_tried_again_later_and_later(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected or not; and a success forgets it."""
    delays: list[float] = []
    queue, recorder = WorkQueue(), Recorder(7)

    def add_later(key: str, delay_s: float) -> None:
        delays.append(delay_s)
        queue.add(key)

    monkeypatch.setattr(queue, "add_later", add_later)

    async def work(key: str) -> None:
        await asyncio.sleep(0)
        recorder.note(key)
        if len(recorder.keys) != 6:
            raise error
        queue.add(key)

    queue.add("a")
    await run_until(queue, recorder, work)
    assert delays[:5] == [0.5, 1.0, 2.0, 4.0, module.BACKOFF.last_s]


async def test_of_several_delays_the_shortest_counts() -> None:
    """And a key added now needs no timer."""
    queue = WorkQueue()
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    queue.add_later("a", 60)
    queue.add_later("a", 10)
    queue.add_later("a", 30)
    assert 9 < queue._timers["a"].when() - start_s < 11
    queue.add("a")
    assert queue._timers == {}


async def test_what_the_work_asks_for_is_queued() -> None:
    """A throttled status write comes back after its delay."""
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> float:
        recorder.note(key)
        return 0.01

    queue.add("a")
    await run_until(queue, recorder, work)
    assert recorder.keys[:2] == ["a", "a"]
