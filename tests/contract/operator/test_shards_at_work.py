"""Operators of several shards at a real API server: each run has exactly one, whatever becomes of others."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.result import DepartmentResult, StopReason
from gather_operator.replicas.release import release
from gather_operator.replicas.shards import Shard
from gather_operator.settings import PlaceSettings
from tests.faults.campaign import tools
from tests.faults.trial import Tools
from tests.support.kubernetes.control_plane import ControlPlane, controlling, kubeconfig
from tests.support.kubernetes.plain_api import CORE, RUNS, Unwanted, in_namespace
from tests.support.kubernetes.pod_player import Part, PodPlayer
from tests.support.workers.process_forks import ForkedProcess

LIMIT_S: Final = 60
LOOK_S: Final = 0.05
WHOLE: Final = Shard()
HALVES: Final = (Shard(0, 2), Shard(1, 2))
RESULT: Final = DepartmentResult(
    iterations=1, items_created=5, quality_score=90, cost_usd=0.01, tokens=100,
    reason=StopReason.THRESHOLD_REACHED,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _controllers(plane: ControlPlane) -> Iterator[None]:
    with controlling(plane):
        yield


class Stage:
    """A namespace with runs of one department, whose pods work until they are let end."""

    def __init__(self, shared: Tools, plane: ControlPlane, namespace: str) -> None:
        self._shared, self._plane, self.namespace = shared, plane, namespace
        self.journal = shared.journals.open(namespace)
        self.player = PodPlayer(shared.api, namespace, lambda *_: Part(RESULT, works_on=True))
        self.journal.on_pod = self.player.note
        self.uids: dict[str, str] = {}
        self._operators: dict[str, ForkedProcess] = {}

    async def start(self, name: str, shard: Shard = WHOLE) -> None:
        """Start an operator; return once it may act as soon as it has its Lease."""
        environment = {
            "KUBECONFIG": str(kubeconfig(self._plane.folder, "operator")),
            "GATHER_NAMESPACE": self.namespace,
            "GATHER_IDENTITY": name,
            "GATHER_LEASE_DURATION_S": "3",
            "GATHER_SHARD": str(shard.index),
            "GATHER_SHARDS": str(shard.count),
            "GATHER_WORKER_IMAGE": "worker",
            "NEXT_PUBLIC_APP_URL": self._shared.cms_url,
            "REDIS_URL": self._shared.redis_url,
            "GATHER_OPERATOR_PORT": "0",
        }
        log = self._log(name)
        self._operators[name] = self._shared.forks.start([], environment, log, log, ROOT)
        await until(lambda: any(e["message"] == "ready to act" for e in self._logged(name)))

    async def end(self, name: str, how: signal.Signals) -> None:
        """End an operator."""
        operator = self._operators.pop(name)
        operator.send_signal(how)
        await asyncio.to_thread(operator.wait, LIMIT_S)

    async def end_all(self) -> None:
        """End what the test has left."""
        for name in list(self._operators):
            await self.end(name, signal.SIGKILL)
        await self.player.close()

    async def begin_runs(self, prefix: str = "film") -> None:
        """Make six runs, and more until each half has two."""
        while len(self.uids) < 6 or min(len(self.of(half)) for half in HALVES) < 2:
            name = f"{prefix}-{len(self.uids)}"
            body = {
                "apiVersion": f"{names.GROUP}/{names.VERSION}",
                "kind": names.KIND,
                "metadata": {"name": name},
                "spec": {"projectId": f"{len(self.uids):024x}", "userId": "me", "departments": ["story"]},
            }
            path = in_namespace(RUNS, self.namespace, names.PLURAL)
            self.uids[name] = (await self._shared.api.call("POST", path, body))["metadata"]["uid"]

    def of(self, shard: Shard) -> set[str]:
        """Return the names of that shard's runs."""
        return {name for name, uid in self.uids.items() if shard.has(uid)}

    async def all_at_work(self) -> None:
        """Return once each run's pod works, and its status says so."""
        await until(lambda: all(self._phase(run) == "Running" for run in self.uids))
        await until(lambda: all(self.player.at_work[f"{run}/0"] for run in self.uids))

    async def all_ended(self) -> None:
        """Let the pods end; return once nothing is left to do for the runs."""
        self.player.may_end.set()
        await until(lambda: all(self._phase(run) == "Succeeded" and not self._held(run) for run in self.uids))

    async def held_by(self, index: int, holder: str) -> None:
        """Return once a shard's Lease is held by that name."""
        name = names.shard_name("gather-operator", index)
        path = in_namespace("/apis/coordination.k8s.io/v1", self.namespace, "leases", name)
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    lease = await self._shared.api.call("GET", path)
                except Unwanted:
                    lease = {"spec": {}}
                if (lease["spec"].get("holderIdentity") or "") == holder:
                    return
                await asyncio.sleep(LOOK_S)

    def worked_on(self, name: str) -> set[str]:
        """Return the runs for which an operator has done something."""
        return {e["run"] for e in self._logged(name) if e["message"] == "carrying out an action"}

    def assert_nothing_doubled(self) -> None:
        """Each run had one Job and one pod."""
        for run in self.uids:
            made = {kind: len(self.journal.of_run(kind, run)) for kind in ("jobs", "pods")}
            assert made == {"jobs": 1, "pods": 1}, run
        assert self.player.overlaps == []

    def _phase(self, run: str) -> str:
        return str((self.journal.run(run) or {}).get("status", {}).get("phase"))

    def _held(self, run: str) -> bool:
        return names.FINALIZER in (self.journal.run(run) or {})["metadata"].get("finalizers", [])

    def _log(self, name: str) -> Path:
        return self._shared.folder / f"{self.namespace}-{name}.log"

    def _logged(self, name: str) -> list[dict[str, Any]]:
        text = self._log(name).read_text(encoding="utf-8") if self._log(name).exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


