"""Faults of a release on a cluster, each with the alerts that it lets fire; all is mended afterwards."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from dev.cluster.port_forward import ForwardError
from dev.paths import ROOT
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, new_project, run_of
from tests.support.doors.canvas_consumer import canvas_service
from tests.support.monitoring.callers import (
    ASKED,
    DOOR,
    NOTHING_HAPPENS,
    BrainCalls,
    Tasks,
    context,
    coverage,
)
from tests.support.monitoring.stopped_store import again_and_again, halting, stopped, stopped_for

CELERY_DOOR: Final = "gather-celery-door"
OPERATOR: Final = "gather-operator"
MODEL: Final = "gather-backing-demo-llm"
SLOTS: Final = 9
"""doors.celery.runsMax, without the one that a suspended run has all the time."""
QUEUE: Final = "cpu_intensive"
SEVEN: Final = [
    "story",
    "character",
    "production",
    "cinematography",
    "production-design",
    "sound",
    "editing",
]
"""Departments of the demo's CMS."""
REFUSED_EVERY_S: Final = 5
END_S: Final = 420
"""For a run that a fault slows down, on a busy machine."""


@dataclass(frozen=True, slots=True)
class World:
    """The release, who calls it, and a folder for what a fault writes."""

    gather: DeployedGather
    brain: BrainCalls
    tasks: Tasks
    folder: Path


def change(world: World, kind: str, name: str, patch: Mapping[str, Any]) -> None:
    """Merge a change into an object."""
    world.gather.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(patch))


@contextmanager
def without(world: World, deployment: str) -> Iterator[None]:
    """Have no pod of a Deployment for the time of the block."""
    spec = json.loads(world.gather.kubectl("get", "deployment", deployment, "-o", "json"))["spec"]
    world.gather.scale(deployment, 0)
    try:
        yield
    finally:
        world.gather.scale(deployment, spec["replicas"])
        world.gather.wait_ready(deployment)


def is_gone(deployment: str) -> Callable[[World], AbstractContextManager[None]]:
    """Return the fault that a Deployment has no pods."""
    return lambda world: without(world, deployment)


@contextmanager
def a_caller_in_a_hurry(world: World) -> Iterator[None]:
    """A key with everybody's limits, and far more calls than they allow; it ends by itself."""
    made = ("gather-brain", "keys", "create", "--project", "*", "--name", "hurry", "--expires-in", "1h")
    key = world.gather.kubectl("exec", "deploy/gather-brain", "--", *made).strip()
    caller = BrainCalls(world.gather, key)
    caller.begin()
    answers = caller.many(coverage, 60)
    assert answers.count(429) > 30, answers
    yield


@contextmanager
def neo4j_hangs_for_moments(world: World) -> Iterator[None]:
    """Each kind of call, twenty times at once, twice, while Neo4j stands still for too long."""
    world.brain.begin()
    for asks, seconds in (*ASKED, *ASKED):
        world.brain.many(asks, 20, stopped_for(world.gather, "neo4j", seconds))
    yield


@contextmanager
def neo4j_hangs(world: World) -> Iterator[None]:
    """Until the brain gives its callers up."""
    world.brain.begin()
    answers = world.brain.many(context, 30, stopped(world.gather, "neo4j"))
    assert answers.count(503) > 20, answers
    yield


@contextmanager
def the_door_has_no_rights(world: World) -> Iterator[None]:
    """Its RoleBinding is gone, and its pod a new one; what is submitted is refused, again and again.

    What was counted before a new pod's first scrape is no increase.
    """
    binding = json.loads(world.gather.kubectl("get", "rolebinding", DOOR, "-o", "json"))
    kept = {key: binding["metadata"][key] for key in ("name", "labels", "annotations")}
    world.gather.kubectl("delete", "rolebinding", DOOR)
    try:
        world.gather.kill_pods("app.kubernetes.io/component=http-door")
        wait_for("answers of the new pod", lambda: _refusals(world) == 8, 120, 1)
        with again_and_again(lambda _: _refusals(world), REFUSED_EVERY_S):
            yield
    finally:
        world.gather.kubectl("create", "-f", "-", stdin=json.dumps({**binding, "metadata": kept}))
        world.gather.wait_ready(DOOR)


