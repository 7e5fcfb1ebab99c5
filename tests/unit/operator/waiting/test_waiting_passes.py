"""Passes over runs that wait: what they cost, and that they end where waiting never would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gather_clients.background_tasks import OnDemandTask
from gather_clients.kube_api.cluster_errors import Refused
from gather_operator.decisions.facts import ObjectEvent
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.kube.event_readings import EventReadings
from gather_operator.pod_patience import StartPatience
from gather_operator.reconcile import Reconciler
from gather_operator.run_cache import RunCache
from tests.support.fake_clock import FakeClock
from tests.support.kubernetes.operator_in_memory import dependencies_on, naming

QUOTA = "Error creating: exceeded quota: pods, requested: pods=1, used: pods=4, limited: pods=4"


def event(name: str, message: str = QUOTA) -> ObjectEvent:
    return ObjectEvent(name, "FailedCreate", message, "2026-05-01T12:00:00Z")


async def turns(number: int = 200) -> None:
    """Let everything run that can."""
    for _ in range(number):
        await asyncio.sleep(0)


class Operator:
    """Passes over one run whose Jobs get no pods."""

    def __init__(self, world: Any, build: Any, patience_s: float = 0) -> None:
        self.world, self.cache, self.clock = world, RunCache(), FakeClock()
        self.readings = EventReadings(world, lambda _: None, clock=self.clock)
        self.reconciler = Reconciler(
            dependencies_on(
                world,
                self.cache,
                naming(build, "story", "world"),
                interval_s=1,
                clock=self.clock,
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

    monkeypatch.setattr(OnDemandTask, "pause", pause)
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
