"""What to do next for one run: a pure function of what is known.

It is asked again after every change and every few seconds, remembers nothing, and names everything that it
creates by rule; so it does not matter at which point its operator was killed.
"""

from collections.abc import Sequence
from dataclasses import replace

from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.events import timestamp
from gather_contracts.reasons import ConditionType, DepartmentPhase, DepartmentReason, Reason, RunPhase
from gather_contracts.resource import DepartmentStatus, GatherRun, GatherRunStatus, OnDepartmentFailure
from gather_contracts.result import StopReason
from gather_contracts.run_document import RunDocument
from gather_operator.decisions.actions import (
    Action,
    CreateJob,
    Decision,
    HoldFinalizer,
    ReleaseFinalizer,
    WriteDocument,
)
from gather_operator.decisions.allowance import iteration_allowance
from gather_operator.decisions.assessment import (
    FINAL,
    Department,
    assess,
    close,
    gather_department,
    needs_job,
)
from gather_operator.decisions.conditions import ConditionSet
from gather_operator.decisions.facts import CmsFailure, CmsReading, RunSnapshot
from gather_operator.decisions.finish import failed, finished
from gather_operator.decisions.resolve import Resolution, build_document, resolve, restore_departments
from gather_operator.decisions.stop import decide_stop
from gather_operator.decisions.summary_reason import with_reason
from gather_operator.decisions.totals import current, totals


def decide(snapshot: RunSnapshot) -> Decision:
    """Return what to do for the run, and the status that holds once it is done."""
    decision = _decide(snapshot)
    if decision.status == snapshot.run.status:
        return decision
    return replace(decision, status=with_reason(decision.status))


def _decide(snapshot: RunSnapshot) -> Decision:
    run = snapshot.run
    is_held = names.FINALIZER in run.metadata.finalizers
    if run.is_being_deleted:
        return _decide_deletion(snapshot) if is_held else Decision(run.status)
    if run.status.phase.is_final:
        return Decision(run.status)
    if not is_held:
        return Decision(_observed(run), (HoldFinalizer(),))
    if run.spec.cancel:
        return decide_stop(snapshot)
    if snapshot.document is None:
        return _decide_acceptance(snapshot)
    return _decide_departments(snapshot, snapshot.document)


def needs_cms(run: GatherRun, *, has_document: bool) -> bool:
    """Tell whether the departments have to be asked for."""
    is_waiting = not (run.status.phase.is_final or run.is_being_deleted or run.spec.cancel)
    return is_waiting and not has_document and names.FINALIZER in run.metadata.finalizers


def _decide_deletion(snapshot: RunSnapshot) -> Decision:
    if not snapshot.run.status.phase.is_final:
        return decide_stop(snapshot)
    release: tuple[Action, ...] = (ReleaseFinalizer(),) if snapshot.has_published_all else ()
    return Decision(snapshot.run.status, release)


def _observed(run: GatherRun) -> GatherRunStatus:
    return run.status.model_copy(update={"observed_generation": run.metadata.generation})


# --- acceptance


def _decide_acceptance(snapshot: RunSnapshot) -> Decision:
    if snapshot.cms is None:
        return Decision(_observed(snapshot.run))
    if isinstance(snapshot.cms, CmsFailure):
        return Decision(_waiting(snapshot, snapshot.cms))
    if snapshot.run.status.departments:
        restored = Resolution(restore_departments(snapshot.run, snapshot.cms))
        return Decision(snapshot.run.status, (WriteDocument(build_document(snapshot.run, restored)),))
    return _decide_resolution(snapshot, snapshot.cms)


def _decide_resolution(snapshot: RunSnapshot, reading: CmsReading) -> Decision:
    resolution = resolve(snapshot.run, reading, snapshot.default_model)
    if not resolution.departments:
        return Decision(_without_departments(snapshot, resolution))
    document = build_document(snapshot.run, resolution)
    return Decision(_accepted(snapshot, document), (WriteDocument(document),))


def _waiting(snapshot: RunSnapshot, failure: CmsFailure) -> GatherRunStatus:
    conditions = ConditionSet(snapshot.run.status, snapshot.run.metadata.generation, snapshot.now)
    conditions.put(ConditionType.ACCEPTED, False, Reason.CMS_UNAVAILABLE, failure.message)
    conditions.put(ConditionType.PROGRESSING, False, Reason.WAITING, "Waiting for the CMS.")
    return _observed(snapshot.run).model_copy(update={"conditions": conditions.listed()})


def _without_departments(snapshot: RunSnapshot, resolution: Resolution) -> GatherRunStatus:
    message = "; ".join(("No department takes part", *resolution.left_out)) + "."
    conditions = ConditionSet(snapshot.run.status, snapshot.run.metadata.generation, snapshot.now)
    conditions.put(ConditionType.ACCEPTED, False, Reason.NO_DEPARTMENTS, message)
    return failed(snapshot, _observed(snapshot.run), conditions, Reason.NO_DEPARTMENTS, message)


