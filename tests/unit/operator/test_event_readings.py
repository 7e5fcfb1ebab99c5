"""Events of waiting Jobs and pods: read seldom, for all runs in turn, and in no pass's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gather_operator.decisions.facts import ObjectEvent
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.errors import AnswerTooLong, ClusterUnavailable, Refused
from gather_operator.event_publisher import EventPublisher
from gather_operator.kube import event_readings as module
from gather_operator.kube.event_readings import KEPT_MAX, EventReadings
from gather_operator.kube.status_writer import StatusWriter
from gather_operator.live_numbers import LiveNumbers
from gather_operator.pod_patience import StartPatience
from gather_operator.reconcile import Dependencies, Reconciler
from gather_operator.run_cache import RunCache
from tests.support.fake_clock import FakeClock

LIMIT_S = 10
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

    async def pause(_: EventReadings, left_s: float) -> None:
        assert left_s > 0
        await asyncio.sleep(0)

    monkeypatch.setattr(EventReadings, "_pause", pause)
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


# --- in passes


class Operator:
    """Passes over one run whose Jobs get no pods."""

    def __init__(self, world: Any, build: Any, patience_s: float = 0) -> None:
        self.world, self.cache, self.clock = world, RunCache(), FakeClock()
        self.readings = EventReadings(world, lambda _: None, clock=self.clock)
        cms = SimpleNamespace(ask=lambda _: build.cms("story", "world"), forget=lambda _: None)
        webhooks = SimpleNamespace(register=None)
        self.reconciler = Reconciler(
            Dependencies(
                cluster=world,
                cms=cms,  # type: ignore[arg-type]
                observer=world,
                cache=self.cache,
                live=LiveNumbers(),
                writer=StatusWriter(world, self.cache, 1, self.clock),
                publisher=EventPublisher(world, webhooks),  # type: ignore[arg-type]
                events=self.readings,
                start_patience=StartPatience(patience_s, self.clock),
            ),
            WorkerTemplate(image="worker"),
            clock=self.clock,
        )
        world.runs.setdefault("film", build.body(finalizers=()))

    async def passes(self, number: int, every_s: float = 3) -> None:
        """So many passes, with time between them."""
        for _ in range(number):
            for body in list(self.world.runs.values()):
                self.cache.put(body)
            for run in self.cache.all():
                await self.reconciler.work(run.metadata.uid)
            await turns(10)
            self.clock.now_s += every_s

    @property
    def status(self) -> dict[str, Any]:
        """The run's status as it is written."""
        return dict(self.world.runs["film"]["status"])


@pytest.fixture
async def operator(
    make_world: Any, build: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Operator]]:
    """Make an operator before a full quota."""
    made: list[Operator] = []

    async def pause(*_: Any) -> None:
        await asyncio.sleep(0)

    def make(patience_s: float = 0, world: Any = None) -> Operator:
        made.append(Operator(world or make_world(), build, patience_s))
        made[-1].world.is_quota_full = True
        return made[-1]

    monkeypatch.setattr(module.EventReadings, "_pause", pause)
    yield make
    for one in made:
        await one.readings.close()


def refuse(operator: Operator, build: Any, message: str = QUOTA, slug: str = "story") -> str:
    """Let the Job controller say why a Job has no pod."""
    name = str(build.job_name(slug))
    operator.world.object_events[name] = [event(name, message)]
    return name


async def test_a_waiting_run_costs_few_calls(operator: Callable[..., Operator], build: Any) -> None:
    """Ten minutes before a full quota: a list in 20 s, three writes of the status, one Event."""
    at_work = operator()
    await at_work.passes(5)
    assert at_work.status["reason"] == "NoPod"
    name = refuse(at_work, build)
    await at_work.passes(20)
    assert at_work.status["reason"] == "FailedCreate"
    lists, writes, posted = len(at_work.world.event_lists), at_work.world.writes, len(at_work.world.events)
    await at_work.passes(200)
    assert 28 <= len(at_work.world.event_lists) - lists <= 31
    assert set(at_work.world.event_lists) == {name}
    assert (at_work.world.writes, len(at_work.world.events)) == (writes, posted)
    assert at_work.world.events.count("FailedCreate") == 1
    at_work.world.jobs.clear()
    at_work.world.is_quota_full = False
    await at_work.passes(5)
    assert at_work.status["reason"] == "DepartmentRunning"
    lists = len(at_work.world.event_lists)
    await at_work.passes(100)
    assert len(at_work.world.event_lists) == lists, "who works is not asked about"


