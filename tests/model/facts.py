"""What the operator would read of a state: the model's tuples as bodies, facts and documents, and back."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from gather_contracts import names
from gather_contracts.departments import CmsDepartment
from gather_contracts.resource import GatherRun, GatherRunStatus, parse_run
from gather_contracts.result import DepartmentResult, ExitCode, StopReason
from gather_contracts.run_document import RunDocument, decode_run_document
from gather_operator.decisions.assessment import JOB_GENERATIONS_MAX
from gather_operator.decisions.facts import (
    CmsFailure,
    CmsReading,
    CmsSilence,
    JobFacts,
    Numbers,
    PodFacts,
)
from tests.model.state import CONFIGS, READINGS, SLUGS, STOP_TICKS, Job, JobPhase, Phase, Pod, Run

NOW: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
UID: Final = "11111111-2222-3333-4444-555555555555"
NAME: Final = "film"
STOP_DEADLINE_S: Final = 300
ITEMS: Final = 6
"""An iteration makes so many."""
OTHER_NAMES: Final = 10
"""Numbers of Jobs whose names follow no rule begin here."""
UNUSABLE: Final = 1
"""Number of the document that is none."""
ENDS: Final = {
    Phase.LINGERING_GOOD: ("Running", ExitCode.DONE, StopReason.THRESHOLD_REACHED),
    Phase.LINGERING_BAD: ("Running", ExitCode.TRY_AGAIN, StopReason.MODEL_UNAVAILABLE),
    Phase.GOOD: ("Succeeded", ExitCode.DONE, StopReason.THRESHOLD_REACHED),
    Phase.GOOD_BROKEN: ("Failed", ExitCode.DONE, StopReason.THRESHOLD_REACHED),
    Phase.UNREADABLE: ("Succeeded", ExitCode.DONE, None),
    Phase.AGAIN: ("Failed", ExitCode.TRY_AGAIN, StopReason.MODEL_UNAVAILABLE),
    Phase.STOPPED: ("Failed", ExitCode.TERMINATED, StopReason.TERMINATED),
    Phase.NEVER: ("Failed", ExitCode.NEVER, StopReason.INVALID_INPUT),
    Phase.FENCED: ("Failed", ExitCode.TRY_AGAIN, StopReason.FENCED),
}


class Inputs(NamedTuple):
    """All that one pass reads."""

    config: int
    run: Run
    document: int
    known: int
    cms: int
    jobs: tuple[Job, ...]
    pods: tuple[Pod, ...]
    true_jobs: tuple[Job, ...]
    true_pods: tuple[Pod, ...]
    gone: tuple[Pod, ...]
    given_up: tuple[tuple[int, int, int], ...]
    live: tuple[int, ...]
    log: int
    redis: int
    stopping: int

    @property
    def stopping_s(self) -> float:
        """Return for how long stopping has been tried."""
        return STOP_DEADLINE_S * 1.5 if self.stopping > STOP_TICKS else 0.0

    @property
    def is_late(self) -> bool:
        """Return whether the run's deletion was a while ago; nothing else looks at the clock."""
        return self.run.deleted > 1


