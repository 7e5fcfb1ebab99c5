"""How a run ends: well, with failed departments, or cancelled."""

from collections.abc import Sequence

from gather_contracts.events import timestamp
from gather_contracts.reasons import ConditionType, DepartmentPhase, Reason, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.decisions.conditions import ConditionSet
from gather_operator.decisions.facts import RunSnapshot
from gather_operator.decisions.totals import totals


def finished(
    snapshot: RunSnapshot, status: GatherRunStatus, departments: Sequence[DepartmentStatus]
) -> GatherRunStatus:
    """Return the status of a run whose departments have all ended."""
    conditions = ConditionSet(status, snapshot.run.metadata.generation, snapshot.now)
    summed = status.model_copy(update=totals(departments))
    broken = [f"{d.slug} ({d.reason})" for d in departments if d.phase is DepartmentPhase.FAILED]
    if broken:
        message = f"Failed departments: {', '.join(broken)}."
        return failed(snapshot, summed, conditions, Reason.DEPARTMENTS_FAILED, message)
    skipped = [d.slug for d in departments if d.phase is DepartmentPhase.SKIPPED]
    message = f"{summed.items_created} items in {summed.iterations} iterations."
    if skipped:
        want = "budget" if _is_budget_used(departments) else "iterations"
        message = f"{message} Skipped for want of {want}: {', '.join(skipped)}."
    elif _is_budget_used(departments):
        message = f"{message} The budget is used."
    conditions.put(ConditionType.PROGRESSING, False, Reason.FINISHED, "The run has ended.")
    conditions.put(ConditionType.SUCCEEDED, True, Reason.ALL_DEPARTMENTS_DONE, message)
    return _ended(snapshot, summed, conditions, RunPhase.SUCCEEDED)


def _is_budget_used(departments: Sequence[DepartmentStatus]) -> bool:
    return any(d.reason == StopReason.BUDGET_USED for d in departments)


def failed(
    snapshot: RunSnapshot, status: GatherRunStatus, conditions: ConditionSet, reason: Reason, message: str
) -> GatherRunStatus:
    """Return the status of a run that has ended badly."""
    conditions.put(ConditionType.PROGRESSING, False, Reason.FINISHED, "The run has ended.")
    conditions.put(ConditionType.SUCCEEDED, False, reason, message)
    return _ended(snapshot, status, conditions, RunPhase.FAILED)


def cancelled(
    snapshot: RunSnapshot, status: GatherRunStatus, departments: Sequence[DepartmentStatus]
) -> GatherRunStatus:
    """Return the status of a run whose pods have been stopped; what they made is kept."""
    conditions = ConditionSet(status, snapshot.run.metadata.generation, snapshot.now)
    summed = status.model_copy(update=totals(departments))
    conditions.put(ConditionType.PROGRESSING, False, Reason.CANCELLED, "All pods are gone.")
    message = f"Cancelled; {summed.items_created} items are kept."
    conditions.put(ConditionType.SUCCEEDED, False, Reason.CANCELLED, message)
    return _ended(snapshot, summed, conditions, RunPhase.CANCELLED)


def _ended(
    snapshot: RunSnapshot, status: GatherRunStatus, conditions: ConditionSet, phase: RunPhase
) -> GatherRunStatus:
    return status.model_copy(
        update={
            "observed_generation": snapshot.run.metadata.generation,
            "phase": phase,
            "current_department": "",
            "completion_time": timestamp(snapshot.now),
            "conditions": conditions.listed(),
        }
    )
