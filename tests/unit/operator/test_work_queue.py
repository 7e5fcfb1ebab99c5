"""The work queue: one task a key, nothing lost, waits that hold, stops first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterUnavailable
from gather_operator import work_queue as module
from gather_operator.work_queue import BACKOFF, LATE_SHARE, RESERVED, Next, WorkQueue

LIMIT_S = 30
SOON_S = 0.02


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


@asynccontextmanager
async def running(
    queue: WorkQueue, work: Callable[[str], Awaitable[Next]], workers: int = 2
) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(workers, work))
    try:
        yield
    finally:
        await end_tasks([task])


async def run_until(queue: WorkQueue, recorder: Recorder, work: Callable[[str], Awaitable[Next]]) -> None:
    async with running(queue, work):
        async with asyncio.timeout(LIMIT_S):
            await recorder.done.wait()


async def test_a_key_queued_often_is_worked_on_once() -> None:
    """A burst of pod events is one decision."""
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    for _ in range(5):
        queue.add("a")
    queue.add("b")
    await run_until(queue, recorder, work)
    assert sorted(recorder.keys) == ["a", "b"]


async def test_a_key_is_never_worked_on_twice_at_the_same_time() -> None:
    """What comes while it is worked on is worked on afterwards."""
    queue, recorder = WorkQueue(), Recorder(2)
    busy: set[str] = set()

    async def work(key: str) -> Next:
        assert key not in busy
        busy.add(key)
        if not recorder.keys:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(0)
        busy.discard(key)
        recorder.note(key)
        return Next()

    queue.add("a")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["a", "a"]


async def test_a_run_that_hangs_does_not_hold_up_another() -> None:
    """Its namespace may be stuck."""
    queue, recorder = WorkQueue(), Recorder(1)

    async def work(key: str) -> Next:
        if key == "hangs":
            await asyncio.Event().wait()
        recorder.note(key)
        return Next()

    queue.add("hangs")
    queue.add("other")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["other"]


@pytest.mark.parametrize("error", [ClusterUnavailable("unavailable"), ZeroDivisionError("a mistake of ours")])
async def test_a_failure_is_tried_again_later_and_later(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected or not; and a success forgets it."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(0.001, 0.016))
    queue, recorder = WorkQueue(), Recorder(8)
    held_s: list[float] = []

    async def work(key: str) -> Next:
        recorder.note(key)
        if len(recorder.keys) != 6:
            raise error
        return Next(0)

    attempt = queue._attempt

    async def observed(key: str, work: Callable[[str], Awaitable[Next]]) -> Next:
        following = await attempt(key, work)
        held_s.append(following.after_s or 0)
        return following

    monkeypatch.setattr(queue, "_attempt", observed)
    queue.add("a")
    await run_until(queue, recorder, work)
    assert held_s[:7] == [0.001, 0.002, 0.004, 0.008, 0.016, 0, 0.001]


@pytest.mark.parametrize(
    ("asked_s", "held_s"), [(0.3, 0.3), (0.0001, 0.001), (1e9, module.RETRY_AFTER_MAX_S)]
)
async def test_a_wait_that_was_asked_for_is_kept(
    asked_s: float, held_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After, within bounds, and never less than our own wait."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(0.001, 0.016))
    queue = WorkQueue()

    async def work(_: str) -> Next:
        error = ClusterUnavailable("429")
        error.retry_after_s = asked_s
        raise error

    assert await queue._attempt("a", work) == Next(held_s, is_held=True)


async def test_no_change_brings_a_held_key_forward_but_a_person_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticker and watches come many times a second; a deletion must not wait for them."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    queue, recorder = WorkQueue(), Recorder(1)

    async def work(key: str) -> Next:
        recorder.note(key)
        raise ClusterUnavailable("503")

    queue.add("a")
    await run_until(queue, recorder, work)
    async with running(queue, work):
        for _ in range(20):
            queue.add("a")
            await asyncio.sleep(0)
        assert recorder.keys == ["a"]
        recorder.until = 2
        recorder.done.clear()
        queue.add("a", is_asked_for=True)
        async with asyncio.timeout(LIMIT_S):
            await recorder.done.wait()
    assert recorder.keys == ["a", "a"]


async def test_a_person_s_word_that_comes_meanwhile_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass under way has not seen it, and its failure puts off the next one."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> Next:
        if not recorder.keys:
            queue.add(key, is_asked_for=True)
            queue.add(key)
        recorder.note(key)
        raise ClusterUnavailable("503")

    queue.add("a")
    await run_until(queue, recorder, work)


async def test_urgent_keys_go_before_all_others() -> None:
    """A cancellation behind a thousand runs."""
    queue, recorder = WorkQueue(lambda key: key == "stop"), Recorder(101)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    for number in range(100):
        queue.add(str(number))
    queue.add("stop")
    await run_until(queue, recorder, work)
    assert recorder.keys[0] == "stop"


async def test_a_key_that_waits_becomes_urgent() -> None:
    """It was queued before its run was cancelled."""
    stopping: set[str] = set()
    queue, recorder = WorkQueue(stopping.__contains__), Recorder(10)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    for number in range(10):
        queue.add(str(number))
    stopping.add("9")
    queue.add("9", is_asked_for=True)
    await run_until(queue, recorder, work)
    assert (recorder.keys[0], sorted(recorder.keys)) == ("9", sorted(set(recorder.keys)))


async def test_runs_at_work_go_before_those_that_have_not_begun() -> None:
    """A thousand that come at once hold up no step of those that came before; a few begin all the same."""
    queue, recorder = WorkQueue(is_late=lambda key: key.startswith("new")), Recorder(200)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    for number in range(100):
        queue.add(f"new {number}")
    for number in range(100):
        queue.add(f"at work {number}")
    await run_until(queue, recorder, work)
    begun_at_last = recorder.keys.index("at work 99")
    begun = [key for key in recorder.keys[:begun_at_last] if key.startswith("new")]
    assert len(begun) == pytest.approx(100 / (LATE_SHARE - 1), abs=3)


async def test_a_run_that_has_not_begun_can_be_stopped_at_once() -> None:
    """Wherever it waits."""
    stopping: set[str] = set()
    queue, recorder = WorkQueue(stopping.__contains__, lambda _: True), Recorder(10)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    for number in range(10):
        queue.add(str(number))
    stopping.add("9")
    queue.add("9", is_asked_for=True)
    await run_until(queue, recorder, work)
    assert (recorder.keys[0], len(set(recorder.keys))) == ("9", 10)


async def test_urgent_keys_have_workers_of_their_own() -> None:
    """All others may hang in something outside."""
    queue, recorder = WorkQueue(lambda key: key.startswith("stop")), Recorder(RESERVED + 1)

    async def work(key: str) -> Next:
        if not key.startswith("stop"):
            await asyncio.Event().wait()
        recorder.note(key)
        return Next()

    for number in range(40):
        queue.add(f"hangs {number}")
    async with running(queue, work):
        await asyncio.sleep(0)
        for number in range(RESERVED + 1):
            queue.add(f"stop {number}")
        async with asyncio.timeout(LIMIT_S):
            await recorder.done.wait()
    assert sorted(recorder.keys) == [f"stop {number}" for number in range(RESERVED + 1)]


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

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next(0.01)

    queue.add("a")
    await run_until(queue, recorder, work)
    assert recorder.keys[:2] == ["a", "a"]


async def test_keys_that_have_succeeded_leave_nothing_behind() -> None:
    """A year of runs must not be remembered."""
    queue, recorder = WorkQueue(), Recorder(3)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next(SOON_S, is_held=True) if recorder.keys.count(key) == 1 else Next()

    for key in "ab":
        queue.add(key)
    recorder.until = 4
    await run_until(queue, recorder, work)
    assert (queue._not_before_s, queue._timers, queue._failures, queue._again, queue._queued) == (
        {}, {}, {}, {}, {}
    )  # fmt: skip
    assert BACKOFF.last_s == 8


async def test_what_can_wait_comes_with_what_cannot() -> None:
    """Ten changes of a Job and its pod are one pass."""
    queue, recorder = WorkQueue(), Recorder(1)

    async def work(key: str) -> Next:
        recorder.note(key)
        return Next()

    queue.add_soon("a")
    queue.add_soon("b")
    queue.add("a")
    queue.add_soon("a")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["a"]
    assert list(queue._timers) == ["b"]


async def test_the_ticker_passes_over_a_key_that_just_had_its_pass() -> None:
    """It comes when the interval since that is over, not when the next round is."""
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> Next:
        recorder.note(key)
        if len(recorder.keys) == 1:
            asyncio.get_running_loop().call_soon(queue.tick, key, SOON_S)
        return Next()

    began_s = asyncio.get_running_loop().time()
    queue.tick("a", LIMIT_S)
    await run_until(queue, recorder, work)
    assert recorder.keys == ["a", "a"]
    assert asyncio.get_running_loop().time() - began_s >= SOON_S


async def test_a_wait_that_ends_during_a_pass_keeps_no_later_one_from_its_key() -> None:
    """The pass fails, and is to be tried again."""
    queue, recorder = WorkQueue(), Recorder(2)

    async def work(key: str) -> Next:
        recorder.note(key)
        if len(recorder.keys) == 1:
            queue.add_later(key, 0)
            await asyncio.sleep(SOON_S)
            return Next(SOON_S, is_held=True)
        return Next()

    queue.add("a")
    await run_until(queue, recorder, work)
    assert recorder.keys == ["a", "a"]