def _refusals(world: World) -> int:
    """Submit eight tasks; return how many the door could not take."""
    try:
        return sum(world.tasks.submit().status_code >= 500 for _ in range(8))
    except (httpx.HTTPError, ForwardError):
        return 0


@contextmanager
def a_callback_is_spoilt(world: World) -> Iterator[None]:
    """Somebody changes a run's annotation to an address that is never called; others are tried for a day."""
    answer = world.tasks.submit("https://example.com/hook", max_iterations=1)
    run = str(answer.raise_for_status().json()["task_id"])
    spoilt = {names.ANNOTATION_CALLBACK_URL: "http://example.com/hook"}
    change(world, "gatherrun", run, {"metadata": {"annotations": spoilt}})
    world.gather.wait_end(run, END_S)
    yield


@contextmanager
def a_worker_drops_tasks(world: World) -> Iterator[None]:
    """A Celery worker on the door's queue that does not know the task."""
    with (
        world.tasks.broker() as (url, _),
        canvas_service(world.folder, url, names.EVALUATION_QUEUE).running(),
    ):
        yield


@contextmanager
def redis_is_gone(world: World) -> Iterator[None]:
    """While a run reaches its threshold, after which an evaluation is asked for."""
    world.gather.slow_down_model(2)
    try:
        with (
            run_of(world.gather, "without-redis", new_project(), departments=["story"], maxIterations=30),
            without(world, "gather-backing-redis"),
        ):
            world.gather.wait_end("without-redis", END_S)
            yield
    finally:
        world.gather.slow_down_model(0)


@contextmanager
def the_model_is_gone(world: World) -> Iterator[None]:
    """Six tasks, whose departments use up four attempts each."""
    with without(world, MODEL):
        sent = world.tasks.send(6, max_iterations=2, department_retries=3, department_timeout_seconds=60)
        for run in sent:
            wait_taken(world, run)
            world.gather.wait_end(run, END_S)
        yield


def wait_taken(world: World, run: str) -> None:
    """Wait until a task's run is there."""

    def is_there() -> bool:
        return bool(world.gather.kubectl("get", names.PLURAL, run, "--ignore-not-found", "-o", "name"))

    wait_for(f"run {run}", is_there, 60)


@contextmanager
def nobody_operates(world: World) -> Iterator[None]:
    """Tasks fill the door's slots and wait; those that follow have waited for more than a minute."""
    with without(world, OPERATOR):
        sent: list[str] = []
        try:
            sent = world.tasks.send(SLOTS + 75)
            taken = wait_for("runs in all slots", lambda: _runs_among(world, sent, SLOTS), 60)
            begun_s = time.monotonic()
            wait_for("a minute and more", lambda: time.monotonic() - begun_s > 65, 90)
            world.gather.kubectl("delete", names.PLURAL, *taken, "--wait=false")
            yield
        finally:
            with world.tasks.broker() as (_, client):
                client.delete(QUEUE)
            world.gather.kubectl("delete", names.PLURAL, *sent, "--ignore-not-found", "--wait=false")


def _runs_among(world: World, sent: list[str], count: int) -> list[str] | None:
    """Return the runs of tasks, once there are so many."""
    found = [run["metadata"]["name"] for run in world.gather.objects(names.PLURAL)]
    runs = [name for name in found if name in sent]
    return runs if len(runs) >= count else None


@contextmanager
def somebody_takes_the_lease(world: World) -> Iterator[None]:
    """A Lease that was edited is believed for a minute."""
    change(world, "lease", OPERATOR, {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600}})
    try:
        yield
    finally:
        world.gather.kubectl("delete", "lease", OPERATOR, "--ignore-not-found")


@contextmanager
def the_crd_is_older(world: World) -> Iterator[None]:
    """It lacks a field, and the operator looks when it starts."""
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/tokens"
    patch = json.dumps([{"op": "remove", "path": path}])
    world.gather.kubectl("patch", "crd", f"{names.PLURAL}.{names.GROUP}", "--type=json", "-p", patch)
    try:
        world.gather.kill_pods("app.kubernetes.io/component=operator")
        yield
    finally:
        crds = str(ROOT / "crds")
        world.gather.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
        world.gather.kill_pods("app.kubernetes.io/component=operator")
        world.gather.wait_ready(OPERATOR)


