"""Passes over runs in a cluster in memory, with the operator killed at every single write."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gather_clients.event_log import EventLogUnavailable
from gather_clients.kube_api.cluster_errors import Conflict
from gather_contracts import names
from gather_contracts.events import FINAL_TYPES, timestamp
from gather_contracts.result import DepartmentResult, StopReason
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.event_publisher import RETRY_S, EventPublisher
from gather_operator.reconcile import Reconciler
from gather_operator.run_cache import RunCache
from gather_operator.work_queue import Next
from gather_operator.worker_metrics import DEPARTMENTS_ENDED
from tests.support.kubernetes.operator_in_memory import dependencies_on, naming

SLUGS = ("story", "world", "music")
STEPS_MAX = 200
ITERATIONS = 50
"""A run's, by default."""


class Operator:
    """One life of the operator's process: everything that a restart forgets."""

    def __init__(self, world: Any, cms: Any) -> None:
        self.world = world
        self.cache = RunCache()
        dependencies = dependencies_on(world, self.cache, cms)
        self.publisher, self.writer = dependencies.publisher, dependencies.writer
        self.reconciler = Reconciler(dependencies, WorkerTemplate(image="worker"), "default/model")

    async def step(self) -> None:
        """See every run as it is and make one pass over each."""
        for body in list(self.world.runs.values()):
            self.cache.put(body)
        for uid in [run.metadata.uid for run in self.cache.all()]:
            await self.reconciler.work(uid)


@pytest.fixture
def cms(build: Any) -> Any:
    """A CMS that names the departments."""
    return naming(build, *SLUGS)


async def live(world: Any, cms: Any, until: Callable[[], bool], hooks: dict[int, Callable[[], None]]) -> int:
    """Run operators one after the other until the state is reached; return how many were needed."""
    operator, lives = Operator(world, cms), 1
    for step in range(STEPS_MAX):
        hooks.get(step, lambda: None)()
        try:
            await operator.step()
        except world.killed:
            operator, lives = Operator(world, cms), lives + 1
        except Conflict:
            pass
        world.step()
        if until():
            return lives
    raise AssertionError(f"not reached in {STEPS_MAX} steps: {world.runs}")


def phase_of(world: Any, name: str = "film") -> str:
    return str(world.runs[name]["status"].get("phase", ""))


def ended(world: Any) -> Callable[[], bool]:
    """The run has ended and its events are published."""
    return lambda: (
        phase_of(world) in {"Succeeded", "Failed", "Cancelled"}
        and any(kind in FINAL_TYPES for kind in world.sent.values())
    )


def fill(world: Any, build: Any, **fields: Any) -> None:
    body = build.body(finalizers=(), **fields)
    world.runs["film"] = body


async def count_writes(make_world: Any, build: Any, cms: Any, scenario: "Scenario") -> int:
    world = make_world()
    await scenario.play(world, build, cms)
    return int(world.writes)