def _accepted(snapshot: RunSnapshot, document: RunDocument) -> GatherRunStatus:
    departments = [_pending(d) for d in document.departments]
    conditions = ConditionSet(snapshot.run.status, snapshot.run.metadata.generation, snapshot.now)
    reason = Reason.DEPARTMENTS_LEFT_OUT if document.left_out else Reason.DEPARTMENTS_RESOLVED
    count, most = len(departments), snapshot.run.spec.max_iterations
    too_few = (
        [f"maxIterations {most} lasts for {most} of them, the others will be skipped"] if most < count else []
    )
    message = "; ".join((f"{count} departments", *too_few, *document.left_out)) + "."
    conditions.put(ConditionType.ACCEPTED, True, reason, message)
    conditions.put(ConditionType.PROGRESSING, True, Reason.WAITING, "The first department is about to start.")
    return _observed(snapshot.run).model_copy(
        update={
            "phase": RunPhase.RUNNING,
            "start_time": timestamp(snapshot.now),
            "conditions": conditions.listed(),
            **totals(departments),
        }
    )


def _pending(department: ResolvedDepartment) -> DepartmentStatus:
    return DepartmentStatus(
        slug=department.slug,
        name=department.name,
        code_dep_number=department.code_dep_number,
        threshold=department.threshold,
        model=department.model,
    )


# --- departments


def _decide_departments(snapshot: RunSnapshot, document: RunDocument) -> Decision:
    """Judge every department in order, then start the next one if none is at work."""
    # Without departments in the status the operator was killed, or held back by the throttle, after it wrote
    # the document: the document is the truth.
    status = snapshot.run.status if snapshot.run.status.departments else _accepted(snapshot, document)
    departments: list[DepartmentStatus] = []
    actions: list[Action] = []
    for index, known in enumerate(status.departments):
        after = len(status.departments) - index - 1
        departments.append(
            _step(snapshot, gather_department(snapshot, index, known), departments, after, actions)
        )
    if all(d.phase in FINAL for d in departments):
        return Decision(finished(snapshot, status, departments), tuple(actions))
    return Decision(_progressing(snapshot, status, departments), tuple(actions))


def _step(
    snapshot: RunSnapshot,
    department: Department,
    before: Sequence[DepartmentStatus],
    after: int,
    actions: list[Action],
) -> DepartmentStatus:
    """Return one department's new status, adding the Job that it needs to `actions`."""
    assessed = assess(department, snapshot.now)
    if assessed.phase in FINAL or any(d.phase not in FINAL for d in before):
        return assessed
    if not needs_job(department):
        return assessed
    used = sum(d.iterations for d in before)
    iterations = assessed.iteration_limit or iteration_allowance(
        snapshot.run.spec.max_iterations, used, after
    )
    skip = _reason_to_skip(snapshot, before, iterations)
    if skip is not None:
        return close(assessed, DepartmentPhase.SKIPPED, skip, snapshot.now)
    generation = department.generation + 1
    actions.append(CreateJob(department.index, generation, iterations))
    return _started(snapshot, assessed, generation, iterations)


def _reason_to_skip(
    snapshot: RunSnapshot, before: Sequence[DepartmentStatus], iterations: int
) -> DepartmentReason | None:
    has_failure = any(d.phase is DepartmentPhase.FAILED for d in before)
    if has_failure and snapshot.run.spec.on_department_failure is OnDepartmentFailure.STOP:
        return DepartmentReason.EARLIER_DEPARTMENT_FAILED
    # The worker counts the money; whoever comes after it would be told the same, at the price of a pod.
    if any(d.reason == StopReason.BUDGET_USED for d in before):
        return DepartmentReason.BUDGET_USED
    return DepartmentReason.ITERATIONS_EXHAUSTED if iterations <= 0 else None


def _started(
    snapshot: RunSnapshot, status: DepartmentStatus, generation: int, iterations: int
) -> DepartmentStatus:
    metadata = snapshot.run.metadata
    return status.model_copy(
        update={
            "phase": DepartmentPhase.RUNNING,
            "reason": "",
            "job_name": names.job_name(metadata.name, metadata.uid, status.slug, generation),
            "iteration_limit": iterations,
            "start_time": status.start_time or timestamp(snapshot.now),
        }
    )


def _progressing(
    snapshot: RunSnapshot, status: GatherRunStatus, departments: Sequence[DepartmentStatus]
) -> GatherRunStatus:
    conditions = ConditionSet(status, snapshot.run.metadata.generation, snapshot.now)
    at_work = current(departments)
    if at_work is not None:
        waits = f" ({at_work.reason})" if at_work.reason else ""
        message = f"Department {at_work.slug} is at work{waits}."
        conditions.put(ConditionType.PROGRESSING, True, Reason.DEPARTMENT_RUNNING, message)
    return status.model_copy(
        update={
            "observed_generation": snapshot.run.metadata.generation,
            "phase": RunPhase.RUNNING,
            "conditions": conditions.listed(),
            **totals(departments),
        }
    )
