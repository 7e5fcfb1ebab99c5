"""A GatherRun as a task: its state, progress, result or failure, in the requirements' words. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gather_contracts import names
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRun, parse_run
from gather_contracts.snapshots.run_outcome import fault, succeeded, summary

OWN: Final = (
    names.LABEL_DOOR,
    names.LABEL_RESULT,
    names.ANNOTATION_TASK_ID,
    names.ANNOTATION_TIME_LIMIT,
    names.ANNOTATION_REQUEST,
    names.ANNOTATION_METADATA,
    names.ANNOTATION_CALLBACK_URL,
    names.ANNOTATION_CALLBACK,
)
"""What the doors write on a run."""
OWN_MAX: Final = 8192
"""More than the longest value that a door writes: a callback's address, a task's metadata."""


class TaskState(StrEnum):
    """Where a task stands, in the words of the application's HTTP API."""

    QUEUED = "queued"
    """The run exists; its departments are not known yet."""
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Return whether the task can change no more."""
        return self in {TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED}


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a run is."""

    progress: float
    """0 to 1: departments that have ended, and of the others the part of their iterations that is done."""
    phase: str
    """The GatherRun's."""
    reason: str
    """Why it waits, if it does; a documented word."""
    departments_count: int
    departments_ended: int
    current_department: str
    iterations: int
    max_iterations: int
    items_created: int
    quality_score: float
    cost_usd: float
    retry_count: int
    """Further attempts of departments so far."""


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why there is no result."""

    error: str
    """A documented word for machines."""
    message: str
    details: dict[str, Any]
    """failed_at_department, completed_departments, items_created_so_far."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a door knows of a task."""

    id: str
    """As its sender gave it."""
    run: str
    """The GatherRun's name."""
    run_uid: str
    project_id: str
    user_id: str
    door: str
    state: TaskState
    is_cancelling: bool
    progress: TaskProgress
    result: dict[str, Any] | None
    failure: TaskFailure | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    updated_at: str
    """Of the last change that the status dates."""
    version: str
    """The resource's version."""
    labels: dict[str, str]
    annotations: dict[str, str]
    """Of both the doors' own: others' may have 256 KiB, and a door remembers all its runs."""


STATES = {
    RunPhase.PENDING: TaskState.QUEUED,
    RunPhase.CANCELLED: TaskState.CANCELLED,
    RunPhase.SUCCEEDED: TaskState.COMPLETED,
    RunPhase.FAILED: TaskState.FAILED,
}
"""All others are being processed."""


def task_of(body: dict[str, Any]) -> Task:
    """Return the task of a GatherRun's object; raises ValueError for what is none."""
    run = parse_run(body)
    meta = body["metadata"]
    labels, annotations = dict(meta.get("labels") or {}), dict(meta.get("annotations") or {})
    state = STATES.get(run.status.phase, TaskState.PROCESSING)
    return Task(
        id=annotations.get(names.ANNOTATION_TASK_ID, run.metadata.name),
        run=run.metadata.name,
        run_uid=run.metadata.uid,
        project_id=run.spec.project_id,
        user_id=run.spec.user_id,
        door=labels.get(names.LABEL_DOOR, ""),
        state=state,
        is_cancelling=run.is_to_stop and not state.is_final,
        progress=_progress(run),
        result=_result(run) if state is TaskState.COMPLETED else None,
        failure=_failure(run, state),
        created_at=run.metadata.creation_timestamp,
        started_at=run.status.start_time,
        ended_at=run.status.completion_time,
        updated_at=_updated(run),
        version=run.metadata.resource_version,
        labels=_own(labels),
        annotations=_own(annotations),
    )


def _own(given: Mapping[str, str]) -> dict[str, str]:
    """Return those that a door writes, each of a length that we write."""
    return {name: value for name in OWN if (value := given.get(name)) is not None and len(value) <= OWN_MAX}


def as_deleted(task: Task) -> Task:
    """Return the task after its run was deleted: cancelled, unless it had ended before."""
    if task.state.is_final:
        return task
    details = {"failed_at_department": "", "completed_departments": [], "items_created_so_far": 0}
    known = {"items_created_so_far": task.progress.items_created}
    failure = TaskFailure("Cancelled", "The GatherRun was deleted; what was made is kept.", details | known)
    return replace(task, state=TaskState.CANCELLED, failure=failure, is_cancelling=False)


def as_numbers(progress: TaskProgress) -> dict[str, Any]:
    """Return the progress as JSON holds it."""
    return asdict(progress)


def _result(run: GatherRun) -> dict[str, Any]:
    return {
        "status": "completed",
        "iterations": run.status.iterations,
        "departments_processed": len(succeeded(run)),
        "items_created": run.status.items_created,
        "processing_time_ms": _processing_time_ms(run),
        "summary": [line.model_dump() for line in summary(run)],
    }


def _failure(run: GatherRun, state: TaskState) -> TaskFailure | None:
    if state not in {TaskState.FAILED, TaskState.CANCELLED}:
        return None
    found = fault(run)
    details = {
        "failed_at_department": found.failed_at_department,
        "completed_departments": found.completed_departments,
        "items_created_so_far": found.items_created_so_far,
    }
    if state is TaskState.CANCELLED:
        return TaskFailure("Cancelled", "The run was cancelled; what was made is kept.", details)
    return TaskFailure(found.error, found.message, details)


def _progress(run: GatherRun) -> TaskProgress:
    status = run.status
    departments = status.departments
    parts = [_part(d) for d in departments]
    whole = 1.0 if status.phase is RunPhase.SUCCEEDED else sum(parts) / len(parts) if parts else 0.0
    return TaskProgress(
        progress=round(whole, 3),
        phase=status.phase.value,
        reason=status.reason,
        departments_count=len(departments),
        departments_ended=sum(_has_ended(d) for d in departments),
        current_department=status.current_department,
        iterations=status.iterations,
        max_iterations=run.spec.max_iterations,
        items_created=status.items_created,
        quality_score=status.quality_score,
        cost_usd=status.cost_usd,
        retry_count=sum(max(d.attempt - 1, 0) for d in departments),
    )


def _has_ended(department: DepartmentStatus) -> bool:
    return department.phase not in {DepartmentPhase.PENDING, DepartmentPhase.RUNNING}


def _part(department: DepartmentStatus) -> float:
    """Return which part of a department is done; one at work is never done."""
    if _has_ended(department):
        return 1.0
    return (
        min(department.iterations / department.iteration_limit, 0.99) if department.iteration_limit else 0.0
    )


def _processing_time_ms(run: GatherRun) -> int:
    """Return the time from the run's making to its end."""
    if run.status.completion_time is None:
        return 0
    begun = datetime.fromisoformat(run.metadata.creation_timestamp)
    return max(round((datetime.fromisoformat(run.status.completion_time) - begun).total_seconds() * 1000), 0)


def _updated(run: GatherRun) -> str:
    status = run.status
    moments = [run.metadata.creation_timestamp, status.start_time, status.completion_time]
    moments += [c.last_transition_time for c in status.conditions]
    moments += [m for d in status.departments for m in (d.start_time, d.completion_time)]
    return max((m for m in moments if m), key=datetime.fromisoformat, default="")
