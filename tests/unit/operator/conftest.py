"""Builders of facts, and a cluster in memory that can crash the operator at any write."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import aiohttp
import pytest

from gather_contracts import names
from gather_contracts.departments import CmsDepartment, ResolvedDepartment
from gather_contracts.resource import Condition, DepartmentStatus, GatherRun, GatherRunStatus, parse_run
from gather_contracts.result import DepartmentResult, StopReason
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_operator.decisions.facts import CmsReading, JobFacts, PodFacts, RunSnapshot
from gather_operator.errors import Conflict, Missing
from gather_operator.probe_server import serving

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
PROJECT = "0123456789abcdef01234567"
UID = "11111111-2222-3333-4444-555555555555"


SUCCEEDED = {"phase": "Succeeded", "reason": "ThresholdReached", "iterations": 3, "itemsCreated": 18}
RUNNING = {"phase": "Running", "iterationLimit": 10, "startTime": "2026-05-01T11:00:00.000Z"}


class Build:
    """Makes the inputs of decisions; every argument has a default that means "nothing special"."""

    now = NOW
    uid = UID
    project = PROJECT
    succeeded = SUCCEEDED
    """A department that has reached its threshold."""
    at_work = RUNNING
    """A department at work, but for its Job."""

    @staticmethod
    def conditions(status: GatherRunStatus) -> dict[str, Condition]:
        """A status's conditions by type."""
        return {c.type: c for c in status.conditions}

    @staticmethod
    def phases(status: GatherRunStatus) -> list[str]:
        """The phases of a status's departments."""
        return [str(d.phase) for d in status.departments]

    def body(
        self,
        *,
        name: str = "film",
        uid: str = UID,
        spec: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        finalizers: tuple[str, ...] = (names.FINALIZER,),
        deleted: str | None = None,
        generation: int = 1,
        version: str = "1",
    ) -> dict[str, Any]:
        """A GatherRun as the API server gives it."""
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": "films",
            "uid": uid,
            "generation": generation,
            "resourceVersion": version,
            "finalizers": list(finalizers),
        }
        if deleted:
            metadata["deletionTimestamp"] = deleted
        return {
            "metadata": metadata,
            "spec": {"projectId": PROJECT, "userId": "me", **(spec or {})},
            "status": status or {},
        }

    def run(self, **fields: Any) -> GatherRun:
        """A typed GatherRun."""
        return parse_run(self.body(**fields))

    def document(self, *slugs: str, left_out: list[str] | None = None) -> RunDocument:
        """A run document with the departments in that order."""
        run = self.run()
        return RunDocument(
            run=RunIdentity(name="film", namespace="films", uid=UID),
            spec=run.spec,
            departments=[
                ResolvedDepartment(slug=s, name=s.title(), code_dep_number=i, threshold=80, model="m")
                for i, s in enumerate(slugs, start=1)
            ],
            left_out=left_out or [],
        )

    def departments(self, *slugs: str, **first: Any) -> list[dict[str, Any]]:
        """Statuses of pending departments; the keywords (camelCase) go to the first."""
        statuses = [
            DepartmentStatus(slug=s, name=s.title(), code_dep_number=i, threshold=80, model="m")
            for i, s in enumerate(slugs, start=1)
        ]
        dumped = [s.model_dump(mode="json", by_alias=True, exclude_none=True) for s in statuses]
        dumped[0].update(first)
        return dumped

    def job_name(self, slug: str, generation: int = 1) -> str:
        """The name of a department's Job."""
        return names.job_name("film", UID, slug, generation)

    def job(self, slug: str, generation: int = 1, **fields: Any) -> JobFacts:
        """A Job's facts."""
        name = self.job_name(slug, generation)
        return JobFacts(name=name, run_uid=UID, department_index=0, iterations=10, **fields)

    def pod(self, slug: str, generation: int = 1, attempt: int = 1, **fields: Any) -> PodFacts:
        """A pod's facts."""
        job = self.job_name(slug, generation)
        facts = PodFacts(
            name=f"{job}-{attempt}",
            run_uid=UID,
            job_name=job,
            department_index=0,
            created=f"2026-05-01T11:00:{attempt:02d}+00:00",
        )
        return replace(facts, **fields)

    def result(self, iterations: int = 3, items: int = 18, **fields: Any) -> DepartmentResult:
        """What a worker says at its end."""
        values: dict[str, Any] = {"quality_score": 85, "reason": StopReason.THRESHOLD_REACHED, **fields}
        return DepartmentResult(iterations=iterations, items_created=items, **values)

    def done(self, slug: str, **fields: Any) -> PodFacts:
        """A pod that succeeded with a result."""
        return self.pod(slug, phase="Succeeded", result=self.result(), **fields)

    def cms(self, *slugs: str, malformed: tuple[str, ...] = ()) -> CmsReading:
        """An answer of the CMS, in that order."""
        return CmsReading(
            tuple(
                CmsDepartment(id=s, slug=s, name=s.title(), code_dep_number=i, description=f"About {s}")
                for i, s in enumerate(slugs, start=1)
            ),
            malformed,
        )

    def running(self, *slugs: str, spec: dict[str, Any] | None = None, **first: Any) -> GatherRun:
        """A run with its first department at work, or as `first` says."""
        has_job = "jobName" not in first and first.get("phase") != "Pending"
        job = {"jobName": self.job_name(slugs[0])} if has_job else {}
        departments = self.departments(*slugs, **{**RUNNING, **job, **first})
        return self.run(spec=spec, status={"phase": "Running", "departments": departments})

    def snapshot(self, run: GatherRun, **fields: Any) -> RunSnapshot:
        """All facts at one moment; jobs may be given as a list."""
        if isinstance(jobs := fields.get("jobs"), list):
            fields["jobs"] = {j.name: j for j in jobs}
        return RunSnapshot(run=run, now=NOW, **{"default_model": "default/model", **fields})