async def test_names_that_change_with_each_try_cost_no_writes(
    operator: Callable[..., Operator], build: Any
) -> None:
    """The Job controller makes up another pod's name each time."""
    at_work = operator()
    await at_work.passes(5)
    name = refuse(at_work, build)
    await at_work.passes(30)
    writes = at_work.world.writes
    for number in range(20):
        text = f'Error creating: pods "{name}-{number}" is forbidden: exceeded quota: pods'
        at_work.world.object_events[name] = [event(name, text)]
        await at_work.passes(10)
    assert at_work.world.writes <= writes + 1


async def test_passes_go_on_without_events(
    operator: Callable[..., Operator], build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may read them, or the list hangs: the run still says that its Job has no pod."""
    for answer in (Refused("list events: forbidden"), None):

        async def fail(_: str, answer: Exception | None = answer) -> list[ObjectEvent]:
            if answer is not None:
                raise answer
            await asyncio.Event().wait()
            return []

        at_work = operator()
        monkeypatch.setattr(at_work.world, "list_events", fail)
        await at_work.passes(20)
        assert (at_work.status["phase"], at_work.status["reason"]) == ("Running", "NoPod")
        at_work.world.jobs.clear()
        at_work.world.is_quota_full = False
        for _ in range(20):
            await at_work.passes(1)
            at_work.world.step()
        assert at_work.status["phase"] == "Succeeded"


async def test_what_never_comes_right_ends_the_run_after_a_while(
    operator: Callable[..., Operator], build: Any
) -> None:
    """Each department with its reason, no Job left; with patience 0 it waits on."""
    hopeless = "Error creating: failed quota: limits: must specify limits.cpu"
    for patience_s, phase in ((300, "Failed"), (0, "Running")):
        at_work = operator(patience_s)
        for slug in ("story", "world"):
            refuse(at_work, build, hopeless, slug)
        await at_work.passes(95)
        assert at_work.status["departments"][0]["reason"] == "FailedCreate"
        assert at_work.status["departments"][0]["phase"] == "Running"
        await at_work.passes(150)
        assert at_work.status["phase"] == phase
        assert len(at_work.world.created_jobs) == (2 if patience_s else 1)
        assert len(at_work.world.jobs) == (0 if patience_s else 1)
        assert at_work.status["reason"] == "FailedCreate"


@pytest.mark.parametrize("kill_after", [False, True])
async def test_an_operator_killed_while_it_gives_up_leaves_nothing(
    operator: Callable[..., Operator], build: Any, kill_after: bool
) -> None:
    """Before or after each of its writes: the next one counts the patience from the beginning."""
    for kill_at in range(1, 60):
        at_work = operator(300)
        world = at_work.world
        world.kill_at, world.kill_after = kill_at, kill_after
        for slug in ("story", "world"):
            refuse(at_work, build, "Error creating: failed quota: limits: must specify limits.cpu", slug)
        try:
            await at_work.passes(40, every_s=20)
        except world.killed:
            await at_work.readings.close()
            at_work = operator(300, world)
            await at_work.passes(40, every_s=20)
        assert (at_work.status["phase"], at_work.status["reason"]) == ("Failed", "FailedCreate")
        assert world.jobs == {}
        assert len(world.created_jobs) == len(set(world.created_jobs)) == 2
        if world.writes < kill_at:
            break
    else:
        raise AssertionError("there are more writes than were tried")
