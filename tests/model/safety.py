"""What must hold at each step, whatever the adversary does. Each check names its invariant."""

from functools import lru_cache
from typing import Final

from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import DepartmentStatus
from gather_operator.decisions.assessment import FINAL, JOB_GENERATIONS_MAX
from tests.model.facts import OTHER_NAMES, Book
from tests.model.state import (
    ALIVE,
    CONFIGS,
    SLUGS,
    STOP_TICKS,
    WITH_RESULT,
    InvariantError,
    JobPhase,
    Pod,
    State,
)

DEPARTMENT_ORDER: Final = {
    DepartmentPhase.PENDING: 0,
    DepartmentPhase.RUNNING: 1,
    **dict.fromkeys(FINAL, 2),
}
RUN_ORDER: Final[dict[RunPhase, int]] = {
    RunPhase.PENDING: 0,
    RunPhase.RUNNING: 1,
    RunPhase.CANCELLING: 2,
    **dict.fromkeys((RunPhase.CANCELLED, RunPhase.SUCCEEDED, RunPhase.FAILED), 3),
}
COUNTS: Final = ("iterations", "items_created", "cost_usd", "tokens", "attempt", "iteration_limit")


def check_job(state: State, book: Book, department: int, number: int, limit: int) -> None:
    """Check that a Job may be made now."""
    assert state.basis is not None
    if state.basis.cancel or state.basis.deleted:
        raise InvariantError("no Job after cancel or delete", f"department {department}")
    if state.basis.suspend:
        raise InvariantError("no Job while suspended", f"department {department}")
    _check_alone(state, department, number)
    _check_name(state, book, department, number)
    order = [SLUGS.index(d.slug) for d in book.document(state.known).departments]
    if department not in order:
        raise InvariantError("departments in order", f"{SLUGS[department]} is none of the run's")
    run = state.run or state.basis
    assert run is not None
    phases = {SLUGS.index(d.slug): d.phase for d in book.status(run.status).departments}
    if phases.get(department) in FINAL:
        raise InvariantError("no Job of an ended department", SLUGS[department])
    for other in order[: order.index(department)]:
        is_over = (state.succeeded | state.failed) >> other & 1
        if not (is_over or phases.get(other) in FINAL):
            raise InvariantError("departments in order", f"{SLUGS[other]} has not ended")
    used = sum(n for d, n in enumerate(state.done) if d != department)
    if not 0 < limit <= CONFIGS[state.config].max_iterations - used:
        raise InvariantError("iterations stay below the run's", f"{limit} after {used} others")


def _check_alone(state: State, department: int, number: int) -> None:
    given_up = {key for key, is_old in state.ending if is_old}
    standing = {p.key: p for p in state.pods}
    for pod in state.pods:
        # A worker that finds its department finished pays for nothing any more.
        is_idle = pod.department != department and state.finished >> pod.department & 1
        if pod.phase in ALIVE and pod.key not in given_up and not is_idle:
            what = "one live pod a department" if pod.department == department else "one department at a time"
            raise InvariantError(what, f"a Job is made beside {pod}")
    for job in state.jobs:
        if job.phase != JobPhase.ACTIVE or job.terminating or job.key == (department, number):
            continue
        own = [p for p in standing.values() if p[:2] == job.key]
        if any(p.phase in WITH_RESULT for p in own) or (own and own[-1].key in given_up):
            continue
        raise InvariantError("one live Job at a time", f"{job} still stands")


def _check_name(state: State, book: Book, department: int, number: int) -> None:
    if number >= OTHER_NAMES or (department, number) not in state.made:
        return
    assert state.basis is not None
    # What stands in a status that it has not seen yet, and nowhere else, it cannot know.
    departments = book.status(state.basis.status).departments
    named = next((d.job_name for d in departments if d.slug == SLUGS[department]), "")
    is_left = named == book.job_name(department, number)
    if is_left or any(p.department == department and p.job == number for p in state.pods):
        raise InvariantError("names are not used again", book.job_name(department, number))


def check_pod(state: State, pod: Pod) -> None:
    """Check that the Job controller may make a pod now."""
    for other in state.pods:
        is_live = other.department == pod.department and other.phase in ALIVE
        if is_live and not (other.dead and other.terminating):
            raise InvariantError("one live pod a department", f"{pod} beside {other}")


def check_iterations(state: State) -> None:
    """Check that the run's iterations are not exceeded."""
    if sum(state.done) > CONFIGS[state.config].max_iterations:
        raise InvariantError("iterations stay below the run's", str(state.done))


