"""One reading of the CMS for all runs: who gets which answer, and when the CMS is asked again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gather_clients.backoff import Backoff
from gather_operator.cms import shared_readings as module
from gather_operator.cms.shared_readings import SharedReadings
from gather_operator.decisions.facts import CmsFailure, CmsReading, CmsSilence
from gather_operator.errors import CmsUnavailable

LIMIT_S = 30
PATIENCE_S = 60.0


class Reader:
    """A CMS whose answers the test gives, each to the oldest request that has none."""

    def __init__(self) -> None:
        self.requests: list[asyncio.Future[CmsReading]] = []
        self.begun = asyncio.Semaphore(0)
        self.cancelled = 0

    async def departments(self) -> CmsReading:
        request: asyncio.Future[CmsReading] = asyncio.get_running_loop().create_future()
        self.requests.append(request)
        self.begun.release()
        try:
            return await request
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def next_request(self) -> asyncio.Future[CmsReading]:
        """Wait until the CMS is asked once more."""
        async with asyncio.timeout(LIMIT_S):
            await self.begun.acquire()
        return self.requests[-1]

    async def answer(self, outcome: CmsReading | Exception) -> None:
        """Answer the next request."""
        request = await self.next_request()
        if isinstance(outcome, Exception):
            request.set_exception(outcome)
        else:
            request.set_result(outcome)


class Desk:
    """Shared readings over a CMS that the test plays, on a clock that the test sets."""

    def __init__(self, clock: Any) -> None:
        self.clock, self.reader, self.woken = clock, Reader(), asyncio.Queue[str]()
        self.readings = SharedReadings(self.reader, self.woken.put_nowait, PATIENCE_S, clock)

    async def wake_of(self, *uids: str) -> None:
        """Wait until these runs have been woken, and no other."""
        async with asyncio.timeout(LIMIT_S):
            woken = [await self.woken.get() for _ in uids]
        assert sorted(woken) == sorted(uids)
        assert self.woken.empty()

    def pass_time(self, seconds: float) -> None:
        """Let time pass: what waits for a moment looks at the clock again."""
        self.clock.now_s += seconds
        self.readings._task._came.set()


@pytest.fixture
async def desk(clock: Any) -> AsyncIterator[Desk]:
    """Closed at the end."""
    made = Desk(clock)
    yield made
    await made.readings.close()


FIRST = CmsReading((), ("first",))
SECOND = CmsReading((), ("second",))
DOWN = CmsUnavailable("The CMS did not answer.")


async def test_many_runs_share_one_request(desk: Desk) -> None:
    """Each is woken once there is an answer, and gets it without waiting."""
    uids = [f"run-{number}" for number in range(40)]
    for uid in uids:
        assert desk.readings.ask(uid) == CmsSilence(0)
    await desk.reader.answer(FIRST)
    await desk.wake_of(*uids)
    for uid in uids:
        answer = desk.readings.ask(uid)
        assert isinstance(answer, CmsReading)
        assert (answer.malformed, answer.is_last) == (("first",), False)
        desk.readings.forget(uid)
    assert len(desk.reader.requests) == 1


async def test_a_run_gets_no_reading_that_began_before_it_asked(desk: Desk) -> None:
    """It may have been made for a correction in the CMS; the next request follows at once."""
    desk.readings.ask("early")
    request = await desk.reader.next_request()
    desk.clock.now_s += 1
    desk.readings.ask("late")
    request.set_result(FIRST)
    await desk.wake_of("early")
    assert isinstance(desk.readings.ask("late"), CmsSilence)
    await desk.reader.answer(SECOND)
    await desk.wake_of("early", "late")
    for uid in ("early", "late"):
        answer = desk.readings.ask(uid)
        assert isinstance(answer, CmsReading)
        assert answer.malformed == ("second",)


async def test_a_failure_is_one_for_all_who_asked_before_it_came(desk: Desk) -> None:
    """That the CMS hangs is true for them too; nobody waits for a second time-out to hear it."""
    desk.readings.ask("early")
    request = await desk.reader.next_request()
    desk.clock.now_s += 9
    desk.readings.ask("late")
    desk.clock.now_s += 1
    request.set_exception(DOWN)
    await desk.wake_of("early", "late")
    assert desk.readings.ask("early") == desk.readings.ask("late") == CmsFailure(str(DOWN))
    desk.clock.now_s += 1
    assert desk.readings.ask("newcomer") == CmsSilence(0)


async def test_the_cms_is_left_alone_ever_longer_whatever_the_number_of_runs(desk: Desk) -> None:
    """2 s, 4 s, ... 30 s after a failure; not one second sooner."""
    uids = [f"run-{number}" for number in range(10)]
    for uid in uids:
        desk.readings.ask(uid)
    for wait_s in (2, 4, 8, 16, 30, 30):
        await desk.reader.answer(DOWN)
        await desk.wake_of(*uids)
        asked = len(desk.reader.requests)
        desk.pass_time(wait_s - 0.5)
        for uid in uids:
            assert isinstance(desk.readings.ask(uid), CmsFailure)
        await settled()
        assert len(desk.reader.requests) == asked
        desk.pass_time(0.5)
    await desk.reader.answer(FIRST)
    await desk.wake_of(*uids)


async def test_a_new_run_does_not_wait_out_the_back_off_of_others(desk: Desk) -> None:
    """Its user may just have mended the CMS; but the CMS is never asked more often than after 2 s."""
    desk.readings.ask("old")
    for wait_s in (2, 4, 8):
        await desk.reader.answer(DOWN)
        await desk.wake_of("old")
        desk.pass_time(wait_s)
    await desk.reader.answer(DOWN)
    await desk.wake_of("old")
    desk.pass_time(1)
    desk.readings.ask("new")
    await settled()
    assert desk.reader.begun.locked()
    desk.pass_time(1)
    await desk.reader.answer(FIRST)
    await desk.wake_of("old", "new")


async def test_a_cms_that_asks_to_be_left_alone_is(desk: Desk) -> None:
    """For as long as it says, new runs or not."""
    desk.readings.ask("old")
    await desk.reader.answer(CmsUnavailable("HTTP 429", retry_after_s=100))
    await desk.wake_of("old")
    desk.pass_time(99)
    desk.readings.ask("new")
    await settled()
    assert desk.reader.begun.locked()
    desk.pass_time(1)
    await desk.reader.answer(FIRST)
    await desk.wake_of("old", "new")


async def test_a_run_without_departments_gets_new_readings_until_its_patience_ends(desk: Desk) -> None:
    """Every 5 s; the last one is marked, and a failure between begins the time again."""
    desk.readings.ask("run")
    await desk.reader.answer(FIRST)
    await desk.wake_of("run")
    assert desk.readings.ask("run") == CmsReading((), ("first",), is_last=False)
    desk.pass_time(module.REFRESH_S)
    await desk.reader.answer(DOWN)
    await desk.wake_of("run")
    assert isinstance(desk.readings.ask("run"), CmsFailure)
    desk.pass_time(2)
    begins_s = desk.clock()
    while True:
        await desk.reader.answer(SECOND)
        await desk.wake_of("run")
        answer = desk.readings.ask("run")
        assert isinstance(answer, CmsReading)
        if answer.is_last:
            break
        desk.pass_time(module.REFRESH_S)
    assert desk.clock() - begins_s == PATIENCE_S


async def test_nobody_is_asked_for_runs_that_are_gone(desk: Desk) -> None:
    """The request ends with the last of them; a new run begins a new one."""
    desk.readings.ask("a")
    desk.readings.ask("b")
    request = await desk.reader.next_request()
    desk.readings.forget("a")
    desk.readings.forget("unknown")
    assert not request.cancelled()
    desk.readings.forget("b")
    await settled()
    assert desk.reader.cancelled == 1
    desk.readings.ask("c")
    await desk.reader.answer(FIRST)
    await desk.wake_of("c")


async def test_a_run_that_was_forgotten_and_comes_back_gets_a_new_reading(desk: Desk) -> None:
    """Its document was deleted; what the CMS said an hour ago may be wrong by now."""
    desk.readings.ask("run")
    await desk.reader.answer(FIRST)
    await desk.wake_of("run")
    desk.readings.forget("run")
    desk.clock.now_s += 3600
    assert desk.readings.ask("run") == CmsSilence(0)
    await desk.reader.answer(SECOND)
    await desk.wake_of("run")


async def test_closing_ends_the_request_and_asks_no_more(desk: Desk) -> None:
    """At the operator's end."""
    desk.readings.ask("run")
    await desk.reader.next_request()
    await desk.readings.close()
    assert desk.reader.cancelled == 1
    await desk.readings.close()


async def test_a_fault_of_ours_is_said_and_does_not_end_the_asking(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The task that asks is the only one."""
    desk.readings.ask("run")
    await desk.reader.answer(ZeroDivisionError("oops"))
    await desk.wake_of("run")
    answer = desk.readings.ask("run")
    assert isinstance(answer, CmsFailure)
    assert "its log says more" in answer.message
    assert "ZeroDivisionError" in caplog.text
    desk.pass_time(module.BACKOFF.first_s)
    await desk.reader.answer(FIRST)
    await desk.wake_of("run")


async def test_the_time_between_two_requests_is_slept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real clock, nobody sets an event: a timer brings the next request."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(0.02, 0.02))
    reader, woken = Reader(), asyncio.Queue[str]()
    readings = SharedReadings(reader, woken.put_nowait, PATIENCE_S)
    readings.ask("run")
    for _ in range(3):
        await reader.answer(DOWN)
        async with asyncio.timeout(LIMIT_S):
            await woken.get()
    await readings.close()


async def settled() -> None:
    """Let everything run that can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
