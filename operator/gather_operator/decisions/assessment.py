"""Where one department stands, by its Job, its pods and its live numbers.

Success comes from the pod (its Job says so only seconds later); failure comes from the Job (only it knows
whether another attempt follows). Numbers never go back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from gather_contracts import names
from gather_contracts.events import timestamp
from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_contracts.resource import MESSAGE_MAX, DepartmentStatus, GatherRun
from gather_contracts.result import StopReason
from gather_contracts.text_cleaning import writable
from gather_operator.decisions.facts import (
    JobFacts,
    Numbers,
    ObjectEvent,
    PodFacts,
    RunSnapshot,
    UsualStarts,
)
from gather_operator.decisions.resolve import pending_departments
from gather_operator.decisions.waiting import SECONDS, Wait, condense, ended_with, last_end, wait_of

JOB_GENERATIONS_MAX = 3
"""Jobs made for one department: one, and two more if a Job was deleted or its result was lost."""
QUEUED_GENERATIONS_MAX = 16
"""Where the Jobs belong to a queue: `spec.suspend` deletes a Job each time."""

NAMES_MAX = 8192
"""Departments whose names are remembered, about 1 KB each: more than a thousand runs of seven."""

DEADLINE_EXCEEDED = "DeadlineExceeded"
"""Kubernetes' word for a pod that it stopped after `departmentTimeoutSeconds`."""

ENDED = frozenset({DepartmentPhase.SUCCEEDED, DepartmentPhase.FAILED, DepartmentPhase.SKIPPED})
FINAL = ENDED | {DepartmentPhase.CANCELLED}


@dataclass(frozen=True, slots=True)
class Department:
    """One department's facts within one snapshot."""

    status: DepartmentStatus
    """As it was last written."""
    generation: int
    """Number of its current Job, from 1; 0 if none was made."""
    generations_max: int
    job_name: str
    job: JobFacts | None
    pods: tuple[PodFacts, ...]
    live: Numbers
    events: tuple[ObjectEvent, ...] = ()
    """Of the run's Jobs and pods, the newest last."""
    usual: UsualStarts = SECONDS
    is_overdue: bool = False
    """Its Job has waited for too long for what never comes right by itself."""


def generations_max(run: GatherRun) -> int:
    """Return how many Jobs may be made for one department."""
    return QUEUED_GENERATIONS_MAX if run.is_queued else JOB_GENERATIONS_MAX


def job_names(run: GatherRun, slug: str) -> Mapping[str, int]:
    """Return the names that a department's Jobs can have, each with its number."""
    return _job_names(run.metadata.name, run.metadata.uid, slug, generations_max(run))


@lru_cache(maxsize=NAMES_MAX)
def _job_names(run: str, run_uid: str, slug: str, count: int) -> dict[str, int]:
    """Each pass asks several times, and each name is a hash."""
    return {names.job_name(run, run_uid, slug, number): number for number in range(1, count + 1)}


def gather_departments(snapshot: RunSnapshot, statuses: Sequence[DepartmentStatus]) -> list[Department]:
    """Collect what the snapshot knows of each department, in order."""
    found: list[Department] = []
    metadata, most = snapshot.run.metadata, generations_max(snapshot.run)
    # A pod outlives its Job: the next one must not get that name while the old one is being deleted.
    seen = {*snapshot.jobs, *(p.job_name for p in snapshot.pods)}
    for status in statuses:
        known = _job_names(metadata.name, metadata.uid, status.slug, most)
        current = next((name for name in reversed(known) if name in seen or name == status.job_name), "")
        department = Department(
            status=status,
            generation=known.get(current, 0),
            generations_max=most,
            job_name=current,
            job=snapshot.jobs.get(current),
            pods=tuple(p for p in snapshot.pods if p.job_name in known) if current else (),
            live=snapshot.live.get(status.slug, Numbers()),
            events=snapshot.events,
            usual=snapshot.usual,
            is_overdue=current in snapshot.overdue and not snapshot.run.is_to_stop,
        )
        found.append(department)
    return found


