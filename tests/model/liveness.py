"""Eventually stable: without the adversary, every state leads to an end and stays there."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from gather_contracts.reasons import RunPhase
from tests.model import cluster_steps
from tests.model.operator_steps import Operator, Step
from tests.model.state import ALIVE, InvariantError, Run, State

ROUNDS_MAX: Final = 120
"""More than any fair run needs: the longest that was seen is named by the search."""
SETTLED: Final = 3
"""Rounds in a row that must change nothing, with time passing, for a run to be stable."""


class Fairness:
    """Follows states by a schedule in which everybody gets on: each round does all that is possible once."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._good: dict[State, int] = {}
        self.longest = 0

    def check(self, state: State) -> None:
        """Follow the state to its end; raises InvariantError."""
        path: list[State] = []
        at = state._replace(faults=0)
        while at not in self._good:
            path.append(at)
            if len(path) > ROUNDS_MAX:
                raise InvariantError("it ends", f"not within {ROUNDS_MAX} rounds, at last {at}")
            after = self.round(at)
            if after == at and (resumed := self._resumed(at)) is not None:
                after = resumed
            if after == at:
                self._check_end(at)
                self._good[at] = 0
                path.pop()
                break
            at = after
        rounds = self._good[at]
        for before in reversed(path):
            rounds += 1
            self._good[before] = rounds
        self.longest = max(self.longest, rounds)

    def round(self, state: State) -> State:
        """Let the operator make one pass, the rest of the world one step each, and time pass."""
        state = self._first(state, cluster_steps.outside_steps)
        state = self._pass(state)
        for job_key in [j.key for j in state.jobs]:
            state = self._first(state, partial(_of_job, key=job_key))
        for pod_key in [p.key for p in state.pods]:
            state = self._first(state, partial(_of_pod, key=pod_key))
        state = self._first(state, cluster_steps.outside_steps)
        later = cluster_steps.tick(state)
        return state if later is None else later

    def _pass(self, state: State) -> State:
        """Make a pass and all its writes."""
        if not state.pending:
            looked = self._operator.look(state)
            if looked is None:
                return state
            state = looked
        while state.pending:
            state = self._operator.write(state)
        return state

    @staticmethod
    def _first(state: State, steps: Callable[[State], Iterator[Step]]) -> State:
        return next((after for _, after in steps(state)), state)

    def _resumed(self, state: State) -> State | None:
        """Return the state of a run that stands still for its suspension, once that is taken back."""
        run = state.run
        if run is None or not run.suspend or run.deleted or self._phase(run).is_final:
            return None
        if not run.cancel and any(p.phase in ALIVE and not p.dead for p in state.pods):
            raise InvariantError("a suspended run stops", str(state.pods))
        return state._replace(run=run._replace(suspend=0, generation=run.generation + 1))

    def _phase(self, run: Run) -> RunPhase:
        return self._operator.book.status(run.status).phase

    def _check_end(self, state: State) -> None:
        run = state.run
        living = [p for p in state.pods if not p.dead]
        if run is None:
            if state.jobs or living or state.document:
                raise InvariantError("nothing is left after a deletion", str((state.jobs, state.pods)))
            return
        phase = self._phase(run)
        if run.deleted or not phase.is_final:
            raise InvariantError("it ends", f"it stays {phase}: {state}")
        if run.held:
            raise InvariantError("an ended run is let go", str(run))
        if any(p.phase in ALIVE for p in living):
            raise InvariantError("nothing is left at work", f"{phase}: {state.pods}")
        if phase is RunPhase.CANCELLED and not run.cancel:
            raise InvariantError("only a cancelled run is Cancelled", str(run))


def _of_job(state: State, key: tuple[int, int]) -> Iterator[Step]:
    job = next((j for j in state.jobs if j.key == key), None)
    return cluster_steps.job_steps(state, job) if job is not None else iter(())


def _of_pod(state: State, key: tuple[int, int, int]) -> Iterator[Step]:
    pod = next((p for p in state.pods if p.key == key), None)
    return cluster_steps.pod_steps(state, pod) if pod is not None else iter(())
