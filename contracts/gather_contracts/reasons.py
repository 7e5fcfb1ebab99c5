"""Every machine-readable type and reason that a GatherRun's conditions can show."""

from enum import StrEnum


class ConditionType(StrEnum):
    """The conditions of a GatherRun."""

    ACCEPTED = "Accepted"
    """The CMS was read and the departments are fixed."""
    PROGRESSING = "Progressing"
    """A department is at work or about to be."""
    SUCCEEDED = "Succeeded"
    """The run has ended, well (True) or not (False)."""


class Reason(StrEnum):
    """Why a condition has its status."""

    DEPARTMENTS_RESOLVED = "DepartmentsResolved"
    """Accepted: the CMS named the departments and the run document was written."""
    DEPARTMENTS_LEFT_OUT = "DepartmentsLeftOut"
    """Accepted: the departments are fixed, but some that were selected or named could not take part."""
    CMS_UNAVAILABLE = "CMSUnavailable"
    """Accepted=False: the CMS did not answer or answered wrongly; it is asked again."""
    NO_DEPARTMENTS = "NoDepartments"
    """Accepted=False: the CMS names no department that takes part, or none of the selected ones.

    While the run is Pending the CMS is asked again.
    """
    SELECTION_INCOMPLETE = "SelectionIncomplete"
    """Accepted=False: the CMS does not name all selected departments yet; it is asked again."""
    WAITING = "Waiting"
    """Progressing=False: nothing has started yet."""
    DEPARTMENT_RUNNING = "DepartmentRunning"
    """Progressing: a department's Job exists and has not ended."""
    JOB_REFUSED = "JobRefused"
    """Progressing=False: Kubernetes refused what the run needs (quota, admission, rights); tried again."""
    STATUS_REFUSED = "StatusRefused"
    """Progressing=False: the API server does not take the run's status; its Jobs are stopped."""
    FINISHED = "Finished"
    """Progressing=False: the run has ended."""
    CANCELLING = "Cancelling"
    """Progressing: pods are being stopped; what they made is kept."""
    ALL_DEPARTMENTS_DONE = "AllDepartmentsDone"
    """Succeeded: each department ended by itself."""
    DEPARTMENTS_FAILED = "DepartmentsFailed"
    """Succeeded=False: at least one department used up its attempts; the others' items are kept."""
    CANCELLED = "Cancelled"
    """Succeeded=False: the user cancelled; items made so far are kept."""


class DepartmentReason(StrEnum):
    """Why the operator ended a department; a worker's own reasons are `result.StopReason`."""

    ITERATIONS_EXHAUSTED = "IterationsExhausted"
    """Skipped: the departments before it used up `maxIterations`."""
    BUDGET_USED = "BudgetUsed"
    """Skipped: a department before it ended because the run's budget is used."""
    EARLIER_DEPARTMENT_FAILED = "EarlierDepartmentFailed"
    """Skipped: a department failed and `onDepartmentFailure` is Stop."""
    ATTEMPTS_USED_UP = "AttemptsUsedUp"
    """Failed: no attempt is left, and neither the pod nor the Job said why."""
    RESULT_UNREADABLE = "ResultUnreadable"
    """Failed: its pods ended well, but their results were lost again and again."""
    CANCELLED = "Cancelled"
    """Cancelled: the run was cancelled or deleted before the department ended."""


class DepartmentPhase(StrEnum):
    """Where one department of a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"


class RunPhase(StrEnum):
    """Where a run stands; Succeeded, Failed and Cancelled are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def is_final(self) -> bool:
        """Return whether the run can change no more."""
        return self in {RunPhase.CANCELLED, RunPhase.SUCCEEDED, RunPhase.FAILED}
