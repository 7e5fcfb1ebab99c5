"""What a run has come to, in the words of events and tasks, from its written status. Pure."""

from dataclasses import dataclass
from typing import Final

from gather_contracts.events import DepartmentSummary
from gather_contracts.reasons import ConditionType, DepartmentPhase, EndReason
from gather_contracts.resource import MESSAGE_MAX, DepartmentStatus, GatherRun
from gather_contracts.result import StopReason
from gather_contracts.text_cleaning import shortened

OUT_OF_TIME: Final = frozenset({StopReason.DEADLINE_NEAR.value, EndReason.DEADLINE_EXCEEDED.value})
"""Reasons of a department whose last attempt ran out of time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run has failed."""

    is_out_of_time: bool
    """Its departments ran out of time, and nothing else was wrong."""
    error: str
    """A documented word for machines."""
    message: str
    """A sentence for people, of at most 256 characters."""
    failed_at_department: str
    """Slug of the first department that failed; "" if none had begun."""
    completed_departments: list[str]
    items_created_so_far: int


def summary(run: GatherRun) -> list[DepartmentSummary]:
    """Return one line for each department of the run."""
    return [
        DepartmentSummary(
            department=d.slug,
            name=d.name,
            quality_score=d.quality_score,
            iterations=d.iterations,
            items_created=d.items_created,
        )
        for d in run.status.departments
    ]


def succeeded(run: GatherRun) -> list[str]:
    """Return the slugs of the departments that ended well."""
    return [d.slug for d in run.status.departments if d.phase is DepartmentPhase.SUCCEEDED]


def end_of(run: GatherRun) -> tuple[str, str]:
    """Return the run's own reason and message for having ended or not."""
    condition = {c.type: c for c in run.status.conditions}.get(ConditionType.SUCCEEDED)
    return (condition.reason, condition.message) if condition is not None else ("", "")


def fault(run: GatherRun) -> Fault:
    """Return why a failed run has failed: by time alone, or by anything else."""
    failed = [d for d in run.status.departments if d.phase is DepartmentPhase.FAILED]
    is_out_of_time = bool(failed) and all(d.reason in OUT_OF_TIME for d in failed)
    reason, message = end_of(run)
    if is_out_of_time:
        message = _out_of_time(failed, run.spec.department_timeout_seconds)
    return Fault(
        is_out_of_time=is_out_of_time,
        error=failed[0].reason if failed else reason,
        message=message,
        failed_at_department=failed[0].slug if failed else "",
        completed_departments=succeeded(run),
        items_created_so_far=run.status.items_created,
    )


def _out_of_time(failed: list[DepartmentStatus], timeout_s: int) -> str:
    slugs = ", ".join(d.slug for d in failed)
    return shortened(f"Departments ran out of time, {timeout_s} s for each attempt: {slugs}.", MESSAGE_MAX)