def assess(department: Department, now: datetime) -> DepartmentStatus:
    """Return the department's status as its facts have it; it starts, skips and cancels nothing."""
    status = department.status
    if status.phase in FINAL:
        return status
    advanced = _advanced(department, now)
    done = next((p.result for p in department.pods if p.has_succeeded and p.result), None)
    # Where a sidecar made a pod fail whose worker had succeeded, its Job may have made another one meanwhile.
    if done is not None and not any(p.is_alive for p in department.pods):
        # What the worker counted replaces the live numbers.
        counted = advanced.model_copy(update=_counts(Numbers.of_result(done)))
        return close(counted, DepartmentPhase.SUCCEEDED, done.reason, now, done.message)
    wait = waits_for(department, now)
    failure = _failure(department, wait)
    if failure is not None:
        return close(advanced, DepartmentPhase.FAILED, failure.reason, now, failure.message)
    if department.generation == 0:
        return advanced
    said = wait or _last_end(department)
    going = {"phase": DepartmentPhase.RUNNING, "reason": said.reason, "message": _fit(said.message)}
    return advanced.model_copy(update=going)


def waits_for(department: Department, now: datetime) -> Wait | None:
    """Return what the department waits for; None while it works, or waits no longer than each start does."""
    return wait_of(department.job, department.pods, now, department.events, department.usual)


def gives_up(department: Department, assessed: DepartmentStatus) -> bool:
    """Return whether the department has just failed although its Job would go on waiting."""
    job, was = department.job, department.status.phase
    is_going = job is not None and not (job.is_finished or job.is_terminating)
    return is_going and was not in FINAL and assessed.phase is DepartmentPhase.FAILED


def needs_job(department: Department) -> bool:
    """Return whether a Job has to be made: none was, it was deleted, or it completed without a result.

    Not while a pod may still be at work: two would pay twice.
    """
    return department.generation < department.generations_max and _is_at_rest(department)


def _is_at_rest(department: Department) -> bool:
    """Return whether nothing of the department is at work, and no Job stands that could make another pod.

    One that waits for a pod that was given up makes none only once it is being deleted itself.
    """
    if any(p.is_alive for p in department.pods):
        return False
    job = department.job
    if job is None:
        return True
    return is_abandoned(department) if job.is_terminating else job.is_complete


def is_at_work(department: Department) -> bool:
    """Return whether a pod of the department works, or its Job stands and may make one."""
    if any(p.is_alive for p in department.pods):
        return True
    job = department.job
    is_over = any(p.has_succeeded for p in department.pods)
    return not (job is None or job.is_finished or job.is_terminating or is_over)


def is_abandoned(department: Department) -> bool:
    """Return whether the Job waits for a pod that was given up, which it would do forever.

    One that has ended and is only held by a finalizer is replaced by the Job itself.
    """
    job = department.job
    if job is None or job.is_finished:
        return False
    standing = [p for p in department.pods if p.job_name == job.name and not p.is_gone]
    return bool(standing) and standing[-1].is_given_up and not standing[-1].is_ended


def _may_start_beside_others(snapshot: RunSnapshot) -> bool:
    """Return whether a department may start while others are at work.

    Its iterations depend on theirs, and a Job that a cache has not shown yet was given some.
    """
    run = snapshot.run
    if run.spec.parallelism == 1 or run.spec.suspend:
        return False
    if not run.status.departments:
        # The first ones may have been started although no status says so.
        return snapshot.document is not None
    departments = gather_departments(snapshot, run.status.departments)
    phases = [assess(d, snapshot.now).phase for d in departments]
    return DepartmentPhase.PENDING in phases and phases.count(DepartmentPhase.RUNNING) < run.spec.parallelism


def is_to_suspend(run: GatherRun, job: JobFacts) -> bool:
    """Return whether the run is suspended and the Job still works, or would if its queue let it."""
    is_over = job.is_finished or job.is_terminating
    return run.spec.suspend and not is_over and (job.is_queued or not job.is_suspended)


def is_to_resume(run: GatherRun, job: JobFacts) -> bool:
    """Return whether the Job is still suspended by us although the run is not any more."""
    is_ours = job.is_suspended and job.is_suspended_by_us
    return not run.spec.suspend and is_ours and not (job.is_finished or job.is_terminating)


def close(
    status: DepartmentStatus, phase: DepartmentPhase, reason: str, now: datetime, message: str = ""
) -> DepartmentStatus:
    """Return the department as ended."""
    end = {"phase": phase, "reason": str(reason), "message": _fit(message), "completion_time": timestamp(now)}
    return status.model_copy(update=end)


