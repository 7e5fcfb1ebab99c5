"""What is known of a run, as a join: two states become one that knows what either knew. Pure.

Joining is commutative, associative and idempotent. So it does not matter in which order events and what the
operator has written are taken in, nor how often: a snapshot and the events after it give what all give.
"""

from collections.abc import Iterable
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from gather_contracts.events import (
    AutomationCancelled,
    AutomationComplete,
    AutomationError,
    AutomationFailed,
    AutomationStarted,
    AutomationTimeout,
    Deduplicating,
    DepartmentComplete,
    DepartmentFailed,
    DepartmentStarted,
    Event,
    IterationComplete,
    MaxIterationsReached,
)
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import GatherRun

UNPLACED: Final = 1000
"""The place of a department whose place is not known: behind those that have one."""
ENDED: Final = frozenset(DepartmentPhase) - {DepartmentPhase.PENDING, DepartmentPhase.RUNNING}
DEPARTMENTS_MAX: Final = 64
"""Twice what a run can have: a forged slug cannot grow a state without bound."""
POINTS_MAX: Final = 1000
"""Twice the iterations that a run can have."""


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class DepartmentState(_State):
    """One department of a run."""

    slug: str
    place: int = UNPLACED
    """In the run's order, from 0."""
    name: str = ""
    threshold: float = 0
    model: str = ""
    attempt: int = 0
    phase: DepartmentPhase = DepartmentPhase.PENDING
    reason: str = ""
    message: str = ""
    """What Kubernetes or the worker says to that reason."""
    phase_at: str = ""
    """Since when, or as of when, phase and reason are known."""
    started_at: str = ""
    ended_at: str = ""
    activity: str = ""
    """`generating` or `deduplicating`, while it runs."""
    activity_at: str = ""
    iterations: int = 0
    iteration_limit: int = 0
    items_created: int = 0
    cost_usd: float = 0
    tokens: int = 0
    curve: dict[int, float] = Field(default_factory=dict)
    """The quality score by iteration."""

    @property
    def quality_score(self) -> float:
        """Return the latest score, 0 before the first."""
        return self.curve[max(self.curve)] if self.curve else 0.0

    def joined(self, other: Self) -> Self:
        """Return what both know."""
        known = max((self, other), key=_department_phase)
        doing = max((self, other), key=lambda each: (each.activity_at, each.activity))
        return self.model_copy(
            update={
                **{name: max(getattr(self, name), getattr(other, name)) for name in _DEPARTMENT_MAXIMA},
                "place": min(self.place, other.place),
                "phase": known.phase,
                "reason": known.reason,
                "message": known.message,
                "phase_at": known.phase_at,
                "started_at": _first(self.started_at, other.started_at),
                "ended_at": _first(self.ended_at, other.ended_at),
                "activity": doing.activity,
                "activity_at": doing.activity_at,
                "curve": _curve(self.curve, other.curve),
            }
        )


_DEPARTMENT_MAXIMA: Final = (
    "name", "threshold", "model", "attempt", "iterations", "iteration_limit", "items_created", "cost_usd",
    "tokens",
)  # fmt: skip


class RunState(_State):
    """One run."""

    project_id: str
    run: str
    run_uid: str
    namespace: str = ""
    """"" where only events are known."""
    phase: RunPhase = RunPhase.PENDING
    reason: str = ""
    message: str = ""
    phase_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    max_iterations: int = 0
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    """The run's budget, None where it has none or it is not known."""
    departments_count: int = 0
    iterations: int = 0
    items_created: int = 0
    """These two as the run's end says them; a department that is not known here counts in them."""
    departments: dict[str, DepartmentState] = Field(default_factory=dict)

    def joined(self, other: Self) -> Self:
        """Return what both know; they are of one run."""
        known = max((self, other), key=_run_phase)
        return self.model_copy(
            update={
                **{name: max(getattr(self, name), getattr(other, name)) for name in _RUN_MAXIMA},
                **{name: _first(getattr(self, name), getattr(other, name)) for name in _RUN_MOMENTS},
                **{name: _known(getattr(self, name), getattr(other, name)) for name in _RUN_CAPS},
                "phase": known.phase,
                "reason": known.reason,
                "message": known.message,
                "phase_at": known.phase_at,
                "departments": _departments(self.departments, other.departments),
            }
        )

    def document(self) -> dict[str, Any]:
        """Return the state as JSON for those who show it: departments in order, and the totals."""
        ordered = sorted(self.departments.values(), key=lambda d: (d.place, d.slug))
        scores = [d.quality_score for d in ordered if d.curve]
        return {
            **self.model_dump(mode="json", exclude={"departments", "phase_at"}),
            "departments_count": max(self.departments_count, len(ordered)),
            "departments_ended": sum(d.phase in ENDED for d in ordered),
            "iterations": max(self.iterations, sum(d.iterations for d in ordered)),
            "items_created": max(self.items_created, sum(d.items_created for d in ordered)),
            "quality_score": round(sum(scores) / len(scores), 2) if scores else 0.0,
            "cost_usd": round(sum(d.cost_usd for d in ordered), 6),
            "tokens": sum(d.tokens for d in ordered),
            "departments": [_shown(d) for d in ordered],
        }


