"""Which departments of a run start now, each with how many iterations; which are skipped, and why. Pure.

A department that has begun keeps its place and its iterations until it has ended, whatever becomes of its
Jobs. Iterations that it leaves over go to those that start after its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gather_contracts import names
from gather_contracts.events import timestamp
from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_contracts.resource import DepartmentStatus, OnDepartmentFailure
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import Action, CreateJob, DeleteJob
from gather_operator.decisions.assessment import (
    FINAL,
    Department,
    close,
    is_abandoned,
    is_at_work,
    needs_job,
)
from gather_operator.decisions.facts import RunSnapshot


def iteration_allowance(left: int, departments_after: int, at_once: int = 1) -> int:
    """Return a department's share of the iterations that are left to the run; 0 when nothing is.

    Each of the `departments_after` that do not start with it keeps one in reserve, as the design asks; those
    that start `at_once`, this one among them, get equal shares. Where the run has fewer iterations than
    departments the reserve cannot be kept, so that the earlier ones get one each and the later ones none.
    """
    if left <= 0:
        return 0
    return max(1, (left - departments_after) // at_once)


def start_next(
    snapshot: RunSnapshot, known: Sequence[Department], assessed: Sequence[DepartmentStatus]
) -> tuple[list[DepartmentStatus], tuple[Action, ...]]:
    """Return the departments with those started or skipped that can be, in order, and the Jobs they need."""
    plan, is_open = _Plan(snapshot, known, list(assessed)), True
    for index, department in enumerate(assessed):
        if department.phase in FINAL:
            continue
        if plan.has_begun(index):
            plan.go_on(index)
        elif is_open:
            is_open = plan.begin(index)
    return plan.departments, tuple(plan.actions)


@dataclass(slots=True)
class _Plan:
    """The departments of one run while it is decided, one after the other, what becomes of each."""

    snapshot: RunSnapshot
    known: Sequence[Department]
    departments: list[DepartmentStatus]
    actions: list[Action] = field(default_factory=list)
    started: set[int] = field(default_factory=set)
    """Departments that have just got a Job."""

    def has_begun(self, index: int) -> bool:
        """Return whether the department has had a Job, or has just got one, and has not ended."""
        department = self.departments[index]
        is_started = self.known[index].generation > 0 or department.phase is DepartmentPhase.RUNNING
        return is_started and department.phase not in FINAL

    def go_on(self, index: int) -> None:
        """Make a department's next Job, if it needs one, with the iterations that it has.

        A Job whose pod was given up is ended first: it would make another pod if that ever came back. The
        next one is made once it is gone, since it may have made that pod in this very moment.
        """
        known, limit = self.known[index], self.departments[index].iteration_limit
        if needs_job(known):
            others = (i for i in range(len(self.known)) if i != index)
            if sum(map(self._works, others)) >= self.snapshot.run.spec.parallelism:
                # Its end was seen before and its traces are gone: it is ended again once it has its turn.
                return
            self._create(index, limit or iteration_allowance(self._left, len(self._to_come)) or 1)
        elif known.job and is_abandoned(known) and not known.job.is_terminating:
            self.actions.append(DeleteJob(known.job.name))

    def begin(self, index: int) -> bool:
        """Start a department that has had no Job, or skip it; return False if it has to wait.

        Those at work may still leave iterations over, so none is skipped for want of them before they end.
        """
        if (reason := self._reason_to_skip()) is not None:
            self._skip(index, reason)
            return True
        at_work, to_come = self._at_work, len(self._to_come)
        at_once = min(self.snapshot.run.spec.parallelism - at_work, to_come)
        if at_once <= 0:
            return False
        if iterations := iteration_allowance(self._left, to_come - at_once, at_once):
            self._create(index, iterations)
            return True
        if not at_work:
            self._skip(index, DepartmentReason.ITERATIONS_EXHAUSTED)
        return not at_work

    def _works(self, index: int) -> bool:
        """Return whether the department is at work, or has just got a Job."""
        return index in self.started or is_at_work(self.known[index])

    @property
    def _at_work(self) -> int:
        return sum(map(self.has_begun, range(len(self.departments))))

    @property
    def _to_come(self) -> list[DepartmentStatus]:
        """Return the departments that have had no Job yet and are to have one."""
        return [d for i, d in enumerate(self.departments) if d.phase not in FINAL and not self.has_begun(i)]

    @property
    def _left(self) -> int:
        """Return the iterations that nobody has used or been given."""
        given = sum(
            max(d.iteration_limit, d.iterations) if self.has_begun(i) else d.iterations
            for i, d in enumerate(self.departments)
        )
        return self.snapshot.run.spec.max_iterations - given

    def _reason_to_skip(self) -> DepartmentReason | None:
        is_stopping = self.snapshot.run.spec.on_department_failure is OnDepartmentFailure.STOP
        if is_stopping and any(d.phase is DepartmentPhase.FAILED for d in self.departments):
            return DepartmentReason.EARLIER_DEPARTMENT_FAILED
        # The worker counts the money; the next one would find out the same, at the price of a pod.
        is_used = any(d.reason == StopReason.BUDGET_USED and d.phase in FINAL for d in self.departments)
        return DepartmentReason.BUDGET_USED if is_used else None

    def _skip(self, index: int, reason: DepartmentReason) -> None:
        skipped = close(self.departments[index], DepartmentPhase.SKIPPED, reason, self.snapshot.now)
        self.departments[index] = skipped

    def _create(self, index: int, iterations: int) -> None:
        known, department = self.known[index], self.departments[index]
        metadata, generation = self.snapshot.run.metadata, known.generation + 1
        self.actions.append(CreateJob(index, generation, iterations))
        self.started.add(index)
        self.departments[index] = department.model_copy(
            update={
                "phase": DepartmentPhase.RUNNING,
                "reason": "",
                "message": "",
                "job_name": names.job_name(metadata.name, metadata.uid, department.slug, generation),
                "iteration_limit": iterations,
                "start_time": department.start_time or timestamp(self.snapshot.now),
            }
        )
