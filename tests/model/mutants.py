"""Break our own code on purpose, one way at a time, and see that the search finds it.

python -m tests.model.mutants --help
"""

import argparse
import contextlib
import itertools
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from unittest import mock

from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Refused
from gather_contracts import names
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_operator import reconcile
from gather_operator.decisions import decide as deciding
from gather_operator.decisions import starting, stop
from gather_operator.decisions.actions import (
    CreateJob,
    Decision,
    DeleteJob,
    DeletePod,
    ReleaseFinalizer,
    WriteDocument,
)
from gather_operator.decisions.assessment import FINAL, Department, assess, close
from gather_operator.decisions.facts import CmsReading, PodFacts, RunSnapshot
from gather_operator.decisions.resolve import build_document, resolve
from gather_operator.decisions.status.run_status import cancelled
from gather_operator.event_publisher import EventPublisher
from gather_operator.work_queue import Next
from tests.model.search import Found, Limits, Model, Search, starts

Patch = contextlib.AbstractContextManager[Any]
LIMITS: Final = Limits(states=40_000)
CHOSEN: Final = (0,)
"""The runs that are searched: one shows them all."""
FAULTS: Final = (0, 1, 2)
"""The fewest faults that show a mutant give its shortest counter-example."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way in which our code would be wrong."""

    name: str
    patch: Callable[[], Patch]
    invariant: str
    """What it violates first."""
    is_slow: bool = False
    """It takes seconds to find."""
    faults: tuple[int, ...] = FAULTS
    place: int | None = None
    """Step of the undisturbed run from which it is looked for; None: all."""
    has_resync: bool = True
    looks_again: bool = True


def _decides(change: Callable[[RunSnapshot, Decision], Decision]) -> Callable[[], Patch]:
    """Return a patch that changes what is decided."""
    original = deciding.decide

    def decide(snapshot: RunSnapshot) -> Decision:
        return change(snapshot, original(snapshot))

    return lambda: mock.patch.object(reconcile, "decide", decide)


def _sees(change: Callable[[RunSnapshot], RunSnapshot]) -> Callable[[], Patch]:
    """Return a patch that changes what is decided on."""
    original = deciding.decide
    return lambda: mock.patch.object(reconcile, "decide", lambda snapshot: original(change(snapshot)))


def _assesses(change: Callable[[Department, Any, Any], Any]) -> Callable[[], Patch]:
    """Return a patch that changes where a department is said to stand."""
    original = assess
    return lambda: mock.patch.object(deciding, "assess", lambda d, now: change(d, original(d, now), now))


def _without(*kinds: type) -> Callable[[RunSnapshot, Decision], Decision]:
    def change(_: RunSnapshot, decision: Decision) -> Decision:
        return replace(decision, actions=tuple(a for a in decision.actions if not isinstance(a, kinds)))

    return change


def _nothing() -> Patch:
    return contextlib.nullcontext()


# --- names and triggers


def _random_names() -> Patch:
    count = itertools.count()
    original = names.job_name

    def job_name(run: str, uid: str, department: str, attempt: int) -> str:
        return original(run, uid, f"{department}{next(count)}", attempt)

    return mock.patch.object(names, "job_name", job_name)


def _first_number(_: RunSnapshot, decision: Decision) -> Decision:
    actions = (replace(a, generation=1) if isinstance(a, CreateJob) else a for a in decision.actions)
    return replace(decision, actions=tuple(actions))


# --- the order of writes


async def _status_first(self: Any, snapshot: RunSnapshot, decision: Decision) -> Next:
    await self._deps.writer.write(snapshot.run, decision.status)
    await self._act(snapshot, decision.actions)
    return Next(0)


def _errors_swallowed() -> Patch:
    original = reconcile.Reconciler._carry_out

    async def carry_out(self: Any, snapshot: RunSnapshot, action: Any) -> None:
        with contextlib.suppress(ClusterUnavailable, Refused):
            await original(self, snapshot, action)

    return mock.patch.object(reconcile.Reconciler, "_carry_out", carry_out)


# --- finalizer, cancel, end


def _released_early(snapshot: RunSnapshot, decision: Decision) -> Decision:
    run = snapshot.run
    is_going = run.is_being_deleted and run.is_held
    return Decision(run.status, (ReleaseFinalizer(),)) if is_going else decision


def _final_again(snapshot: RunSnapshot) -> RunSnapshot:
    status = snapshot.run.status
    if not status.phase.is_final:
        return snapshot
    running = status.model_copy(update={"phase": RunPhase.RUNNING})
    return replace(snapshot, run=snapshot.run.model_copy(update={"status": running}))


def _deaf_while_pending(snapshot: RunSnapshot) -> RunSnapshot:
    run = snapshot.run
    if run.status.phase is not RunPhase.PENDING:
        return snapshot
    spec = run.spec.model_copy(update={"cancel": False})
    return replace(snapshot, run=run.model_copy(update={"spec": spec}))


def _stopped_at_once(snapshot: RunSnapshot) -> Decision:
    decision = stop.decide_stop(snapshot)
    closed = [
        d if d.phase in FINAL else close(d, DepartmentPhase.CANCELLED, "Cancelled", snapshot.now)
        for d in decision.status.departments
    ]
    return replace(decision, status=cancelled(snapshot, closed))


# --- departments


def _last_first(snapshot: RunSnapshot, decision: Decision) -> Decision:
    last = len(snapshot.document.departments) - 1 if snapshot.document is not None else 0
    actions = (replace(a, department_index=last) if isinstance(a, CreateJob) else a for a in decision.actions)
    return replace(decision, actions=tuple(actions))