_RUN_MAXIMA: Final = ("namespace", "max_iterations", "departments_count", "iterations", "items_created")
_RUN_CAPS: Final = ("max_cost_usd", "max_tokens")
_RUN_MOMENTS: Final = ("started_at", "ended_at")


_Inside = (
    DepartmentStarted
    | Deduplicating
    | IterationComplete
    | DepartmentComplete
    | DepartmentFailed
    | MaxIterationsReached
)


def state_of_event(event: Event) -> RunState:
    """Return what one event says of its run."""
    about: dict[str, Any] = {
        "project_id": event.project_id.lower(),
        "run": event.run,
        "run_uid": event.run_uid,
    }
    match event:
        case AutomationStarted():
            about |= {
                "phase": RunPhase.RUNNING, "phase_at": event.at, "started_at": event.at,
                "departments_count": event.departments_count, "max_iterations": event.max_iterations,
            }  # fmt: skip
        case AutomationComplete():
            about |= _end(event, RunPhase.SUCCEEDED) | {"iterations": event.total_iterations}
            about |= {"items_created": event.items_created, "departments": _summed(event.summary)}
        case AutomationFailed():
            about |= _end(event, RunPhase.FAILED, event.reason, event.message)
            about |= {"items_created": event.items_created, "departments": _summed(event.summary)}
        case AutomationCancelled():
            about |= _end(event, RunPhase.CANCELLED) | {"items_created": event.items_created_so_far}
        case AutomationTimeout() | AutomationError():
            about |= {"items_created": event.items_created_so_far}
        case _:
            department = _department(event)
            about |= {"phase": RunPhase.RUNNING, "departments": {department.slug: department}}
            if isinstance(event, DepartmentStarted):
                about["phase_at"] = event.at
    return RunState(**about)


def state_of_run(run: GatherRun, at: str) -> RunState:
    """Return what a run's status says; `at` is when it was written, RFC 3339 as in events."""
    status = run.status
    return RunState(
        project_id=run.spec.project_id.lower(),
        run=run.metadata.name,
        run_uid=run.metadata.uid,
        namespace=run.metadata.namespace,
        phase=status.phase,
        reason=status.reason,
        message=next((c.message for c in status.conditions if c.reason == status.reason and c.message), ""),
        phase_at=at,
        started_at=status.start_time or "",
        ended_at=status.completion_time or "",
        max_iterations=run.spec.max_iterations,
        max_cost_usd=run.spec.budget and run.spec.budget.max_cost_usd,
        max_tokens=run.spec.budget and run.spec.budget.max_tokens,
        departments_count=len(status.departments),
        departments={
            d.slug: DepartmentState(
                slug=d.slug,
                place=place,
                name=d.name,
                threshold=d.threshold,
                model=d.model,
                attempt=d.attempt,
                phase=d.phase,
                reason=d.reason,
                message=d.message,
                phase_at=at,
                started_at=d.start_time or "",
                ended_at=d.completion_time or "",
                iterations=d.iterations,
                iteration_limit=d.iteration_limit,
                items_created=d.items_created,
                cost_usd=d.cost_usd,
                tokens=d.tokens,
                curve={d.iterations: d.quality_score} if d.iterations and d.quality_score else {},
            )
            for place, d in enumerate(status.departments)
        },
    )


