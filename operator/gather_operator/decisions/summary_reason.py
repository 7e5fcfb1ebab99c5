"""The one word that says most about a run, for `kubectl get` and for whoever looks no further. Pure."""

from gather_contracts.reasons import ConditionType, DepartmentPhase, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.decisions.totals import current


def summary_reason(status: GatherRunStatus) -> str:
    """Return why a run waits, goes on or has ended as it did; "" before anything is known.

    A run that failed says why its first failed department did. One that succeeded says why the first of its
    departments fell short of its threshold, skipped ones first; ThresholdReached if none did.
    """
    match status.phase:
        case RunPhase.PENDING:
            return _reason(status, ConditionType.ACCEPTED) or _reason(status, ConditionType.PROGRESSING)
        case RunPhase.RUNNING:
            return _of_running(status)
        case RunPhase.FAILED:
            failed = [d.reason for d in status.departments if d.phase is DepartmentPhase.FAILED]
            return next(iter(failed), "") or _reason(status, ConditionType.SUCCEEDED)
        case RunPhase.SUCCEEDED:
            return min(status.departments, key=_fell_short).reason if status.departments else ""
        case _:
            return _reason(status, ConditionType.PROGRESSING)


def with_reason(status: GatherRunStatus) -> GatherRunStatus:
    """Return the status with its telling reason."""
    return status.model_copy(update={"reason": summary_reason(status)})


def _of_running(status: GatherRunStatus) -> str:
    """Return what holds the run up, if something does: Kubernetes, a waiting pod, an attempt that ended."""
    progressing = {c.type: c for c in status.conditions}.get(ConditionType.PROGRESSING)
    if progressing is not None and progressing.status == "False":
        return progressing.reason
    at_work = current(status.departments)
    return (at_work.reason if at_work else "") or (progressing.reason if progressing else "")


def _fell_short(department: DepartmentStatus) -> int:
    if department.phase is DepartmentPhase.SKIPPED:
        return 0
    return 2 if department.reason == StopReason.THRESHOLD_REACHED else 1


def _reason(status: GatherRunStatus, kind: ConditionType) -> str:
    return next((c.reason for c in status.conditions if c.type == kind), "")