class Book:
    """Keeps the numbers under which statuses, documents and names stand in states."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"{}": 0}
        self.dumped: list[dict[str, Any]] = [{}]
        self._statuses: list[GatherRunStatus] = [GatherRunStatus()]
        self._texts = ["", "{"]
        self._others: list[tuple[int, str]] = []
        self._events: dict[str, int] = {}
        self._runs: dict[tuple[int, Run], GatherRun] = {}

    # --- statuses and documents

    def number_of(self, status: dict[str, Any]) -> int:
        """Return the number of a status."""
        text = json.dumps(status, sort_keys=True)
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.dumped)
            self.dumped.append(status)
            self._statuses.append(GatherRunStatus.model_validate(status))
        return number

    def status(self, number: int) -> GatherRunStatus:
        """Return a status by its number."""
        return self._statuses[number]

    def number_of_document(self, text: str) -> int:
        """Return the number of a document."""
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text)

    def document_text(self, number: int) -> str:
        """Return a document as its ConfigMap holds it."""
        return self._texts[number]

    def document(self, number: int) -> RunDocument:
        """Return a document that can be read."""
        return _decoded(self._texts[number])

    def is_usable(self, number: int, run: Run) -> bool:
        """Return whether the operator takes a document for the run's."""
        if number <= UNUSABLE:
            return False
        slugs = [d.slug for d in self.document(number).departments]
        return [d.slug for d in self.status(run.status).departments] in ([], slugs)

    def body(self, inputs: Inputs) -> dict[str, Any]:
        """Return the GatherRun as the API server gives it."""
        run, config = inputs.run, CONFIGS[inputs.config]
        metadata: dict[str, Any] = {
            "name": NAME,
            "namespace": "films",
            "uid": UID,
            "generation": run.generation,
            "resourceVersion": "1",
            "finalizers": [names.FINALIZER] if run.held else [],
        }
        if run.deleted:
            metadata["deletionTimestamp"] = NOW.isoformat()
        spec = {
            "projectId": "0123456789abcdef01234567",
            "userId": "me",
            "maxIterations": config.max_iterations,
            "departmentRetries": config.retries,
            "onDepartmentFailure": config.on_failure,
            "cancel": bool(run.cancel),
            "suspend": bool(run.suspend),
        }
        return {"metadata": metadata, "spec": spec, "status": self.dumped[run.status]}

    def run(self, inputs: Inputs) -> GatherRun:
        """Return the GatherRun, parsed."""
        key = (inputs.config, inputs.run)
        known = self._runs.get(key)
        if known is None:
            known = self._runs[key] = parse_run(self.body(inputs))
        return known

    # --- names

    @staticmethod
    def department(slug: str) -> int:
        """Return a department's number."""
        return SLUGS.index(slug)

    def job_number(self, department: int, name: str) -> int:
        """Return the number of a Job by its name."""
        for number in range(1, JOB_GENERATIONS_MAX + 1):
            if name == _ruled_name(department, number):
                return number
        if (department, name) not in self._others:
            self._others.append((department, name))
        return OTHER_NAMES + self._others.index((department, name))

    def job_name(self, department: int, number: int) -> str:
        """Return a Job's name."""
        if number >= OTHER_NAMES:
            return self._others[number - OTHER_NAMES][1]
        return _ruled_name(department, number)

    def job_of(self, name: str) -> tuple[int, int]:
        """Return which Job has that name."""
        for department in range(len(SLUGS)):
            for number in range(1, JOB_GENERATIONS_MAX + 1):
                if name == _ruled_name(department, number):
                    return department, number
        at = next(i for i, (_, other) in enumerate(self._others) if other == name)
        return self._others[at][0], OTHER_NAMES + at

    def pod_of(self, name: str) -> tuple[int, int, int]:
        """Return which pod has that name."""
        job, _, number = name.rpartition("-pod")
        return (*self.job_of(job), int(number))

    def event_bit(self, key: str) -> int:
        """Return the bit of an event in the log, by its idempotency key."""
        return 1 << self._events.setdefault(key, len(self._events))

    @property
    def ended_bit(self) -> int:
        """Return the bit of the run's last event."""
        return self.event_bit(f"{UID}:ended")

    # --- facts

    def facts(
        self, jobs: tuple[Job, ...], pods: tuple[Pod, ...], inputs: Inputs
    ) -> tuple[dict[str, JobFacts], tuple[PodFacts, ...]]:
        """Return Jobs by name and pods in order, as the informers join them."""
        present = {p.key for p in pods}
        gone = [self._pod(p, is_gone=True) for p in inputs.gone if p.key not in present]
        standing = [self._pod(p, is_given_up=p.key in inputs.given_up) for p in pods]
        found = [self._job(job) for job in jobs]
        ordered = sorted((*gone, *standing), key=lambda p: (p.created, p.name))
        return {job.name: job for job in found}, tuple(ordered)

    def _job(self, job: Job) -> JobFacts:
        return JobFacts(
            name=self.job_name(job.department, job.number),
            run_uid=UID,
            department_index=job.department,
            is_terminating=bool(job.terminating),
            is_complete=job.phase == JobPhase.COMPLETE,
            is_failed=job.phase == JobPhase.FAILED,
            failure_reason="BackoffLimitExceeded" if job.phase == JobPhase.FAILED else "",
            failed_pods=job.failed,
            iterations=job.limit,
            is_suspended=bool(job.suspended),
            resource_version="1",
            is_suspended_by_us=bool(job.suspended),
        )

    def _pod(self, pod: Pod, *, is_gone: bool = False, is_given_up: bool = False) -> PodFacts:
        job = self.job_name(pod.department, pod.job)
        phase, code, reason = ENDS.get(Phase(pod.phase), ("", None, None))
        if not phase:
            phase = {Phase.PENDING: "Pending", Phase.RUNNING: "Running"}.get(Phase(pod.phase), "Failed")
        return PodFacts(
            name=f"{job}-pod{pod.number}",
            run_uid=UID,
            job_name=job,
            department_index=pod.department,
            phase=phase,
            is_terminating=bool(pod.terminating),
            is_gone=is_gone,
            is_given_up=is_given_up,
            result=_result(pod.iterations, reason) if reason is not None else None,
            exit_code=code,
            is_lingering=pod.phase in {Phase.LINGERING_GOOD, Phase.LINGERING_BAD},
            created=f"2026-05-01T11:{pod.job % 60:02d}:{pod.number:02d}+00:00",
            reason="Evicted" if pod.phase == Phase.DISRUPTED else "",
            resource_version="1",
        )

    def live(self, iterations: tuple[int, ...]) -> dict[str, Numbers]:
        """Return live numbers, as the event channels bring them."""
        return {
            SLUGS[d]: Numbers(n, ITEMS * n, 50 + n, n / 8, 100 * n) for d, n in enumerate(iterations) if n
        }

    def reading(self, cms: int) -> CmsReading | CmsFailure | CmsSilence:
        """Return what the CMS says."""
        return _reading(cms)


_job_name = names.job_name
"""As it is, whatever a mutant makes of it."""


@lru_cache(maxsize=64)
def _ruled_name(department: int, number: int) -> str:
    return _job_name(NAME, UID, SLUGS[department], number)


@lru_cache(maxsize=256)
def _result(iterations: int, reason: StopReason) -> DepartmentResult:
    return DepartmentResult(
        iterations=iterations,
        items_created=ITEMS * iterations,
        quality_score=50 + iterations,
        cost_usd=iterations / 8,
        tokens=100 * iterations,
        reason=reason,
    )


@lru_cache(maxsize=8)
def _reading(cms: int) -> CmsReading | CmsFailure | CmsSilence:
    if cms == 0:
        return CmsSilence(0.0)
    if cms == 1:
        return CmsFailure("unavailable")
    departments = (
        CmsDepartment(id=slug, slug=slug, name=slug.title(), code_dep_number=place)
        for place, slug in enumerate(READINGS[cms - 2], start=1)
    )
    return CmsReading(tuple(departments))


@lru_cache(maxsize=256)
def _decoded(text: str) -> RunDocument:
    return decode_run_document(text)