async def until(probe: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not probe():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def stage(plane: ControlPlane, redis_url: str, folder: Path) -> AsyncIterator[Stage]:
    namespace = f"shards-{time.monotonic_ns()}"
    async with tools(plane.server, redis_url, folder) as shared:
        await shared.api.call("POST", f"{CORE}/namespaces", {"metadata": {"name": namespace}})
        made = Stage(shared, plane, namespace)
        try:
            yield made
        finally:
            await made.end_all()


async def test_each_run_has_the_operator_of_its_shard_and_a_killed_one_is_taken_over(
    plane: ControlPlane, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the other replica of its shard, and by no other shard's. An uninstallation stops all."""
    first, second = HALVES
    async with stage(plane, redis_url, tmp_path) as it:
        await it.start("a", first)
        await it.start("b", second)
        await it.held_by(1, "b/2-shards")
        await it.start("c", second)
        await it.begin_runs()
        await it.all_at_work()
        assert it.worked_on("b") == it.of(second)
        assert it.worked_on("c") == set()
        await it.end("b", signal.SIGKILL)
        await it.all_ended()
        assert it.worked_on("c") == it.of(second)
        assert it.worked_on("a") == it.of(first)
        it.assert_nothing_doubled()
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(plane.folder, "operator")))
        place = {"GATHER_NAMESPACE": it.namespace, "GATHER_IDENTITY": "hook"}
        await release(PlaceSettings.model_validate(place), LIMIT_S)
        await it.held_by(0, "hook")
        await it.held_by(1, "hook")


async def test_the_number_of_shards_can_be_changed_while_runs_are_at_work(
    plane: ControlPlane, redis_url: str, tmp_path: Path
) -> None:
    """From one to two and back, with the old operators still there: no Job is doubled, no run left alone."""
    async with stage(plane, redis_url, tmp_path) as it:
        await it.start("whole")
        await it.held_by(0, "whole")
        await it.begin_runs()
        await it.all_at_work()
        await it.start("a", HALVES[0])
        await it.start("b", HALVES[1])
        assert it.worked_on("a") | it.worked_on("b") == set()
        await it.end("whole", signal.SIGTERM)
        await it.held_by(0, "a/2-shards")
        await it.held_by(1, "b/2-shards")
        await it.all_ended()
        assert (it.worked_on("a"), it.worked_on("b")) == (it.of(HALVES[0]), it.of(HALVES[1]))
        it.assert_nothing_doubled()

        await it.start("later")
        done = it.worked_on("b")
        await it.end("a", signal.SIGTERM)
        await it.held_by(0, "later")
        await it.held_by(1, "")  # the second one still runs, and has stopped
        it.uids.clear()
        await it.begin_runs("later")
        await it.all_ended()
        assert it.worked_on("later") >= set(it.uids)
        assert it.worked_on("b") == done
        it.assert_nothing_doubled()