def needs_fresh_facts(snapshot: RunSnapshot) -> bool:
    """Return whether cached Jobs and pods contradict the status, so that the API has to be asked itself.

    Two watches are not ordered among each other: a Job can be seen to have ended before its pod is, and a Job
    just made may not be seen yet. Acting on that would make a second Job, or lose a failed one's numbers. And
    a watch can lose an event: where a Job's next one is its last, nothing after it would tell.
    """
    run, document = snapshot.run, snapshot.document
    if run.is_to_stop:
        return True
    if _may_start_beside_others(snapshot):
        return True
    if any(is_to_suspend(run, job) or is_to_resume(run, job) for job in snapshot.jobs.values()):
        return True
    # A Job is made before the status names its department.
    known = run.status.departments or (pending_departments(document) if document is not None else ())
    return any(
        _has_more_to_say(department, is_held=run.spec.suspend)
        for department in gather_departments(snapshot, [d for d in known if d.phase not in FINAL])
    )


def _has_more_to_say(department: Department, *, is_held: bool) -> bool:
    """Return whether the API should know more than was seen of a Job and its pods.

    The Job is over or gone, and no pod has succeeded. Or its pods have all ended, and it will make no other
    or its last one was deleted: it should have failed, or be gone, at any moment. A Job that waits for its
    back-off or is suspended is believed.
    """
    job, pods = department.job, department.pods
    if department.generation == 0:
        return False
    if any(p.has_succeeded for p in pods):
        # Only the Job knows how many iterations were allowed.
        return job is None and not department.status.iteration_limit
    if job is None:
        # A held run makes no Job, and may be held for weeks; only its last Job's end could be mistaken.
        return not is_held or department.generation >= department.generations_max
    if job.is_finished:
        return True
    if job.is_suspended or not pods or any(p.is_alive for p in pods):
        return False
    return pods[-1].is_gone or any(c.type == "FailureTarget" for c in job.conditions)


def _advanced(department: Department, now: datetime) -> DepartmentStatus:
    """Return the status with what its Job says and the numbers of the source that is furthest.

    The Job can be there before the status ever named it. A source that lags behind changes nothing.
    """
    status = department.status
    if department.generation > 0:
        limit, failed = (department.job.iterations, department.job.failed_pods) if department.job else (0, 0)
        begun = {
            "job_name": department.job_name,
            "iteration_limit": limit or status.iteration_limit,
            "attempt": max(status.attempt, failed, len(department.pods)),
            "start_time": status.start_time or timestamp(now),
        }
        status = status.model_copy(update=begun)
    results = [Numbers.of_result(p.result) for p in department.pods if p.result is not None]
    for source in (*results, department.live):
        if source.iterations < status.iterations or source == Numbers():
            continue
        counts = _counts(source)
        for name in ("items_created", "cost_usd", "tokens"):
            counts[name] = max(getattr(status, name), counts[name])
        status = status.model_copy(update=counts)
    return status


def _counts(numbers: Numbers) -> dict[str, Any]:
    return {
        "iterations": numbers.iterations,
        "items_created": numbers.items_created,
        "quality_score": round(numbers.quality_score, 2),
        "cost_usd": round(numbers.cost_usd, 6),
        "tokens": numbers.tokens,
    }


def _failure(department: Department, wait: Wait | None) -> Wait | None:
    """Return why the department has failed; None while another attempt may follow."""
    job = department.job
    if job is not None and job.is_failed:
        return _failed_end(department, job)
    if department.generation >= department.generations_max and _is_at_rest(department):
        return Wait(DepartmentReason.RESULT_UNREADABLE)
    return wait if wait is not None and wait.is_permanent and department.is_overdue else None


def _failed_end(department: Department, job: JobFacts) -> Wait:
    """Return the last attempt's own reason, else the kubelet's, else the Job's."""
    ended = [p for p in department.pods if p.phase == "Failed"]
    last = next((p for p in reversed(ended) if p.result is not None), None)
    if last is not None and last.result is not None:
        # Kubernetes stops a pod by SIGTERM, so the worker cannot know that its time was over.
        is_stopped = last.result.reason is StopReason.TERMINATED and last.reason == DEADLINE_EXCEEDED
        return Wait(DEADLINE_EXCEEDED if is_stopped else last.result.reason, last.result.message)
    pod = next((p for p in reversed(ended) if p.reason), None)
    if pod is not None:
        return Wait(pod.reason, pod.message)
    if not job.failure_reason:
        return Wait(DepartmentReason.ATTEMPTS_USED_UP)
    return Wait(job.failure_reason, next((c.message for c in job.conditions if c.type == "Failed"), ""))


def _last_end(department: Department) -> Wait:
    """Return why the last attempt ended while the Job goes on with another; empty before the first end."""
    end = last_end(department.pods)
    return Wait(end.reason, ended_with(end)) if end is not None and end.reason else Wait("")


def _fit(message: str) -> str:
    return condense(writable(message), MESSAGE_MAX)