def _department(event: _Inside) -> DepartmentState:
    """Return what an event from inside a department says of it."""
    running: dict[str, Any] = {"slug": event.department, "phase": DepartmentPhase.RUNNING}
    match event:
        case DepartmentStarted():
            return DepartmentState(
                **running, name=event.department_name, threshold=event.threshold, model=event.model,
                attempt=event.attempt, phase_at=event.at, started_at=event.at, activity="generating",
                activity_at=event.at,
            )  # fmt: skip
        case Deduplicating():
            return DepartmentState(**running, activity="deduplicating", activity_at=event.at)
        case IterationComplete():
            return DepartmentState(
                **running, name=event.department_name, threshold=event.threshold, activity="generating",
                activity_at=event.at, iterations=event.iteration, iteration_limit=event.total_iterations,
                items_created=event.items_created, cost_usd=event.cost_usd, tokens=event.tokens,
                curve={event.iteration: event.quality_score},
            )  # fmt: skip
        case DepartmentComplete():
            return DepartmentState(
                slug=event.department, name=event.department_name, phase=DepartmentPhase.SUCCEEDED,
                phase_at=event.at, ended_at=event.at, iterations=event.iterations_used,
                curve={event.iterations_used: event.quality_score} if event.iterations_used else {},
            )  # fmt: skip
        case DepartmentFailed():
            return DepartmentState(
                slug=event.department, phase=DepartmentPhase.FAILED, reason=event.reason,
                phase_at=event.at, ended_at=event.at, attempt=event.attempt,
            )  # fmt: skip
        case MaxIterationsReached():
            return DepartmentState(**running, threshold=event.threshold)


def _summed(summary: Iterable[Any]) -> dict[str, DepartmentState]:
    return {
        line.department: DepartmentState(
            slug=line.department,
            name=line.name,
            iterations=line.iterations,
            items_created=line.items_created,
            curve={line.iterations: line.quality_score} if line.iterations else {},
        )
        for line in summary
    }


def _end(event: Any, phase: RunPhase, reason: str = "", message: str = "") -> dict[str, Any]:
    return {
        "phase": phase, "phase_at": event.at, "ended_at": event.at, "reason": reason, "message": message,
    }  # fmt: skip


def _run_phase(state: RunState) -> tuple[Any, ...]:
    is_at_work = state.phase is not RunPhase.PENDING
    return state.phase.is_final, is_at_work, state.phase_at, state.phase, state.reason, state.message


def _department_phase(state: DepartmentState) -> tuple[Any, ...]:
    is_at_work = state.phase is not DepartmentPhase.PENDING
    return state.phase in ENDED, is_at_work, state.phase_at, state.phase, state.reason, state.message


def _departments(
    one: dict[str, DepartmentState], other: dict[str, DepartmentState]
) -> dict[str, DepartmentState]:
    both = dict(one)
    for slug, department in other.items():
        if slug in both:
            both[slug] = both[slug].joined(department)
        elif len(both) < DEPARTMENTS_MAX:
            both[slug] = department
    return both


def _curve(one: dict[int, float], other: dict[int, float]) -> dict[int, float]:
    if not other.keys() - one.keys() and all(other[i] <= one[i] for i in other):
        return one
    both = dict(one)
    for iteration, score in other.items():
        if iteration in both or len(both) < POINTS_MAX:
            both[iteration] = max(score, both.get(iteration, score))
    return both


def _first(one: str, other: str) -> str:
    """Return the earlier moment; "" is none."""
    return min(filter(None, (one, other)), default="")


def _known(one: float | None, other: float | None) -> float | None:
    """Return the one that is known, the larger of two."""
    return max((cap for cap in (one, other) if cap is not None), default=None)


def _shown(department: DepartmentState) -> dict[str, Any]:
    is_running = department.phase is DepartmentPhase.RUNNING
    return {
        **department.model_dump(mode="json", exclude={"curve", "place", "phase_at"}),
        "activity": department.activity if is_running else "",
        "activity_at": department.activity_at if is_running else "",
        "quality_score": department.quality_score,
        "curve": [
            {"iteration": iteration, "quality_score": score}
            for iteration, score in sorted(department.curve.items())
        ],
        # Who reads checkpoints fills these in.
        "duplicates_dropped": None,
        "gaps": None,
    }
