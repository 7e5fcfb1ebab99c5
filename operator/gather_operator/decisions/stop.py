"""Stopping a run, because it was cancelled or deleted: Jobs first, then pods, then the last word."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gather_contracts.reasons import ConditionType, DepartmentPhase, DepartmentReason, Reason, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_operator.decisions.actions import Action, Decision, DeleteJob, DeletePod
from gather_operator.decisions.assessment import FINAL, assess, close, gather_department
from gather_operator.decisions.conditions import ConditionSet
from gather_operator.decisions.facts import JobFacts, PodFacts, RunSnapshot
from gather_operator.decisions.finish import cancelled, finished
from gather_operator.decisions.totals import totals


def decide_stop(snapshot: RunSnapshot) -> Decision:
    """Delete what still works; once nothing does, close the run and keep what was made.

    A department that has ended meanwhile counts as ended. The snapshot has to be fresh: a Job that a cache has
    not shown yet would live on.
    """
    status = snapshot.run.status
    departments = [
        assess(gather_department(snapshot, i, known), snapshot.now)
        for i, known in enumerate(status.departments)
    ]
    actions = _deletions(snapshot)
    if departments and all(d.phase in FINAL for d in departments) and not snapshot.run.is_being_deleted:
        return Decision(finished(snapshot, status, departments), actions)
    if is_overdue(snapshot) or not (actions or _remaining(snapshot)):
        return Decision(cancelled(snapshot, status, [_cancelled(d, snapshot.now) for d in departments]))
    return Decision(_stopping(snapshot, departments), actions)


def is_overdue(snapshot: RunSnapshot) -> bool:
    """Tell whether a deleted run has waited long enough for pods that hang, as on a dead node."""
    since = snapshot.run.metadata.deletion_timestamp
    if since is None:
        return False
    return snapshot.now - datetime.fromisoformat(since) > timedelta(seconds=snapshot.delete_deadline_s)


def _is_to_go(snapshot: RunSnapshot, job: JobFacts) -> bool:
    """Deleting the run takes all its Jobs; cancelling leaves those that ended, for their logs."""
    return snapshot.run.is_being_deleted or not job.is_finished


def _deletions(snapshot: RunSnapshot) -> tuple[Action, ...]:
    jobs: list[Action] = [
        DeleteJob(j.name) for j in snapshot.jobs.values() if not j.is_terminating and _is_to_go(snapshot, j)
    ]
    pods: list[Action] = [DeletePod(p.name) for p in _remaining(snapshot) if not p.is_terminating]
    # Pods are deleted after their Job has begun to go: before that it would replace them.
    return tuple(jobs or pods)


def _remaining(snapshot: RunSnapshot) -> list[PodFacts]:
    """Return the pods that exist and whose Job is gone or going."""
    kept = {j.name for j in snapshot.jobs.values() if not j.is_terminating and not _is_to_go(snapshot, j)}
    return [p for p in snapshot.pods if not p.is_gone and p.job_name not in kept]


def _cancelled(department: DepartmentStatus, now: datetime) -> DepartmentStatus:
    if department.phase in FINAL:
        return department
    return close(department, DepartmentPhase.CANCELLED, DepartmentReason.CANCELLED, now)


def _stopping(snapshot: RunSnapshot, departments: Sequence[DepartmentStatus]) -> GatherRunStatus:
    conditions = ConditionSet(snapshot.run.status, snapshot.run.metadata.generation, snapshot.now)
    waiting = ", ".join(p.name for p in _remaining(snapshot))
    message = f"Waiting for {waiting}." if waiting else "Stopping."
    conditions.put(ConditionType.PROGRESSING, True, Reason.CANCELLING, message)
    return snapshot.run.status.model_copy(
        update={
            "observed_generation": snapshot.run.metadata.generation,
            "phase": RunPhase.CANCELLING,
            "conditions": conditions.listed(),
            **totals(departments),
        }
    )
