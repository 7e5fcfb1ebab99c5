"""What stands in the way of a pass: nothing that is known gets lost, and nobody pays for what nobody sees."""

from typing import Any

import pytest

from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Refused
from gather_operator.action_pacer import BACKOFF, FREE, ActionPacer
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.reconcile import REFUSED_RETRY_S, STATUS_RETRY_S, Reconciler
from gather_operator.run_cache import RunCache
from gather_operator.work_queue import Next
from tests.support.fake_clock import FakeClock
from tests.support.kubernetes.operator_in_memory import dependencies_on, naming

SLUGS = ("story", "world", "music")
STEPS_MAX = 100


class Operator:
    """The operator over a namespace in memory."""

    def __init__(self, world: Any, build: Any) -> None:
        self.world = world
        self.cache = RunCache()
        self.clock = FakeClock()
        self.reconciler = Reconciler(
            dependencies_on(world, self.cache, naming(build, *SLUGS), clock=self.clock),
            WorkerTemplate(image="worker"),
            "default/model",
        )

    async def step(self) -> Any:
        """One pass over the run as it stands."""
        self.clock.now_s += 1
        for body in list(self.world.runs.values()):
            self.cache.put(body)
        (run,) = self.cache.all()
        return await self.reconciler.work(run.metadata.uid)

    async def until(self, holds: Any) -> None:
        """Passes, and the cluster's own steps, until it holds."""
        for _ in range(STEPS_MAX):
            if holds():
                return
            await self.step()
            self.world.step()
        raise AssertionError(self.world.runs)


@pytest.fixture
def world(make_world: Any, build: Any) -> Any:
    world = make_world()
    world.runs["film"] = build.body(finalizers=())
    return world


@pytest.fixture
def operator(world: Any, build: Any) -> Operator:
    return Operator(world, build)


def department(world: Any, slug: str) -> dict[str, Any]:
    """A department as the status has it."""
    departments = world.runs["film"]["status"].get("departments", [])
    return next((d for d in departments if d["slug"] == slug), {})


def progressing(world: Any) -> dict[str, Any]:
    """The condition Progressing."""
    conditions = {c["type"]: c for c in world.runs["film"]["status"].get("conditions", [])}
    return dict(conditions.get("Progressing", {}))