class Scenario:
    """A run from its creation to its end, with something that a user does on the way."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def play(self, world: Any, build: Any, cms: Any) -> int:
        parallelism = 2 if "two at once" in self.name else 1
        fill(world, build, spec={"onDepartmentFailure": "Continue", "parallelism": parallelism})
        if self.name.startswith("a department fails"):
            failure = DepartmentResult(
                iterations=1, items_created=4, quality_score=10, reason=StopReason.INVALID_INPUT
            )
            world.outcomes["world"] = failure
        if self.name == "a result is lost":
            world.outcomes["world"] = None
        if self.name.startswith("suspended"):
            return await self._suspended(world, cms)
        if self.name.startswith("cancelled"):
            step = int(self.name.rsplit(maxsplit=1)[1])
            return await live(world, cms, ended(world), {step: lambda: self._cancel(world)})
        if self.name.startswith("deleted"):
            step = int(self.name.rsplit(maxsplit=1)[1])
            return await live(world, cms, lambda: not world.runs, {step: lambda: self._delete(world)})
        return await live(world, cms, ended(world), {})

    async def _suspended(self, world: Any, cms: Any) -> int:
        """Suspended from step A, then resumed, cancelled or deleted in step B, as the name says."""
        words = self.name.replace(",", "").split()
        begin, then, end = int(words[3]), words[-4], int(words[-1])
        follow = {
            "resumed": lambda: self._change(world, suspend=False),
            "cancelled": lambda: self._cancel(world),
            "deleted": lambda: self._delete(world),
        }[then]
        until = ended(world) if then != "deleted" else lambda: not world.runs
        hooks = {begin: lambda: self._change(world, suspend=True), end: follow}
        return await live(world, cms, until, hooks)

    def _cancel(self, world: Any) -> None:
        self._change(world, cancel=True)

    @staticmethod
    def _change(world: Any, **spec: bool) -> None:
        body = world.runs["film"]
        metadata = {**body["metadata"], "resourceVersion": world._next()}
        world.runs["film"] = {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}

    @staticmethod
    def _delete(world: Any) -> None:
        body = world.runs["film"]
        metadata = {
            **body["metadata"],
            "resourceVersion": world._next(),
            "deletionTimestamp": "2999-01-01T00:00:00Z",
        }
        if metadata["finalizers"]:
            world.runs["film"] = {**body, "metadata": metadata}
        else:
            del world.runs["film"]


SCENARIOS = [
    "normal",
    "a department fails",
    "a result is lost",
    "cancelled in step 3",
    "cancelled in step 4",
    "deleted in step 1",
    "deleted in step 3",
    "deleted in step 4",
    "deleted in step 20",
    "normal, two at once",
    "a department fails, two at once",
    "cancelled with two at once in step 4",
    "deleted with two at once in step 4",
    "suspended from step 4, with two at once, then resumed in step 12",
    "suspended from step 0, then resumed in step 5",
    "suspended from step 2, then resumed in step 9",
    "suspended from step 3, then resumed in step 5",
    "suspended from step 4, then resumed in step 12",
    "suspended from step 4, then cancelled in step 12",
    "suspended from step 4, then deleted in step 12",
]
WRITES_MAX = 80
"""More than any scenario makes; plans beyond its last write are the undisturbed run again."""


def assert_sound(world: Any, scenario: str) -> None:
    """What must hold at the end, however often the operator was killed."""
    assert len(world.created_jobs) == len(set(world.created_jobs))
    items = [s.get("itemsCreated", 0) for s in world.statuses]
    assert items == sorted(items)
    done = [int((s.get("progress") or "0").split("/")[0]) for s in world.statuses]
    assert done == sorted(done)
    sent = list(world.sent.values())
    assert sum(kind in FINAL_TYPES for kind in sent) <= 1
    assert not world.created_jobs or sent.count("automation_started") == 1
    assert world.jobs_before_start == []
    if "automation_started" in sent:
        assert sent[0] == "automation_started"
    assert max(world.most_given, world.most_said) <= ITERATIONS
    if scenario in {"normal", "a department fails"}:
        assert world.created_jobs == [names.job_name("film", world_uid(world), s, 1) for s in SLUGS]
    if scenario.startswith("normal"):
        assert phase_of(world) == "Succeeded"
        assert world.runs["film"]["status"]["itemsCreated"] == 36
    if scenario.startswith("a department fails"):
        assert phase_of(world) == "Failed"
        assert sent == ["automation_started", "department_failed", "automation_error", "automation_failed"]
    if "resumed" in scenario:
        assert phase_of(world) == "Succeeded"
        assert sorted(world.created_jobs) == sorted(
            names.job_name("film", world_uid(world), s, 1) for s in SLUGS
        )
        assert world.runs["film"]["status"]["itemsCreated"] == 36
    if "cancelled" in scenario:
        assert phase_of(world) in {"Cancelled", "Succeeded"}
        assert not [p for p in world.pods.values() if p.phase == "Running"]
    if "deleted" in scenario:
        assert world.left_running == []


def world_uid(world: Any) -> str:
    return str(world.runs["film"]["metadata"]["uid"])


@pytest.mark.parametrize(
    "faults",
    [{"kill_after": after, "cache_lag": lag} for after in (False, True) for lag in ("", "both", "pods")],
    ids=str,
)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_killed_at_every_write_the_run_ends_right_with_one_job_a_department(
    make_world: Any, build: Any, cms: Any, scenario: str, faults: dict[str, Any]
) -> None:
    """For each write of the undisturbed run: a kill there, a new operator, the same end."""
    reference = make_world(cache_lag=faults["cache_lag"])
    await Scenario(scenario).play(reference, build, cms)
    assert 0 < reference.writes < WRITES_MAX
    for kill_at in range(1, reference.writes + 1):
        world = make_world(kill_at=kill_at, **faults)
        lives = await Scenario(scenario).play(world, build, cms)
        assert lives == (2 if world.writes >= kill_at else 1)
        assert_sound(world, scenario)


async def test_an_undisturbed_run_makes_few_writes(make_world: Any, build: Any, cms: Any) -> None:
    """A run of three departments: what it costs the API server must not grow unnoticed."""
    world = make_world()
    await Scenario("normal").play(world, build, cms)
    assert len(world.created_jobs) == 3
    assert len(world.statuses) <= 2 + 2 * 3
    assert world.writes - len(world.events) <= 20


@pytest.mark.parametrize("swap", ["{", "{}", "another run's", "other departments"])
async def test_an_unusable_run_document_is_written_again(
    make_world: Any, build: Any, cms: Any, swap: str
) -> None:
    """Somebody replaced the ConfigMap while the operator was down."""
    world = make_world()
    fill(world, build)
    operator = Operator(world, cms)
    for _ in range(3):
        await operator.step()
    (name,) = world.config_maps
    whole = world.config_maps[name]["run.json"]
    swapped = {
        "another run's": whole.replace(build.uid, "another-uid"),
        "other departments": whole.replace('"slug":"world"', '"slug":"weird"'),
    }
    world.config_maps[name] = {"run.json": swapped.get(swap, swap)}
    await live(world, cms, ended(world), {})
    assert phase_of(world) == "Succeeded"
    assert '"slug":"world"' in world.config_maps[name]["run.json"]
    assert build.uid in world.config_maps[name]["run.json"]
    assert [d["slug"] for d in world.runs["film"]["status"]["departments"]] == list(SLUGS)


async def unavailable(*_: Any) -> None:
    raise EventLogUnavailable("refused")


async def test_an_unavailable_redis_holds_up_neither_a_run_nor_its_deletion_for_long(
    make_world: Any, build: Any, cms: Any
) -> None:
    """The run ends; a deletion that began long ago is let go."""
    world = make_world()
    world.append = unavailable
    fill(world, build)
    await live(world, cms, lambda: phase_of(world) == "Succeeded", {})
    body = world.runs["film"]
    metadata = {**body["metadata"], "resourceVersion": world._next()}
    metadata["deletionTimestamp"] = "2001-01-01T00:00:00Z"
    status = {**body["status"], "completionTime": "2001-01-01T00:00:00Z"}
    world.runs["film"] = {**body, "metadata": metadata, "status": status}
    await live(world, cms, lambda: not world.runs, {})


@pytest.mark.parametrize("stop", ["_cancel", "_delete"])
async def test_pods_are_stopped_before_the_event_log_is_asked(
    make_world: Any, build: Any, cms: Any, stop: str
) -> None:
    """One that hangs takes its whole time limit, and the pods cost money meanwhile."""
    world = make_world()
    fill(world, build)
    operator = Operator(world, cms)
    while not world.jobs:
        await operator.step()
    asked: list[bool] = []

    async def append(*_: Any) -> None:
        asked.append(bool(world.jobs))
        raise EventLogUnavailable("hangs")

    operator.publisher = EventPublisher(SimpleNamespace(append=append), SimpleNamespace())  # type: ignore[arg-type]
    operator.reconciler._deps = replace(operator.reconciler._deps, publisher=operator.publisher)
    getattr(Scenario("normal"), stop)(world)
    await operator.step()
    assert asked == [False]


async def test_an_ended_run_asks_for_another_pass_until_its_events_are_published(
    make_world: Any, build: Any, cms: Any
) -> None:
    """Nothing else brings it back: it has ended, and no watch will show it again."""
    world = make_world()
    world.append = unavailable
    operator = Operator(world, cms)
    status = {"phase": "Succeeded", "completionTime": timestamp(datetime.now(UTC))}
    operator.cache.put(build.body(status=status))
    assert await operator.reconciler.work(build.uid) == Next(RETRY_S)
    assert (await operator.reconciler.work(build.uid)).after_s == pytest.approx(RETRY_S, abs=1)


async def test_an_ended_run_is_deleted_when_its_time_is_over(make_world: Any, build: Any, cms: Any) -> None:
    """Not before, and not if somebody has changed it since."""
    world = make_world()
    operator = Operator(world, cms)
    status = {"phase": "Succeeded", "completionTime": timestamp(datetime.now(UTC) - timedelta(seconds=60))}
    for seconds, exists in ((3600, True), (59, False)):
        spec = {"ttlSecondsAfterFinished": seconds}
        world.runs["film"] = build.body(status=status, spec=spec, finalizers=(), version=world._next())
        operator.cache.put(world.runs["film"])
        assert await operator.reconciler.work(build.uid) == Next()
        assert ("film" in world.runs) is exists
    changed = build.body(status=status, spec=spec, finalizers=(), version=world._next())
    operator.cache.put(changed)
    world.runs["film"] = build.body(
        status=status, spec={"ttlSecondsAfterFinished": 9999}, finalizers=(), version=world._next()
    )
    await operator.reconciler.work(build.uid)
    assert "film" in world.runs
    assert operator.cache.expired(datetime.now(UTC)) == []


async def test_at_its_end_a_run_is_let_go_and_nearly_forgotten(make_world: Any, build: Any, cms: Any) -> None:
    """Nothing of ours keeps it from being deleted, and its memory is free."""
    world = make_world()
    fill(world, build)
    operator = Operator(world, cms)
    for _ in range(STEPS_MAX):
        await operator.step()
        world.step()
        if operator.cache.ended(build.uid):
            break
    assert world.runs["film"]["metadata"]["finalizers"] == []
    assert operator.cache.all() == []
    assert "automation_complete" in world.sent.values()
    assert list(operator.publisher._runs) == [build.uid]
    await operator.reconciler.work(build.uid)
    assert not operator.publisher._runs


async def test_a_run_that_is_gone_is_forgotten(make_world: Any, build: Any, cms: Any) -> None:
    """A stale list brought it back; the first call to the API shows that it is gone."""
    world = make_world()
    operator = Operator(world, cms)
    operator.cache.put(build.body())
    with pytest.raises(Exception, match="film"):  # noqa: PT012 - the first pass only writes the document
        for _ in range(2):
            await operator.reconciler.work(build.uid)
    assert operator.cache.get(build.uid) is None
    assert await operator.reconciler.work(build.uid) == Next()


@pytest.mark.parametrize("kill_after", [False, True], ids=["before", "after"])
async def test_no_department_is_counted_twice_whenever_the_operator_is_killed(
    make_world: Any, build: Any, cms: Any, kill_after: bool
) -> None:
    """Killed between a write and counting it loses that one: the next life finds the end written already."""
    counted = DEPARTMENTS_ENDED.labels(phase="Succeeded", reason="ThresholdReached")
    scenario = Scenario("normal")
    for kill_at in range(1, await count_writes(make_world, build, cms, scenario) + 1):
        before = counted._value.get()
        world = make_world(kill_at=kill_at, kill_after=kill_after)
        await scenario.play(world, build, cms)
        assert len(SLUGS) - 1 <= counted._value.get() - before <= len(SLUGS), kill_at
