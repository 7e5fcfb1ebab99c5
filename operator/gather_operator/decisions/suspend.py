"""Holding a run for `spec.suspend`, and letting it go on.

A Job is suspended with a mark, and only a Job with that mark is resumed: a suspension by somebody else, such
as a queue, stays theirs.
"""

from collections.abc import Sequence

from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_contracts.resource import DepartmentStatus
from gather_operator.decisions.actions import Action, Decision, DeleteJob, ResumeJob, SuspendJob
from gather_operator.decisions.assessment import (
    FINAL,
    Department,
    assess,
    gather_departments,
    gives_up,
    is_to_resume,
    is_to_suspend,
)
from gather_operator.decisions.facts import JobFacts, RunSnapshot
from gather_operator.decisions.resolve import pending_departments
from gather_operator.decisions.status.run_status import build_status, finished, suspended
from gather_operator.decisions.status.totals import totals
from gather_operator.decisions.stop import end_given_up, end_lingering


def decide_suspension(snapshot: RunSnapshot) -> Decision:
    """Suspend what is at work, and start, skip and ask for nothing; a run may end meanwhile."""
    run, document = snapshot.run, snapshot.document
    written = run.status.departments or (pending_departments(document) if document else [])
    known = gather_departments(snapshot, written)
    assessed = [assess(d, snapshot.now) for d in known]
    lingering = (*end_lingering(snapshot), *end_given_up(known), *_ended(known, assessed))
    is_giving_up = any(gives_up(*pair) for pair in zip(known, assessed, strict=True))
    if assessed and all(d.phase in FINAL for d in assessed) and not is_giving_up:
        return Decision(finished(snapshot, assessed), lingering, lambda: run.status)
    actions = (*lingering, *_suspensions(snapshot, assessed, known))
    standing = [p for p in snapshot.pods if p.is_alive]
    held = [_held(d) for d in assessed]
    # Where Kubernetes refuses that, the run is not suspended.
    observed = build_status(snapshot, summed=totals(assessed)) if run.status.departments else run.status
    return Decision(suspended(snapshot, held, standing), actions, lambda: observed)


def resumptions(
    snapshot: RunSnapshot, known: Sequence[Department], assessed: Sequence[DepartmentStatus]
) -> tuple[Action, ...]:
    """Return what takes our suspensions back, and what ends suspended Jobs that nobody waits for any more."""
    ending = _ended(known, assessed)
    over = {action.name for action in ending}
    jobs = (j for j in snapshot.jobs.values() if j.name not in over and is_to_resume(snapshot.run, j))
    return (*ending, *(ResumeJob(j.name) for j in jobs))


def _ended(known: Sequence[Department], assessed: Sequence[DepartmentStatus]) -> tuple[DeleteJob, ...]:
    """Return what ends the suspended Jobs of departments that have ended.

    A pod that succeeds while its Job is being suspended is not counted: resumed, whoever does it, the Job
    would make another.
    """
    jobs = (d.job for d, status in zip(known, assessed, strict=True) if status.phase in FINAL)
    return tuple(
        DeleteJob(j.name) for j in jobs if j and j.is_suspended and not (j.is_finished or j.is_terminating)
    )


def _suspensions(
    snapshot: RunSnapshot, statuses: Sequence[DepartmentStatus], known: Sequence[Department]
) -> tuple[Action, ...]:
    ended = {d.job_name for d, status in zip(known, statuses, strict=True) if status.phase in FINAL}
    jobs = (j for j in snapshot.jobs.values() if j.name not in ended and is_to_suspend(snapshot.run, j))
    return tuple(_suspension(job) for job in jobs)


def _suspension(job: JobFacts) -> Action:
    """Return what holds a Job; where somebody else decides on its suspension only deleting it does.

    A queue resumes what it has admitted, no matter who suspended it. Deleted, the Job gives its place up too.
    """
    return DeleteJob(job.name) if job.is_queued or job.is_suspended_by_us else SuspendJob(job.name)


def _held(status: DepartmentStatus) -> DepartmentStatus:
    if status.phase is not DepartmentPhase.RUNNING:
        return status
    return status.model_copy(update={"reason": DepartmentReason.SUSPENDED, "message": ""})
