"""Events of waiting Jobs and pods: read seldom, for all runs in turn, and in no pass's way."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gather_clients.background_tasks import OnDemandTask
from gather_clients.kube_api.cluster_errors import AnswerTooLong, ClusterUnavailable, Refused
from gather_operator.decisions.facts import ObjectEvent
from gather_operator.kube.event_readings import KEPT_MAX, EventReadings
from tests.support.fake_clock import FakeClock

LIMIT_S = 30
QUOTA = "Error creating: exceeded quota: pods, requested: pods=1, used: pods=4, limited: pods=4"


class Reader:
    """Answers with what the test has put there, or with an error."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.events: dict[str, list[ObjectEvent]] = {}
        self.error: Exception | None = None
        self.under_way = self.most_under_way = 0

    async def list_events(self, object_name: str) -> list[ObjectEvent]:
        """Count, and answer."""
        self.asked.append(object_name)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return self.events.get(object_name, [])


def event(name: str, message: str = QUOTA, at: str = "2026-05-01T12:00:00Z") -> ObjectEvent:
    return ObjectEvent(name, "FailedCreate", message, at)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - in memory, a turn of the loop is all that it takes
            await asyncio.sleep(0)


async def turns(number: int = 200) -> None:
    """Let everything run that can."""
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.fixture
def reader() -> Reader:
    """An API server without Events."""
    return Reader()


@pytest.fixture
def woken() -> list[str]:
    """The runs that were woken."""
    return []


@pytest.fixture
async def readings(
    reader: Reader, clock: FakeClock, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EventReadings]:
    """With a pause that is a turn of the loop, after which the test's own clock says how late it is."""
    made = EventReadings(reader, woken.append, interval_s=20, clock=clock)

    async def pause(_: OnDemandTask, left_s: float) -> None:
        assert left_s > 0
        await asyncio.sleep(0)

    monkeypatch.setattr(OnDemandTask, "pause", pause)
    yield made
    await made.close()


async def test_the_first_question_is_answered_soon_and_wakes_the_run(
    readings: EventReadings, reader: Reader, woken: list[str]
) -> None:
    """Not within the pass that asks."""
    reader.events["job"] = [event("job")]
    assert readings.ask("uid", ["job"]) == ()
    await until(lambda: woken == ["uid"])
    assert readings.ask("uid", ["job"]) == (event("job"),)


async def test_a_run_that_waits_for_an_hour_costs_one_list_in_20_seconds(
    readings: EventReadings, reader: Reader, clock: FakeClock, woken: list[str]
) -> None:
    """However often it is passed over, and however many objects it has."""
    reader.events = {name: [event(name)] for name in ("a", "b", "c")}
    for _ in range(1200):
        readings.ask("uid", ["a", "b", "c"])
        await turns(5)
        clock.now_s += 3
    assert 3600 / 20 - 10 <= len(reader.asked) <= 3600 / 20 + 1
    assert set(reader.asked[:3]) == {"a", "b", "c"}
    assert woken == ["uid"] * 3, "what is known already wakes nobody"


async def test_many_runs_share_one_list_at_a_time(
    readings: EventReadings, reader: Reader, clock: FakeClock
) -> None:
    """300 runs before one full quota: each has its turn, the API server ten lists a second at most."""
    uids = [f"run-{number}" for number in range(300)]
    for second in range(40):
        for uid in uids:
            readings.ask(uid, [f"job-of-{uid}"])
        for _ in range(10):
            await turns(5)
            clock.now_s += 0.1
        assert len(reader.asked) <= 10 * (second + 1) + 1
    assert len(set(reader.asked)) == 300
    assert reader.most_under_way == 1


async def test_lists_that_take_long_are_made_more_rarely(
    readings: EventReadings, reader: Reader, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has flooded the namespace with Events: the API server reads them all each time."""

    async def slow(_: str) -> list[ObjectEvent]:
        reader.asked.append("x")
        clock.now_s += 2
        return []

    monkeypatch.setattr(reader, "list_events", slow)
    began_s = clock.now_s
    for _ in range(600):
        for number in range(20):
            readings.ask(f"run-{number}", ["x"])
        await turns(5)
        clock.now_s += 1
    assert len(reader.asked) * 2 <= 0.21 * (clock.now_s - began_s)
    assert len(reader.asked) > 10


@pytest.mark.parametrize(
    "error", [Refused("list events: forbidden"), ClusterUnavailable("list events: 503"), ZeroDivisionError()]
)
async def test_what_cannot_be_read_harms_nobody(
    readings: EventReadings, reader: Reader, clock: FakeClock, woken: list[str], error: Exception
) -> None:
    """What was known stays; it is asked again after 5 s, doubling to 5 minutes, for all runs together."""
    reader.events["job"] = [event("job")]
    readings.ask("uid", ["job"])
    await until(lambda: woken == ["uid"])
    reader.error, before = error, len(reader.asked)
    for _ in range(600):
        assert readings.ask("uid", ["job"]) == (event("job"),)
        readings.ask("other", ["job"])
        await turns(5)
        clock.now_s += 1
    assert 4 <= len(reader.asked) - before <= 8
    reader.error = None
    for _ in range(302):
        await turns(5)
        clock.now_s += 1
    assert "other" in woken


async def test_whoever_asks_for_patience_gets_it(
    readings: EventReadings, reader: Reader, clock: FakeClock
) -> None:
    """Retry-After counts for all runs."""
    reader.error = ClusterUnavailable("list events: 429", 120)
    readings.ask("uid", ["job"])
    await turns()
    clock.now_s += 110
    await turns()
    assert len(reader.asked) == 1
    readings.ask("uid", ["job"])
    clock.now_s += 11
    await until(lambda: len(reader.asked) == 2)


async def test_one_object_with_too_long_events_does_not_hold_up_the_others(
    readings: EventReadings, reader: Reader, clock: FakeClock, woken: list[str]
) -> None:
    """It is that object's own fault."""
    reader.error = AnswerTooLong("list events: more than 1048576 bytes")
    readings.ask("uid", ["job"])
    await turns()
    assert reader.asked == ["job"]
    reader.error, reader.events["other"] = None, [event("other")]
    readings.ask("other", ["other"])
    clock.now_s += 1
    await until(lambda: woken == ["other"])


async def test_only_the_newest_events_are_kept(
    readings: EventReadings, reader: Reader, woken: list[str]
) -> None:
    """And none once the run waits no more."""
    reader.events["job"] = [event("job", f"{n}", f"2026-05-01T12:00:{n:02d}Z") for n in range(60)]
    readings.ask("uid", ["job"])
    await until(lambda: woken == ["uid"])
    known = readings.ask("uid", ["job"])
    assert [e.message for e in known] == [str(n) for n in range(60 - KEPT_MAX, 60)]
    assert readings.ask("uid", ["pod"]) == ()
    assert readings.ask("uid", []) == ()
    assert readings._waiting == {}


async def test_who_asks_no_more_is_forgotten(
    readings: EventReadings, reader: Reader, clock: FakeClock
) -> None:
    """A run that has ended waits for nothing, though it stays until its events are in the log."""
    readings.ask("uid", ["job"])
    for _ in range(300):
        await turns(5)
        clock.now_s += 1
    assert readings._waiting == {}
    assert len(reader.asked) <= 7
    lists = len(reader.asked)
    readings.ask("uid", ["job"])
    clock.now_s += 1
    await until(lambda: len(reader.asked) == lists + 1)