def play(
    world: World,
    name: str,
    iterations: int,
    parallelism: int,
    during: AbstractContextManager[None] = NOTHING_HAPPENS,
) -> None:
    """Play a run of seven departments that cannot be good enough, while something happens."""
    spec = {"departments": SEVEN, "qualityThreshold": 100, "enableAutoEvaluation": False}
    with (
        run_of(world.gather, name, new_project(), maxIterations=iterations, parallelism=parallelism, **spec),
        during,
    ):
        world.gather.wait_end(name, END_S)


@contextmanager
def iterations_are_few(world: World) -> Iterator[None]:
    """One for each of seven departments, in two runs."""
    for number in (1, 2):
        play(world, f"few-iterations-{number}", 7, 2)
    yield


@contextmanager
def the_model_is_slow(world: World) -> Iterator[None]:
    """Each of seven departments asks it twice, for a minute each."""
    world.gather.slow_down_model(62)
    try:
        play(world, "slow-model", 7, 7)
    finally:
        world.gather.slow_down_model(0)
    yield


@contextmanager
def mongodb_halts(world: World) -> Iterator[None]:
    """It stands still for a second again and again while a run works: one call in six takes that long."""
    play(world, "slow-mongodb", 14, 2, halting(world.gather, "mongodb", stopped_s=1.0, works_s=0.005))
    yield


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens, and which alerts fire for it."""

    name: str
    happens: Callable[[World], AbstractContextManager[None]]
    alerts: tuple[str, ...]


SLOW: Final = tuple(
    f"GatherBrain{call}{how}"
    for call in ("Duplicates", "Context", "Coverage", "SmallBatch", "Batch")
    for how in ("Slow", "VerySlow")
)
FAULTS: Final = (
    Fault(
        "the model is gone",
        the_model_is_gone,
        ("GatherDepartmentsFail", "GatherAttemptsRetried", "GatherCeleryTasksFail", "GatherCeleryRetries"),
    ),
    Fault("iterations are few", iterations_are_few, ("GatherQualityNotReached",)),
    Fault("the model is slow", the_model_is_slow, ("GatherModelSlow",)),
    Fault("a caller is in a hurry", a_caller_in_a_hurry, ("GatherBrainLimitsHit",)),
    Fault("Neo4j hangs", neo4j_hangs, ("GatherBrainFails", "GatherBrainErrors")),
    Fault("Neo4j hangs for moments", neo4j_hangs_for_moments, SLOW),
    Fault("the brain is gone", is_gone("gather-brain"), ("GatherBrainUnavailable",)),
    Fault(
        "the HTTP door has no rights",
        the_door_has_no_rights,
        ("GatherDoorWatchDown", "GatherDoorApiErrors", "GatherDoorFails"),
    ),
    Fault("a callback is spoilt", a_callback_is_spoilt, ("GatherCallbacksGivenUp",)),
    Fault("the Celery door is gone", is_gone(CELERY_DOOR), ("GatherCeleryNobodyTakes",)),
    Fault("a worker drops tasks", a_worker_drops_tasks, ("GatherCeleryTasksDropped",)),
    Fault(
        "Redis is gone",
        redis_is_gone,
        ("GatherEventLogDown", "GatherCeleryBrokerLost", "GatherEvaluationsFail"),
    ),
    Fault("MongoDB halts", mongodb_halts, ("GatherMongoDBSlow", "GatherIterationsSlow")),
    Fault(
        "nobody operates",
        nobody_operates,
        ("GatherOperatorAbsent", "GatherCeleryQueueLong", "GatherCeleryWaits"),
    ),
    Fault("somebody takes the Lease", somebody_takes_the_lease, ("GatherOperatorIdle",)),
    Fault("the CRD is older", the_crd_is_older, ("GatherCrdOutdated",)),
)
"""In this order: shares of all departments, and of all requests, are exceeded while there are few of them."""
BY_TIME: Final = "GatherCeleryTaskSlow"
"""Fires for a run that has taken eight minutes, as a suspended one has by the time of all the others."""
