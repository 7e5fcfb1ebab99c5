"""The run's own numbers, summed up from its departments."""

from collections.abc import Sequence
from typing import Any

from gather_contracts.reasons import DepartmentPhase
from gather_contracts.resource import DepartmentStatus
from gather_operator.decisions.assessment import ENDED


def progress(departments: Sequence[DepartmentStatus]) -> str:
    """Return departments ended of all, as in "3/7"; a cancelled one has not ended."""
    return f"{sum(d.phase in ENDED for d in departments)}/{len(departments)}"


def mean_quality(departments: Sequence[DepartmentStatus]) -> float:
    """Return the mean score, 0-100, of the departments that have one."""
    scores = [d.quality_score for d in departments if d.iterations > 0]
    return round(sum(scores) / len(scores), 2) if scores else 0


def current(departments: Sequence[DepartmentStatus]) -> DepartmentStatus | None:
    """Return the department at work."""
    return next((d for d in departments if d.phase is DepartmentPhase.RUNNING), None)


def totals(departments: Sequence[DepartmentStatus]) -> dict[str, Any]:
    """Return the fields of the run's status that follow from its departments."""
    at_work = current(departments)
    return {
        "departments": list(departments),
        "progress": progress(departments),
        "current_department": at_work.slug if at_work is not None else "",
        "iterations": sum(d.iterations for d in departments),
        "items_created": sum(d.items_created for d in departments),
        "quality_score": mean_quality(departments),
        "cost_usd": round(sum(d.cost_usd for d in departments), 6),
        "tokens": sum(d.tokens for d in departments),
    }
