"""The single most informative reason, shown in `kubectl get`. Pure."""

from gather_contracts.reasons import ConditionType, DepartmentPhase, Reason, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.decisions.status.totals import current


def summary_reason(status: GatherRunStatus) -> str:
    """Return why a run waits, goes on or has ended as it did; "" before anything is known.

    A running one says what holds it up: Kubernetes, a waiting pod, an attempt that ended. A run that failed
    says why its first failed department did. One that succeeded says why the first of its departments fell
    short of its threshold, skipped ones first; ThresholdReached if none did.
    """
    reasons = {c.type: c.reason for c in status.conditions}
    progressing = reasons.get(ConditionType.PROGRESSING, "")
    match status.phase:
        case RunPhase.PENDING:
            return reasons.get(ConditionType.ACCEPTED, "") or progressing
        case RunPhase.RUNNING:
            # Another reason than this one is what holds the run up.
            at_work = current(status.departments) if progressing == Reason.DEPARTMENT_RUNNING else None
            return (at_work.reason if at_work is not None else "") or progressing
        case RunPhase.FAILED:
            failed = (d.reason for d in status.departments if d.phase is DepartmentPhase.FAILED)
            return next(failed, "") or reasons.get(ConditionType.SUCCEEDED, "")
        case RunPhase.SUCCEEDED:
            return min(status.departments, key=_fell_short).reason if status.departments else ""
        case _:
            return progressing


def _fell_short(department: DepartmentStatus) -> int:
    if department.phase is DepartmentPhase.SKIPPED:
        return 0
    return 2 if department.reason == StopReason.THRESHOLD_REACHED else 1