@pytest.fixture
def build() -> Build:
    """Makes the inputs of decisions."""
    return Build()


@pytest.fixture(scope="session")
def build_class() -> type[Build]:
    """The builder itself, for generated examples."""
    return Build


T = TypeVar("T")


class Killed(BaseException):
    """The operator's process was killed; like a kill, nothing of the operator's catches it."""


@dataclass
class World:
    """A namespace in memory: what the API server, the Job controller and the kubelet would do."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    pods: dict[str, PodFacts] = field(default_factory=dict)
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    created_jobs: list[str] = field(default_factory=list)
    jobs_before_start: list[str] = field(default_factory=list)
    """Jobs that were made before the run's first event was in the log."""
    statuses: list[dict[str, Any]] = field(default_factory=list)
    left_running: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    """Jobs that were deleted; the garbage collector deletes their pods."""
    writes: int = 0
    kill_at: int = -1
    kill_after: bool = False
    cache_lag: str = ""
    """"both": the caches are two steps old; "pods": only that of the pods is."""
    outcomes: dict[str, DepartmentResult | None] = field(default_factory=dict)
    """What a department's pods end with; None ends without a result."""
    killed: ClassVar[type[BaseException]] = Killed

    def __post_init__(self) -> None:
        self._version = 1
        self._snapshots: list[tuple[dict[str, JobFacts], dict[str, PodFacts]]] = [({}, {}), ({}, {})]

    # --- faults

    def _write(self, effect: Callable[[], T]) -> T:
        self.writes += 1
        is_fatal = self.writes == self.kill_at
        if is_fatal and not self.kill_after:
            raise Killed
        answer = effect()
        if is_fatal:
            raise Killed
        return answer

    # --- what Cluster offers

    async def get_run(self, name: str) -> dict[str, Any]:
        if name not in self.runs:
            raise Missing(name)
        return self.runs[name]

    async def put_finalizers(self, name: str, version: str, finalizers: list[str]) -> dict[str, Any]:
        return self._write(lambda: self._patch(name, version, finalizers=finalizers))

    async def put_status(self, name: str, version: str, status: dict[str, Any]) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            body = self._patch(name, version, status=status)
            self.statuses.append(status)
            return body

        return self._write(effect)

    async def delete_run(self, name: str, uid: str, version: str) -> None:
        metadata = (await self.get_run(name))["metadata"]
        if (metadata["uid"], metadata["resourceVersion"]) != (uid, version):
            raise Conflict(name)
        self._write(lambda: self._collect(name))

    def _patch(self, name: str, version: str, **changes: Any) -> dict[str, Any]:
        body = self.runs.get(name)
        if body is None:
            raise Missing(name)
        if body["metadata"]["resourceVersion"] != version:
            raise Conflict(name)
        metadata = {**body["metadata"], "resourceVersion": self._next()}
        if "finalizers" in changes:
            metadata["finalizers"] = changes.pop("finalizers")
        self.runs[name] = {**body, "metadata": metadata, **changes}
        if metadata.get("deletionTimestamp") and not metadata["finalizers"]:
            return self._collect(name)
        return self.runs[name]

    def _collect(self, name: str) -> dict[str, Any]:
        """Remove the run and, as the garbage collector does, all that it owns; note which pods it left."""
        body = self.runs.pop(name)
        self.left_running += [p.name for p in self.pods.values() if p.phase == "Running"]
        self.jobs.clear()
        self.pods.clear()
        return body

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    async def get_config_map(self, name: str) -> dict[str, str]:
        if name not in self.config_maps:
            raise Missing(name)
        return self.config_maps[name]

    async def create_config_map(self, manifest: dict[str, Any]) -> None:
        self._write(lambda: self.config_maps.setdefault(manifest["metadata"]["name"], manifest["data"]))

    async def delete_config_map(self, name: str) -> None:
        self._write(lambda: self.config_maps.pop(name, None))

    async def create_job(self, manifest: dict[str, Any]) -> None:
        def effect() -> None:
            metadata = manifest["metadata"]
            if metadata["name"] in self.jobs:
                return
            if metadata["name"] in self.orphans:
                self.orphans.remove(metadata["name"])  # the collector goes by UID
            labels = metadata["labels"]
            self.created_jobs.append(metadata["name"])
            if "automation_started" not in self.sent.values():
                self.jobs_before_start.append(metadata["name"])
            self.jobs[metadata["name"]] = JobFacts(
                metadata["name"],
                labels[names.LABEL_RUN_UID],
                int(labels[names.LABEL_DEPARTMENT_INDEX]),
                iterations=int(labels[names.LABEL_ITERATIONS]),
            )
            self.pods[metadata["name"] + "-a"] = PodFacts(
                metadata["name"] + "-a",
                labels[names.LABEL_RUN_UID],
                metadata["name"],
                int(labels[names.LABEL_DEPARTMENT_INDEX]),
                phase="Running",
                reason=labels[names.LABEL_DEPARTMENT],
            )

        self._write(effect)

    async def delete_job(self, name: str) -> None:
        def effect() -> None:
            self.jobs.pop(name, None)
            self.orphans.append(name)

        self._write(effect)

    async def delete_pod(self, name: str) -> None:
        def effect() -> None:
            if name in self.pods:
                self.pods[name] = replace(self.pods[name], is_terminating=True)

        self._write(effect)

    async def create_event(self, manifest: dict[str, Any]) -> None:
        self._write(lambda: self.events.append(manifest["reason"]))

    # --- what Observer offers

    def cached(self, uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        old_jobs, old_pods = self._snapshots[0]
        jobs = old_jobs if self.cache_lag == "both" else self.jobs
        pods = old_pods if self.cache_lag else self.pods
        return self._of(uid, jobs, pods)

    async def fresh(self, uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        return self._of(uid, self.jobs, self.pods)

    def _of(
        self, uid: str, jobs: dict[str, JobFacts], pods: dict[str, PodFacts]
    ) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        return {n: j for n, j in jobs.items() if j.run_uid == uid}, tuple(
            p for p in pods.values() if p.run_uid == uid
        )

    # --- what the CMS and the event log offer

    async def append(self, event: Any, key: str | None = None) -> int | None:
        def effect() -> int | None:
            if key in self.sent:
                return None
            self.sent[str(key)] = event.type
            return len(self.sent)

        return self._write(effect)

    # --- the rest of the cluster

    def step(self) -> None:
        """Let time pass: caches catch up, running pods end, those of deleted Jobs and terminating ones go."""
        self._snapshots = [self._snapshots[1], (dict(self.jobs), dict(self.pods))]
        for name, pod in list(self.pods.items()):
            if pod.job_name in self.orphans and pod.phase == "Running":
                self.pods[name] = replace(pod, is_terminating=True)
        for name, pod in list(self.pods.items()):
            if pod.is_terminating:
                del self.pods[name]
            elif pod.phase == "Running" and pod.job_name in self.jobs:
                self._end(pod)

    def _end(self, pod: PodFacts) -> None:
        default = DepartmentResult(
            iterations=2, items_created=12, quality_score=85, reason=StopReason.THRESHOLD_REACHED
        )
        result = self.outcomes.get(pod.reason, default)
        has_failed = result is not None and result.reason is StopReason.INVALID_INPUT
        self.pods[pod.name] = replace(pod, phase="Failed" if has_failed else "Succeeded", result=result)
        job = self.jobs[pod.job_name]
        self.jobs[pod.job_name] = replace(job, is_failed=has_failed, is_complete=not has_failed)


@pytest.fixture
def make_world() -> Callable[..., Any]:
    """Make an empty namespace in memory."""
    return World


@pytest.fixture
def spaces() -> type[SimpleNamespace]:
    """Make stand-ins with a few attributes."""
    return SimpleNamespace


@pytest.fixture
def aiohttp_get() -> Callable[..., Any]:
    """Serve an operator's health on a free port and get one path of it: (status, text)."""

    async def get(health: Any, path: str) -> tuple[int, str]:
        async with (
            serving(health, 0) as port,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as response,
        ):
            return response.status, await response.text()

    return get