@pytest.mark.parametrize("error", [ClusterUnavailable("create job: 503"), Refused("create job: quota")])
async def test_an_action_that_fails_does_not_lose_what_was_just_seen(
    operator: Operator, world: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The first department's end: its pod may be gone before the next Job can be made."""
    await operator.until(lambda: len(world.created_jobs) == 1)

    async def fail(_: Any) -> None:
        raise error

    monkeypatch.setattr(world, "create_job", fail)
    world.step()
    try:
        await operator.step()
    except ClusterUnavailable:
        assert isinstance(error, ClusterUnavailable)
    assert department(world, "story")["phase"] == "Succeeded"
    assert department(world, "story")["itemsCreated"] == 12
    assert department(world, "world")["phase"] == "Pending"
    monkeypatch.undo()
    await operator.until(lambda: world.runs["film"]["status"]["phase"] == "Succeeded")
    assert len(world.created_jobs) == len(SLUGS)


async def test_a_status_that_is_refused_once_costs_no_job(
    operator: Operator, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right can be missing for a moment; until the status stands, nothing new is begun."""
    await operator.until(lambda: len(world.created_jobs) == 2)
    put = world.put_status
    refused: list[dict[str, Any]] = []

    async def refuse_once(name: str, version: str, status: dict[str, Any]) -> dict[str, Any]:
        if not refused:
            refused.append(status)
            raise Refused("patch gatherruns/status: forbidden")
        return dict(await put(name, version, status))

    monkeypatch.setattr(world, "put_status", refuse_once)
    world.step()
    await operator.until(lambda: refused != [])
    await operator.until(lambda: world.runs["film"]["status"]["phase"] == "Succeeded")
    assert len(world.created_jobs) == 3
    assert "StatusRefused" not in world.events


@pytest.mark.parametrize("takes_conditions", [True, False])
async def test_a_status_that_is_refused_stops_the_spending(
    operator: Operator, world: Any, monkeypatch: pytest.MonkeyPatch, takes_conditions: bool
) -> None:
    """No further Job is made, the one at work goes, and it is said where it can be; then it goes on."""
    await operator.until(lambda: len(world.created_jobs) == 2)
    assert len(world.jobs) == 2
    put, refused = world.put_status, []

    async def refuse(name: str, version: str, status: dict[str, Any]) -> dict[str, Any]:
        is_old = status.get("departments") == world.runs[name]["status"].get("departments")
        if takes_conditions and is_old:
            return dict(await put(name, version, status))
        refused.append(status)
        raise Refused("patch gatherruns/status: spec.x in body must be of type integer")

    monkeypatch.setattr(world, "put_status", refuse)
    for pod in world.pods.values():
        world.outcomes[pod.reason] = None
    world.step()
    following = [await operator.step() for _ in range(2)]
    assert [(f.after_s, f.is_held) for f in following] == [(REFUSED_RETRY_S, True), (STATUS_RETRY_S, True)]
    for _ in range(5):
        await operator.step()
        world.step()
    assert len(world.created_jobs) <= 3
    assert [job for job in world.jobs.values() if not job.is_finished] == []
    assert len(refused) >= 6
    assert "StatusRefused" in world.events
    assert progressing(world).get("reason") == ("StatusRefused" if takes_conditions else "DepartmentRunning")
    if takes_conditions:
        assert "kubectl apply -f crds/" in progressing(world)["message"]
    monkeypatch.undo()
    world.outcomes.clear()
    await operator.until(lambda: world.runs["film"]["status"]["phase"] in {"Succeeded", "Failed"})
    assert world.runs["film"]["status"]["phase"] == "Succeeded"


async def test_a_crd_that_drops_fields_costs_no_endless_writes(
    operator: Operator, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status that comes back is never the one that was sent."""
    put = world.put_status

    async def drop(name: str, version: str, status: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in status.items() if k != "progress"}
        for each in kept.get("departments", []):
            each.pop("model")
        return dict(await put(name, version, kept))

    monkeypatch.setattr(world, "put_status", drop)
    await operator.until(lambda: len(world.jobs) == 1)
    for _ in range(3):
        await operator.step()
    writes = len(world.statuses)
    for _ in range(20):
        await operator.step()
    assert len(world.statuses) == writes
    await operator.until(lambda: world.runs["film"]["status"]["phase"] == "Succeeded")


async def test_somebody_who_changes_the_status_back_does_not_make_us_flood_the_api(
    operator: Operator, world: Any
) -> None:
    """Each second at first, then ever more rarely."""
    await operator.until(lambda: len(world.jobs) == 1)
    for _ in range(3):
        await operator.step()
    old = world.runs["film"]["status"]
    writes = len(world.statuses)
    for _ in range(120):
        body = world.runs["film"]
        metadata = {**body["metadata"], "resourceVersion": world._next()}
        world.runs["film"] = {**body, "metadata": metadata, "status": {**old, "itemsCreated": 99}}
        await operator.step()
    assert len(world.statuses) - writes <= 10


async def test_a_refused_job_is_shown_in_the_status_and_tried_again(operator: Operator, world: Any) -> None:
    """A quota or an admission rule stands in the way."""
    create = world.create_job

    async def refuse(_: Any) -> None:
        raise Refused("create job: exceeded quota: pods")

    world.create_job = refuse
    for _ in range(5):
        await operator.step()
    assert progressing(world)["reason"] == "JobRefused"
    assert "exceeded quota" in progressing(world)["message"]
    world.create_job = create
    await operator.step()
    assert progressing(world)["reason"] == "DepartmentRunning"
    assert len(world.created_jobs) == 1


async def test_somebody_who_undoes_our_finalizer_does_not_make_us_flood_the_api(
    operator: Operator, world: Any, build: Any
) -> None:
    """However often its watch event brings the run back, another action is carried out meanwhile."""
    operator.reconciler._pacer = ActionPacer(clock=lambda: 0.0)
    held: list[Next] = []
    for _ in range(24):
        body = world.runs["film"]
        metadata = {**body["metadata"], "finalizers": [], "resourceVersion": world._next()}
        world.runs["film"] = {**body, "metadata": metadata}
        operator.cache.put(world.runs["film"])
        writes = world.writes
        held.append(await operator.reconciler.work(build.uid))
        if held[-1].is_held:
            assert world.writes == writes
    assert [each.is_held for each in held] == [False] * FREE + [True] * (24 - FREE)
    assert held[-1].after_s == BACKOFF.first_s


async def test_a_status_that_was_written_meanwhile_is_not_written_over(
    operator: Operator, world: Any, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the last write was lost, and the watch brings it in the middle of the next pass."""
    await operator.until(lambda: len(world.created_jobs) == len(SLUGS))
    world.step()
    ended = {**world.runs["film"]["status"], "phase": "Succeeded", "completionTime": "2001-01-01T00:00:00Z"}
    metadata = {**world.runs["film"]["metadata"], "resourceVersion": world._next()}
    cached = world.cached

    def catch_up(uid: str) -> Any:
        world.runs["film"] = {**world.runs["film"], "metadata": metadata, "status": ended}
        operator.cache.put(world.runs["film"])
        return cached(uid)

    monkeypatch.setattr(world, "cached", catch_up)
    await operator.reconciler.work(build.uid)
    assert world.runs["film"]["status"] == ended
