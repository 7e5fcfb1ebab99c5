"""Stopping a run, because it was cancelled or deleted: Jobs first, then pods, then the last word."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gather_contracts.reasons import ConditionType, DepartmentPhase, DepartmentReason, Reason, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_operator.decisions.actions import Action, Decision, DeleteJob, DeletePod
from gather_operator.decisions.assessment import FINAL, close, gather_department, judge
from gather_operator.decisions.conditions import ConditionSet
from gather_operator.decisions.facts import JobFacts, PodFacts, View
from gather_operator.decisions.finish import cancelled, finished
from gather_operator.decisions.totals import totals


def decide_stop(view: View) -> Decision:
    """Delete what still works; once nothing does, close the run and keep what was made.

    A department that has ended meanwhile counts as ended. The view has to be fresh: a Job that a cache has
    not shown yet would live on.
    """
    status = view.run.status
    departments = [
        judge(gather_department(view, i, known), view.now) for i, known in enumerate(status.departments)
    ]
    actions = _deletions(view)
    if departments and all(d.phase in FINAL for d in departments) and not view.run.is_being_deleted:
        return Decision(finished(view, status, departments), actions)
    if is_overdue(view) or not (actions or _remaining(view)):
        return Decision(cancelled(view, status, [_cancelled(d, view.now) for d in departments]))
    return Decision(_stopping(view, departments), actions)


def is_overdue(view: View) -> bool:
    """Tell whether a deleted run has waited long enough for pods that hang, as on a dead node."""
    since = view.run.metadata.deletion_timestamp
    if since is None:
        return False
    return view.now - datetime.fromisoformat(since) > timedelta(seconds=view.delete_deadline_s)


def _is_to_go(view: View, job: JobFacts) -> bool:
    """Deleting the run takes all its Jobs; cancelling leaves those that ended, for their logs."""
    return view.run.is_being_deleted or not job.is_finished


def _deletions(view: View) -> tuple[Action, ...]:
    jobs: list[Action] = [
        DeleteJob(j.name) for j in view.jobs.values() if not j.is_terminating and _is_to_go(view, j)
    ]
    pods: list[Action] = [DeletePod(p.name) for p in _remaining(view) if not p.is_terminating]
    # Pods are deleted after their Job has begun to go: before that it would replace them.
    return tuple(jobs or pods)


def _remaining(view: View) -> list[PodFacts]:
    """Return the pods that exist and whose Job is gone or going."""
    kept = {j.name for j in view.jobs.values() if not j.is_terminating and not _is_to_go(view, j)}
    return [p for p in view.pods if not p.is_gone and p.job_name not in kept]


def _cancelled(department: DepartmentStatus, now: datetime) -> DepartmentStatus:
    if department.phase in FINAL:
        return department
    return close(department, DepartmentPhase.CANCELLED, DepartmentReason.CANCELLED, now)


def _stopping(view: View, departments: Sequence[DepartmentStatus]) -> GatherRunStatus:
    conditions = ConditionSet(view.run.status, view.run.metadata.generation, view.now)
    waiting = ", ".join(p.name for p in _remaining(view))
    message = f"Waiting for {waiting}." if waiting else "Stopping."
    conditions.put(ConditionType.PROGRESSING, True, Reason.CANCELLING, message)
    return view.run.status.model_copy(
        update={
            "observed_generation": view.run.metadata.generation,
            "phase": RunPhase.CANCELLING,
            "conditions": conditions.listed(),
            **totals(departments),
        }
    )