def check_status(state: State, book: Book, number: int) -> None:
    """Check that a status may follow the one that stands."""
    assert state.run is not None
    wrong = _compare(book, state.run.status, number)
    if wrong:
        raise InvariantError(*wrong)
    before, after = book.status(state.run.status), book.status(number)
    known = {d.slug: d.phase for d in before.departments}
    for department in after.departments:
        if known.get(department.slug) != department.phase:
            _check_claim(state, department)
        if department.job_name and not _was_made(state, book, department):
            raise InvariantError("the status names Jobs that were made", department.job_name)
    if after.phase.is_final and not before.phase.is_final:
        _check_all_stopped(state, f"the run is {after.phase}")


def _was_made(state: State, book: Book, department: DepartmentStatus) -> bool:
    number = SLUGS.index(department.slug)
    return any(book.job_name(d, n) == department.job_name for d, n in state.made if d == number)


def _check_claim(state: State, department: DepartmentStatus) -> None:
    """Check that what is said of a department has happened."""
    number = SLUGS.index(department.slug)
    if department.phase is DepartmentPhase.SUCCEEDED and not state.succeeded >> number & 1:
        raise InvariantError("success has a result", department.slug)
    if department.phase is DepartmentPhase.FAILED and not state.failed >> number & 1:
        made = sum(d == number for d, _ in state.made)
        if made < JOB_GENERATIONS_MAX:
            raise InvariantError("failure is the Job's word", f"{department.slug} after {made} Jobs")


def _check_all_stopped(state: State, when: str) -> None:
    """Check that no worker is left that could still write, but for those that fencing covers."""
    if state.stopping > STOP_TICKS:
        return
    given_up = {key for key, is_old in state.ending if is_old}
    for pod in state.pods:
        if _is_last_of_the_done(state, pod):
            continue
        if pod.phase in ALIVE and pod.key not in given_up and not (pod.dead and pod.terminating):
            raise InvariantError("nothing is left at work", f"{when} and {pod} stands")
    for job in state.jobs:
        own = [p for p in state.pods if p[:2] == job.key]
        is_over = any(p.phase in WITH_RESULT or p.key in given_up for p in own)
        if job.phase == JobPhase.ACTIVE and not (job.terminating or is_over):
            raise InvariantError("nothing is left at work", f"{when} and {job} stands")


def _is_last_of_the_done(state: State, pod: Pod) -> bool:
    """Return whether the garbage collector ends the pod, and its department is done: it pays for nothing.

    Its Job made it between the pass that saw the department done and the deletion of the Job.
    """
    is_orphan = all(job.key != pod[:2] for job in state.jobs)
    is_stopped = state.run is None or state.run.cancel or state.run.deleted
    return bool(is_orphan and not is_stopped and state.succeeded >> pod.department & 1)


def check_release(state: State, book: Book) -> None:
    """Check that the finalizer may be taken off now."""
    assert state.run is not None
    if not book.status(state.run.status).phase.is_final:
        raise InvariantError("the finalizer stays while there is something to stop", str(state.run))
    is_told = bool(state.log & book.ended_bit)
    if not is_told and state.run.deleted < 2:
        raise InvariantError("the last event is in the log", str(state.run))


@lru_cache(maxsize=2**20)
def _compare(book: Book, before: int, after: int) -> tuple[str, str] | None:
    old, new = book.status(before), book.status(after)
    if old.phase.is_final:
        return "a final phase stays", f"{old.phase} becomes {new.phase}"
    if RUN_ORDER.get(new.phase, 3) < RUN_ORDER.get(old.phase, 0):
        return "phases never go back", f"{old.phase} becomes {new.phase}"
    if old.departments and [d.slug for d in old.departments] != [d.slug for d in new.departments]:
        return "departments stay as they were fixed", str([d.slug for d in new.departments])
    for one, other in zip(old.departments, new.departments, strict=False):
        if (wrong := _compare_departments(one, other)) is not None:
            return wrong
    counts = ("iterations", "items_created", "cost_usd", "tokens")
    for name in counts:
        if getattr(new, name) < getattr(old, name):
            return "numbers never go back", f"{name} of the run"
    return None


def _compare_departments(old: DepartmentStatus, new: DepartmentStatus) -> tuple[str, str] | None:
    if DEPARTMENT_ORDER[new.phase] < DEPARTMENT_ORDER[old.phase]:
        return "phases never go back", f"{old.slug}: {old.phase} becomes {new.phase}"
    if old.phase in FINAL and new != old:
        return "a final phase stays", f"{old.slug}: {old} becomes {new}"
    for name in COUNTS:
        if getattr(new, name) < getattr(old, name):
            return "numbers never go back", f"{name} of {old.slug}"
    return None