def _complete_is_success(department: Department, status: Any, now: Any) -> Any:
    is_complete = department.job is not None and department.job.is_complete
    if is_complete and status.phase not in FINAL:
        return close(status, DepartmentPhase.SUCCEEDED, "ThresholdReached", now)
    return status


def _failed_by_pod(department: Department, status: Any, now: Any) -> Any:
    if any(p.phase == "Failed" for p in department.pods) and status.phase not in FINAL:
        return close(status, DepartmentPhase.FAILED, "ModelUnavailable", now)
    return status


def _latest_numbers(department: Department, status: Any, _: Any) -> Any:
    live = department.live
    return status.model_copy(update={"iterations": live.iterations, "items_created": live.items_created})


def _resolved_again(snapshot: RunSnapshot, cms: CmsReading) -> Decision:
    resolution = resolve(snapshot.run, cms, snapshot.default_model)
    return Decision(snapshot.run.status, (WriteDocument(build_document(snapshot.run, resolution)),))


NAMED: Final = "the status names Jobs that were made"
ENDS: Final = "it ends"

MUTANTS: Final = (
    Mutant("Jobs have random names", _random_names, NAMED),
    Mutant(
        "each Job of a department has the first one's name",
        _decides(_first_number),
        "names are not used again",
    ),
    Mutant("no resync", _nothing, ENDS, has_resync=False),
    Mutant(
        "edge-triggered: passes follow changes alone", _nothing, ENDS, has_resync=False, looks_again=False
    ),
    Mutant(
        "the status is written before its Job is made",
        lambda: mock.patch.object(reconcile.Reconciler, "_follow", _status_first),
        NAMED,
    ),
    Mutant("errors of actions are swallowed", _errors_swallowed, NAMED),
    Mutant(
        "a second Job while a pod is alive",
        lambda: mock.patch.object(PodFacts, "is_alive", property(lambda _: False)),
        "one live pod a department",
    ),
    Mutant(
        "the finalizer is dropped early",
        _decides(_released_early),
        "the finalizer stays while there is something to stop",
    ),
    Mutant("the finalizer is never dropped", _decides(_without(ReleaseFinalizer)), "an ended run is let go"),
    Mutant(
        "the finalizer does not wait for the last event",
        lambda: mock.patch.object(EventPublisher, "has_published_all", return_value=True),
        "the last event is in the log",
        is_slow=True,
    ),
    Mutant(
        "caches are trusted",
        lambda: mock.patch.object(reconcile, "needs_fresh_facts", return_value=False),
        "one live Job at a time",
        is_slow=True,
    ),
    Mutant(
        "used iterations are not counted",
        lambda: mock.patch.object(
            starting._Plan, "_left", property(lambda plan: plan.snapshot.run.spec.max_iterations)
        ),
        "iterations stay below the run's",
    ),
    Mutant("stopping deletes pods and no Jobs", _decides(_without(DeleteJob)), ENDS),
    Mutant("stopping deletes Jobs and no pods", _decides(_without(DeletePod)), ENDS),
    Mutant("a final phase can be left", _sees(_final_again), "a final phase stays"),
    Mutant("cancel is ignored while Pending", _sees(_deaf_while_pending), ENDS),
    Mutant(
        "Cancelled is said before the pods have ended",
        lambda: mock.patch.object(deciding, "decide_stop", _stopped_at_once),
        "nothing is left at work",
    ),
    Mutant(
        "numbers are those of the latest source",
        _assesses(_latest_numbers),
        "numbers never go back",
        is_slow=True,
    ),
    Mutant("Complete is taken for success", _assesses(_complete_is_success), "departments in order"),
    Mutant(
        "a failed pod is taken for a failed department",
        _assesses(_failed_by_pod),
        "failure is the Job's word",
    ),
    Mutant("the last department goes first", _decides(_last_first), "departments in order"),
    Mutant(
        "all departments start at once",
        lambda: mock.patch.object(starting._Plan, "_at_work", property(lambda _: 0)),
        "one live Job at a time",
    ),
    Mutant(
        "a lost document is written with what the CMS names now",
        lambda: mock.patch.object(deciding, "_restore", _resolved_again),
        NAMED,
        is_slow=True,
        faults=(3,),
        place=12,
    ),
    Mutant(
        "pods on dead nodes are waited for",
        lambda: mock.patch.object(starting, "is_abandoned", return_value=False),
        ENDS,
    ),
)


def hunt(mutant: Mutant, limits: Limits = LIMITS) -> Found:
    """Search with the mutant in place; the finding without a line means that it lives."""
    found = Found()
    with mutant.patch():
        for faults in mutant.faults:
            model = Model(has_resync=mutant.has_resync, looks_again=mutant.looks_again)
            begins = starts(model, CHOSEN, faults)
            chosen = begins if mutant.place is None else begins[mutant.place : mutant.place + 1]
            found = Search(model, limits).run(chosen)
            if found.line:
                break
    return found


def main(arguments: list[str] | None = None) -> int:
    """Hunt all mutants; return 0 if each is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="those whose names have this in them")
    parser.add_argument("--states", type=int, default=LIMITS.states, help="after so many a mutant lives")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    caught = 0
    chosen = [m for m in MUTANTS if options.only in m.name]
    for mutant in chosen:
        found = hunt(mutant, replace(LIMITS, states=options.states))
        caught += bool(found.line)
        verdict = f"caught: {found.invariant}" if found.line else "LIVES"
        print(f"{mutant.name:55} {verdict:60} {found.states:7,} states {found.seconds:5.1f} s", flush=True)
        if found.line:
            print(f"    {found.line}")
    print(f"{caught} of {len(chosen)} caught")
    return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
