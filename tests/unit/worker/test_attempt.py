"""The attempt's time and its early ends."""

import asyncio

import pytest

from gather_worker.attempt import SAVE_GRACE_S, Attempt, soft_deadline_s
from gather_worker.errors import DeadlineNear, Terminated
from tests.support.fake_clock import FakeClock


@pytest.mark.parametrize(("timeout_s", "expected"), [(600, 570), (3600, 3570), (100, 90), (30, 25)])
def test_the_soft_deadline_leaves_time_to_save(timeout_s: float, expected: float) -> None:
    """A tenth, at least 5 s and at most 30 s before the kubelet's."""
    assert soft_deadline_s(timeout_s) == expected


async def test_time_runs_down(clock: FakeClock) -> None:
    """And never below nothing."""
    attempt = Attempt(10, clock)
    clock.now_s += 4
    assert attempt.remaining_s == 6
    clock.now_s += 60
    assert attempt.remaining_s == 0
    with pytest.raises(DeadlineNear):
        attempt.check()


async def test_saving_after_sigterm_has_its_own_time(clock: FakeClock) -> None:
    """Counted from the first SIGTERM; a second one grants no more."""
    attempt = Attempt(500, clock)
    attempt.terminate()
    clock.now_s += 5
    attempt.terminate()
    assert attempt.saving_remaining_s == SAVE_GRACE_S - 5
    with pytest.raises(Terminated):
        attempt.check()


async def test_work_that_is_done_in_time_gives_its_result() -> None:
    """The usual case."""
    assert await Attempt(10).race(asyncio.sleep(0, "done")) == "done"


async def test_work_is_cancelled_when_sigterm_comes() -> None:
    """It can clean up, and nothing of it goes on afterwards."""
    attempt = Attempt(10)
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    asyncio.get_running_loop().call_soon(attempt.terminate)
    with pytest.raises(Terminated):
        await attempt.race(work())
    assert cancelled.is_set()


async def test_the_works_own_error_comes_through() -> None:
    """Unchanged."""

    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Attempt(10).race(work())


async def test_nothing_is_begun_after_the_end() -> None:
    """Work that was not begun leaves no warning about it either."""
    begun = False

    async def work() -> None:
        nonlocal begun
        begun = True

    attempt = Attempt(10)
    attempt.terminate()
    with pytest.raises(Terminated):
        await attempt.race(work())
    with pytest.raises(DeadlineNear):
        await Attempt(0).sleep(5)
    assert not begun


async def test_a_wait_between_saves_ends_with_sigterm_and_raises_nothing() -> None:
    """The save is tried once more at once."""
    attempt = Attempt(10)
    asyncio.get_running_loop().call_soon(attempt.terminate)
    async with asyncio.timeout(30):
        await attempt.back_off(60)


async def test_what_work_says_when_it_is_stopped_does_not_hide_the_stop() -> None:
    """A connection that is closed under a request may raise an error of its own."""

    async def breaks_down() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("closed")

    attempt = Attempt(60)
    racing = asyncio.create_task(attempt.race(breaks_down()))
    await asyncio.sleep(0)
    attempt.terminate()
    with pytest.raises(Terminated):
        await racing
