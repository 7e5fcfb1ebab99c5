"""A cluster in memory that can crash the operator at any write."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from gather_clients.kube_api.cluster_errors import Conflict, Missing
from gather_contracts import names
from gather_contracts.result import DepartmentResult, StopReason
from gather_operator.decisions.facts import JobFacts, ObjectEvent, PodFacts

T = TypeVar("T")

LONG_AGO = "2020-01-01T00:00:00Z"
"""When each Job was made, so that whatever it waits for has lasted."""


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
    object_events: dict[str, list[ObjectEvent]] = field(default_factory=dict)
    """By object: what Kubernetes itself says of Jobs and pods."""
    event_lists: list[str] = field(default_factory=list)
    """Objects whose Events were asked for."""
    is_quota_full: bool = False
    """Jobs are taken, but get no pod."""
    sent: dict[str, str] = field(default_factory=dict)
    created_jobs: list[str] = field(default_factory=list)
    jobs_before_start: list[str] = field(default_factory=list)
    """Jobs that were made before the run's first event was in the log."""
    statuses: list[dict[str, Any]] = field(default_factory=list)
    left_running: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    """Jobs that were deleted; the garbage collector deletes their pods."""
    slugs: dict[str, str] = field(default_factory=dict)
    """Departments by the names of their Jobs."""
    made_pods: int = 0
    most_given: int = 0
    """Iterations that were given to Jobs at work or used by ended ones, at most."""
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

    async def put_finalizers(
        self, name: str, version: str, finalizers: list[str], *, is_ended: bool = False
    ) -> dict[str, Any]:
        labels = {"labels": {names.LABEL_ENDED: "true"}} if is_ended else {}
        return self._write(lambda: self._patch(name, version, finalizers=finalizers, **labels))

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

    async def create_config_map(self, manifest: dict[str, Any]) -> bool:
        name = manifest["metadata"]["name"]
        is_new = name not in self.config_maps
        self._write(lambda: self.config_maps.setdefault(name, manifest["data"]))
        return is_new

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
                created=LONG_AGO,
                is_suspended=manifest["spec"].get("suspend") is True,
                is_queued=names.LABEL_QUEUE in labels,
            )
            at_work = [j for j in self.jobs.values() if not j.is_finished]
            ended = sum(p.result.iterations for p in self.pods.values() if p.result is not None)
            self.most_given = max(self.most_given, ended + sum(j.iterations for j in at_work))
            self.slugs[metadata["name"]] = labels[names.LABEL_DEPARTMENT]
            self._start_pods()

        self._write(effect)

    async def delete_job(self, name: str) -> None:
        def effect() -> None:
            self.jobs.pop(name, None)
            self.orphans.append(name)

        self._write(effect)

    async def suspend_job(self, name: str) -> None:
        def effect() -> None:
            if name not in self.jobs:
                return
            self.jobs[name] = replace(self.jobs[name], is_suspended=True, is_suspended_by_us=True)
            self._hold_pods(name)

        self._write(effect)

    async def resume_job(self, name: str) -> None:
        def effect() -> None:
            if name in self.jobs:
                self.jobs[name] = replace(self.jobs[name], is_suspended=False, is_suspended_by_us=False)

        self._write(effect)

    def _hold_pods(self, job_name: str) -> None:
        """The Job controller deletes the pods of a suspended Job, which have time to save."""
        for pod in list(self.pods.values()):
            if pod.job_name == job_name and pod.phase == "Running":
                self.pods[pod.name] = replace(pod, is_terminating=True)

    def _start_pods(self) -> None:
        """The Job controller makes a pod for each Job that is to have one and has none."""
        if self.is_quota_full:
            return
        for job in self.jobs.values():
            taken = [p for p in self.pods.values() if p.job_name == job.name]
            if job.is_suspended or job.is_finished or taken:
                continue
            self.made_pods += 1
            name = f"{job.name}-{self.made_pods}"
            slug = self.slugs[job.name]
            self.pods[name] = PodFacts(
                name, job.run_uid, job.name, job.department_index, phase="Running", reason=slug
            )

    async def delete_pod(self, name: str) -> None:
        def effect() -> None:
            if name in self.pods:
                self.pods[name] = replace(self.pods[name], is_terminating=True)

        self._write(effect)

    async def create_event(self, manifest: dict[str, Any]) -> None:
        self._write(lambda: self.events.append(manifest["reason"]))

    async def list_events(self, object_name: str) -> list[ObjectEvent]:
        self.event_lists.append(object_name)
        return self.object_events.get(object_name, [])

    # --- what Observer offers

    def cached(self, uid: str) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        old_jobs, old_pods = self._snapshots[0]
        jobs = old_jobs if self.cache_lag == "both" else self.jobs
        pods = old_pods if self.cache_lag else self.pods
        return self._of(uid, jobs, pods)

    def forget(self, uid: str) -> None:
        """Deleted pods are not remembered here."""

    def has_document(self, uid: str) -> bool:
        return any(name.endswith(f"{names.digest(uid)}-run") for name in self.config_maps)

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

    @property
    def most_said(self) -> int:
        """The most iterations that a status has given to those at work, with those used by the others."""
        return max((sum(map(_iterations, s.get("departments") or [])) for s in self.statuses), default=0)

    # --- the rest of the cluster

    def admit(self) -> None:
        """Let every Job of a queue begin, as Kueue does with what it has admitted, whoever suspended it."""
        for name, job in self.jobs.items():
            if job.is_queued and job.is_suspended and not job.is_finished:
                self.jobs[name] = replace(job, is_suspended=False)
        self._start_pods()

    def evict(self) -> None:
        """Suspend every Job of a queue, as Kueue does for one that goes before it."""
        for name, job in self.jobs.items():
            if job.is_queued and not job.is_finished:
                self.jobs[name] = replace(job, is_suspended=True)
                self._hold_pods(name)

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
        self._start_pods()

    def _end(self, pod: PodFacts) -> None:
        default = DepartmentResult(
            iterations=2, items_created=12, quality_score=85, reason=StopReason.THRESHOLD_REACHED
        )
        result = self.outcomes.get(pod.reason, default)
        has_failed = result is not None and result.reason is StopReason.INVALID_INPUT
        self.pods[pod.name] = replace(pod, phase="Failed" if has_failed else "Succeeded", result=result)
        job = self.jobs[pod.job_name]
        self.jobs[pod.job_name] = replace(job, is_failed=has_failed, is_complete=not has_failed)


def _iterations(department: dict[str, Any]) -> int:
    return int(department["iterationLimit" if department["phase"] == "Running" else "iterations"])
