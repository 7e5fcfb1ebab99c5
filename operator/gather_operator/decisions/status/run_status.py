"""A run's status, built in one direction: departments, their totals, the conditions, and last the reason.

Each function returns the status of a run in one state. No stage reads a later one, and no status is changed
once it is built.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gather_contracts.events import timestamp
from gather_contracts.reasons import ConditionType, DepartmentPhase, Reason, RunPhase
from gather_contracts.resource import MESSAGE_MAX, DepartmentStatus, GatherRunStatus
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_operator.decisions.assessment import FINAL, gather_departments, waits_for
from gather_operator.decisions.facts import PodFacts, RunSnapshot
from gather_operator.decisions.resolve import Resolution, listed
from gather_operator.decisions.status.conditions import ConditionSet
from gather_operator.decisions.status.summary_reason import summary_reason
from gather_operator.decisions.status.totals import totals
from gather_operator.decisions.waiting import condense, wait_of


def build_status(
    snapshot: RunSnapshot,
    conditions: ConditionSet | None = None,
    phase: RunPhase | None = None,
    summed: Mapping[str, Any] | None = None,
) -> GatherRunStatus:
    """Return the status of the generation that was seen; what is left out stays as it was written.

    `summed` are the departments and their totals.
    """
    written = snapshot.run.status
    changes = {"observed_generation": snapshot.run.metadata.generation, **(summed or {})}
    if changes.get("departments") and not written.departments:
        changes["start_time"] = timestamp(snapshot.now)
    if phase is not None:
        changes["phase"] = phase
        if phase.is_final:
            changes["completion_time"] = timestamp(snapshot.now)
    return _with_reason(written, changes, conditions)


def waiting_for_cms(snapshot: RunSnapshot, why: str) -> GatherRunStatus:
    """Return the status of a run whose departments are not known yet."""
    conditions = _conditions(snapshot)
    conditions.put(ConditionType.ACCEPTED, False, Reason.CMS_UNAVAILABLE, why)
    conditions.put(ConditionType.PROGRESSING, False, Reason.WAITING, "Waiting for the CMS.")
    return build_status(snapshot, conditions)


def asking_cms(snapshot: RunSnapshot) -> GatherRunStatus:
    """Return the status of a run that has had no answer of the CMS yet."""
    conditions = _conditions(snapshot)
    conditions.put(
        ConditionType.PROGRESSING, False, Reason.WAITING, "The CMS has been asked and has not answered yet."
    )
    return build_status(snapshot, conditions)


def waiting_for_departments(snapshot: RunSnapshot, resolution: Resolution) -> GatherRunStatus:
    """Return the status of a run whose departments may still appear in the CMS."""
    missing, others = resolution.missing, "; ".join(resolution.others)
    what = f"does not name {listed(missing)} yet" if missing else "names no department that takes part yet"
    then, reason = "the run fails", Reason.NO_DEPARTMENTS
    if resolution.departments:
        then, reason = "the run starts without", Reason.SELECTION_INCOMPLETE
    again = f"it is asked again for a while (GATHER_CMS_EMPTY_PATIENCE_S), then {then}"
    conditions = _conditions(snapshot)
    message = f"The CMS {what}; {again}{f' ({others})' if others else ''}."
    conditions.put(ConditionType.ACCEPTED, False, reason, message)
    conditions.put(ConditionType.PROGRESSING, False, Reason.WAITING, "Waiting for departments in the CMS.")
    return build_status(snapshot, conditions)


def without_departments(snapshot: RunSnapshot, left_out: Sequence[str]) -> GatherRunStatus:
    """Return the status of a run that has failed because no department takes part."""
    conditions = _conditions(snapshot)
    message = "; ".join(("No department takes part", *left_out)) + "."
    conditions.put(ConditionType.ACCEPTED, False, Reason.NO_DEPARTMENTS, message)
    _put_end(conditions, False, Reason.NO_DEPARTMENTS, message)
    return build_status(snapshot, conditions, RunPhase.FAILED)


def working(
    snapshot: RunSnapshot,
    document: RunDocument,
    departments: Sequence[DepartmentStatus],
    *,
    is_stopping: bool = False,
) -> GatherRunStatus:
    """Return the status of a run whose departments are fixed, until the last of them has ended.

    `is_stopping`: a Job has yet to be stopped, so the run has not ended.
    """
    summed = totals(departments)
    conditions = _conditions(snapshot)
    if not snapshot.run.status.departments:
        _put_acceptance(conditions, snapshot, document)
        starting = "The first department is about to start."
        conditions.put(ConditionType.PROGRESSING, True, Reason.WAITING, starting)
    if all(d.phase in FINAL for d in departments) and not is_stopping:
        return build_status(snapshot, conditions, _put_outcome(conditions, departments, summed), summed)
    _put_progress(snapshot, conditions, departments)
    return build_status(snapshot, conditions, RunPhase.RUNNING, summed)


def finished(snapshot: RunSnapshot, departments: Sequence[DepartmentStatus]) -> GatherRunStatus:
    """Return the status of a run whose departments have all ended by themselves."""
    summed = totals(departments)
    conditions = _conditions(snapshot)
    return build_status(snapshot, conditions, _put_outcome(conditions, departments, summed), summed)


def suspended(
    snapshot: RunSnapshot, departments: Sequence[DepartmentStatus], pods: Sequence[PodFacts]
) -> GatherRunStatus:
    """Return the status of a run that `spec.suspend` holds, and that waits for these pods to end."""
    conditions = _conditions(snapshot)
    if snapshot.document is not None and not snapshot.run.status.departments:
        _put_acceptance(conditions, snapshot, snapshot.document)
    message = "spec.suspend is true; set it to false to go on."
    if pods:
        message = f"spec.suspend is true; waiting for {', '.join(p.name for p in pods)} to save and end."
    conditions.put(ConditionType.PROGRESSING, False, Reason.SUSPENDED, message)
    summed = totals(departments) if departments else None
    return build_status(snapshot, conditions, RunPhase.SUSPENDED, summed)


def resumed(status: GatherRunStatus) -> GatherRunStatus:
    """Return the status of a run as if `spec.suspend` had never held it."""
    return status.model_copy(
        update={
            "phase": RunPhase.RUNNING if status.departments else RunPhase.PENDING,
            "conditions": [c for c in status.conditions if c.reason != Reason.SUSPENDED],
        }
    )


def stopping(
    snapshot: RunSnapshot, departments: Sequence[DepartmentStatus], pods: Sequence[PodFacts]
) -> GatherRunStatus:
    """Return the status of a run that is being cancelled or deleted and waits for these pods to end."""
    conditions = _conditions(snapshot)
    waits = [wait for p in pods if (wait := wait_of(None, [p], snapshot.now))]
    why = f" {waits[0].reason}: {waits[0].message}." if waits else ""
    message = f"Waiting for {', '.join(p.name for p in pods)}.{why}" if pods else "Stopping."
    conditions.put(ConditionType.PROGRESSING, True, Reason.CANCELLING, message)
    return build_status(snapshot, conditions, RunPhase.CANCELLING, totals(departments))


def cancelled(
    snapshot: RunSnapshot, departments: Sequence[DepartmentStatus], hanging: Sequence[PodFacts] = ()
) -> GatherRunStatus:
    """Return the status of a run whose pods have been stopped or given up; what they made is kept."""
    summed = totals(departments)
    conditions = _conditions(snapshot)
    message = f"Cancelled; {summed['items_created']} items are kept."
    left = f"Given up: {', '.join(p.name for p in hanging)}. Look at their nodes and finalizers."
    conditions.put(
        ConditionType.PROGRESSING, False, Reason.CANCELLED, left if hanging else "All pods are gone."
    )
    conditions.put(ConditionType.SUCCEEDED, False, Reason.CANCELLED, message)
    return build_status(snapshot, conditions, RunPhase.CANCELLED, summed)


def refused(
    snapshot: RunSnapshot, observed: GatherRunStatus, why: str, reason: Reason = Reason.JOB_REFUSED
) -> GatherRunStatus:
    """Return the observed status of a run that cannot go on because Kubernetes refused something."""
    conditions = ConditionSet(observed, snapshot.run.metadata.generation, snapshot.now)
    conditions.put(ConditionType.PROGRESSING, False, reason, why)
    return _with_reason(observed, {}, conditions)


def is_status_refused(status: GatherRunStatus) -> bool:
    """Return whether the run stands still because its status was refused."""
    return any(c.reason == Reason.STATUS_REFUSED for c in status.conditions)


def _put_acceptance(conditions: ConditionSet, snapshot: RunSnapshot, document: RunDocument) -> None:
    """Say which departments the run has, and what is to be known about them."""
    count, most = len(document.departments), snapshot.run.spec.max_iterations
    too_few = f"maxIterations {most} lasts for {most} of them, the others will be skipped"
    said = (*document.left_out, *document.notes)
    sentences = (f"{count} departments", *((too_few,) if most < count else ()), *said)
    accepted = Reason.DEPARTMENTS_LEFT_OUT if document.left_out else Reason.DEPARTMENTS_RESOLVED
    conditions.put(ConditionType.ACCEPTED, True, accepted, "; ".join(sentences) + ".")


def _conditions(snapshot: RunSnapshot) -> ConditionSet:
    conditions = ConditionSet(snapshot.run.status, snapshot.run.metadata.generation, snapshot.now)
    if snapshot.brain is not None:
        is_there = snapshot.brain.is_available
        reason = Reason.BRAIN_READY if is_there else Reason.BRAIN_UNAVAILABLE
        waiting = (
            f"The brain does not answer ({snapshot.brain.why}); notes are saved, and indexed when it is back."
        )
        said = "The brain is ready." if is_there else waiting
        conditions.put(ConditionType.BRAIN_AVAILABLE, is_there, reason, said)
    return conditions


def _with_reason(
    written: GatherRunStatus, changes: Mapping[str, Any], conditions: ConditionSet | None
) -> GatherRunStatus:
    """Return the status with its reason, which follows from everything else."""
    listed = {"conditions": conditions.listed()} if conditions is not None else {}
    status = written.model_copy(update={**changes, **listed})
    reason = summary_reason(status)
    return status if status.reason == reason else status.model_copy(update={"reason": reason})


def _put_progress(
    snapshot: RunSnapshot, conditions: ConditionSet, departments: Sequence[DepartmentStatus]
) -> None:
    """Say what the first department that waits waits for; if none does, which is at work."""
    at_work = [d for d in departments if d.phase is DepartmentPhase.RUNNING]
    if not at_work:
        return
    # Only one with a reason can wait.
    doubtful = [d for d in at_work if d.reason]
    waits = [(d, w) for d in gather_departments(snapshot, doubtful) if (w := waits_for(d, snapshot.now))]
    if not waits:
        first = at_work[0]
        last = f"; {first.message}" if first.message else ""
        said = f"Department {first.slug} is at work{last}."
        if len(at_work) > 1:
            said = f"Departments {listed([d.slug for d in at_work])} are at work."
        conditions.put(ConditionType.PROGRESSING, True, Reason.DEPARTMENT_RUNNING, said)
        return
    waiting, wait = waits[0]
    others = len(at_work) - len(waits)
    start = f"Department {waiting.status.slug} waits: "
    message = start + condense(wait.message or wait.reason, MESSAGE_MAX - len(start))
    conditions.put(ConditionType.PROGRESSING, others > 0, wait.reason, message)


def _put_outcome(
    conditions: ConditionSet, departments: Sequence[DepartmentStatus], summed: Mapping[str, Any]
) -> RunPhase:
    """Say how a run ended whose departments have all ended; return its phase."""
    broken = [d for d in departments if d.phase is DepartmentPhase.FAILED]
    if broken:
        named = ", ".join(f"{d.slug} ({d.reason})" for d in broken)
        why = f" {broken[0].slug}: {broken[0].message}" if broken[0].message else ""
        message = f"Failed departments: {named}.{why}"
        _put_end(conditions, False, Reason.DEPARTMENTS_FAILED, message)
        return RunPhase.FAILED
    message = f"{summed['items_created']} items in {summed['iterations']} iterations."
    skipped = [d.slug for d in departments if d.phase is DepartmentPhase.SKIPPED]
    is_budget_used = any(d.reason == StopReason.BUDGET_USED for d in departments)
    if skipped:
        want = "budget" if is_budget_used else "iterations"
        message = f"{message} Skipped for want of {want}: {', '.join(skipped)}."
    elif is_budget_used:
        message = f"{message} The budget is used."
    if left := next((d for d in departments if d.phase is DepartmentPhase.SUCCEEDED and d.message), None):
        message = f"{message} {left.slug}: {left.message}"
    _put_end(conditions, True, Reason.ALL_DEPARTMENTS_DONE, message)
    return RunPhase.SUCCEEDED


def _put_end(conditions: ConditionSet, has_succeeded: bool, reason: Reason, message: str) -> None:
    conditions.put(ConditionType.PROGRESSING, False, Reason.FINISHED, "The run has ended.")
    conditions.put(ConditionType.SUCCEEDED, has_succeeded, reason, message)
