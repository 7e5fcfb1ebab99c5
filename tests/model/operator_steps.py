"""What the operator's process does: a pass over the run, its writes one by one, and how each may go wrong."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from tests.model import safety
from tests.model.facts import Inputs
from tests.model.passes import Passes
from tests.model.state import NEW_PROCESS, Job, Pod, Run, State

Label = tuple[Any, ...]
Step = tuple[Label, State]


class Operator:
    """Makes the operator's steps."""

    def __init__(self, passes: Passes, *, has_resync: bool = True, looks_again: bool = True) -> None:
        """Without `has_resync`, a pass is made only after a change that was seen, or after one that moved.

        Without `looks_again`, not even after one that moved.
        """
        self.passes = passes
        self.book = passes.book
        self.has_resync = has_resync
        self._looks_again = looks_again
        self._effects: dict[str, Callable[..., State]] = {
            "finalizer": self._finalizer,
            "status": self._status,
            "create document": _create_document,
            "delete document": _delete_document,
            "create job": self._create_job,
            "suspend job": _suspend_job,
            "resume job": _resume_job,
            "delete job": _delete_job,
            "delete pod": _delete_pod,
            "publish": _publish,
            "mishap": self._mishap,
        }

    def steps(self, state: State) -> Iterator[Step]:
        """Yield what the process may do next."""
        if state.pending:
            yield ("write",), self.write(state)
        elif (looked := self.look(state)) is not None:
            yield ("pass",), looked

    # --- a pass

    def look(self, state: State) -> State | None:
        """Begin a pass: read, decide, and line up the writes. None: it would change nothing."""
        seen = state.seen_run or state.run
        if seen is None or not (self.has_resync or state.woken):
            return None
        program = self.passes.program(self._inputs(state, seen))
        changes = self._learnt(state, seen, is_fresh=program.is_fresh)
        writes, log = program.writes, state.log
        while writes and writes[0][0] == "publish":
            log |= writes[0][1]
            writes = writes[1:]
        changes["log"] = log
        changes["woken"] = 1 if self.has_resync or (writes and self._looks_again) else 0
        if writes:
            changes |= {"pending": writes, "basis": seen}
        after = self._skip(state._replace(**changes))
        return None if after == state else after

    def _learnt(self, state: State, seen: Run, *, is_fresh: bool) -> dict[str, Any]:
        """Return what the process remembers after it has read."""
        is_final = self.book.status(seen.status).phase.is_final
        changes: dict[str, Any] = {}
        if is_final or seen.deleted:
            changes["known"] = 0
        elif not state.known and self.book.is_usable(state.document, seen):
            changes["known"] = state.document
        if is_fresh:
            changes |= self._merged(state)
        if not is_final:
            pods = state.pods if is_fresh or state.seen_pods is None else state.seen_pods
            since = dict(state.ending)
            changes["ending"] = tuple((p.key, since.get(p.key, 0)) for p in pods if p.terminating)
        if seen.deleted or seen.cancel:
            changes["stopping"] = state.stopping or 1
        return changes

    def mishaps(self, state: State) -> Iterator[Step]:
        """Yield passes of which a write goes wrong; the process lives on."""
        seen = state.seen_run or state.run
        looked = None if state.pending else self.look(state)
        if looked is None or seen is None or not looked.pending:
            return
        inputs = self._inputs(state, seen)
        writes = self.passes.program(inputs).writes
        # What was done already, or need not be, is not among them any more.
        first = len(writes) - len(looked.pending)
        for at in range(first, len(writes)):
            for kind in self._kinds(writes[at][0]):
                following: tuple[Any, ...] = ()
                if kind != "conflict" and writes[at][0] not in {"status", "publish"}:
                    following = self.passes.after_failure(inputs, at, kind)
                before = looked.pending[: at - first]
                pending = (*before, ("mishap", kind, writes[at]), *following)
                yield ("pass", kind, at - first), looked._replace(pending=pending)

    @staticmethod
    def _kinds(write: str) -> tuple[str, ...]:
        if write in {"finalizer", "status"}:
            return ("conflict", "unavailable", "answer lost")
        return (
            ("refused", "unavailable", "answer lost")
            if write == "create job"
            else ("unavailable", "answer lost")
        )

    def _inputs(self, state: State, seen: Run) -> Inputs:
        is_final = self.book.status(seen.status).phase.is_final
        true_jobs, true_pods = _visible_jobs(state.jobs), _visible_pods(state.pods)
        jobs = true_jobs if state.seen_jobs is None else _visible_jobs(state.seen_jobs)
        pods = true_pods if state.seen_pods is None else _visible_pods(state.seen_pods)
        known = 0 if is_final or seen.deleted else state.known
        if is_final:
            return Inputs(state.config, seen, 0, 0, 0, (), (), (), (), (), (), (), state.log, state.redis, 0)
        return Inputs(
            config=state.config,
            run=seen,
            document=0 if known or seen.deleted else state.document,
            known=known,
            cms=0 if known or seen.deleted else state.cms,
            jobs=jobs,
            pods=pods,
            true_jobs=true_jobs,
            true_pods=true_pods,
            gone=state.gone,
            given_up=tuple(key for key, is_old in state.ending if is_old),
            live=state.done if state.redis else (),
            log=state.log,
            redis=state.redis,
            stopping=state.stopping if seen.deleted or seen.cancel else 0,
        )

    @staticmethod
    def _merged(state: State) -> dict[str, Any]:
        """Return the caches after Jobs and pods were listed; one that lags goes on lagging."""
        merged: dict[str, Any] = {}
        if state.seen_jobs is not None:
            merged["seen_jobs"] = state.jobs
        if state.seen_pods is not None:
            merged["seen_pods"] = state.pods
            merged["gone"] = remembered(state)
        return merged

    def _skip(self, state: State) -> State:
        """Leave out a write that finds what it would make."""
        while state.pending and state.pending[0] == ("create document", state.document):
            state = _advance(state)._replace(known=state.document)
        return state

    # --- writes

    def write(self, state: State) -> State:
        """Carry out the next write as the API server would."""
        return self._skip(self._effect(state, state.pending[0]))

    def _effect(self, state: State, write: tuple[Any, ...]) -> State:
        after: State = self._effects[write[0]](state, *write[1:])
        return after

    def _finalizer(self, state: State, held: int) -> State:
        run = state.run
        if run is None or run != state.basis:
            return conflict(state)
        if not held:
            safety.check_release(state, self.book)
        after = None if run.deleted and not held else run._replace(held=held)
        return _advance(state)._replace(run=after, seen_run=None)

    def _status(self, state: State, number: int) -> State:
        run = state.run
        if run is None or (state.seen_run is not None and state.seen_run != run):
            return conflict(state)
        if state.basis is not None and run.status != state.basis.status:
            return stopped(state)
        safety.check_status(state, self.book, number)
        return _advance(state)._replace(run=run._replace(status=number), seen_run=None)

    def _create_job(self, state: State, department: int, number: int, limit: int) -> State:
        if any(j.key == (department, number) for j in state.jobs):
            return _advance(state)
        safety.check_job(state, self.book, department, number, limit)
        jobs = tuple(sorted((*state.jobs, Job(department, number, 0, 0, 0, limit))))
        made = state.made
        if (department, number) not in made:
            made = tuple(sorted((*made, (department, number))))
        return _advance(state)._replace(jobs=jobs, made=made)

    # --- what may go wrong

    def _mishap(self, state: State, kind: str, meant: tuple[Any, ...]) -> State:
        """Let a write go wrong; what follows is what the operator does then."""
        if kind == "conflict":
            return conflict(state)
        if kind != "answer lost":
            return _advance(state)
        done = self._effect(state._replace(pending=(meant, ("lost",))), meant)
        if done.pending != (("lost",),):
            return done
        old = state.seen_run or state.run
        # Its own view of the run stays as it was until the watch brings the new one.
        seen = old if done.run is not None and old != done.run else None
        following = state.pending[1:]
        return done._replace(
            pending=following, basis=state.basis if following else None, known=state.known, seen_run=seen
        )

    def crash(self, state: State) -> State:
        """Kill the process; the next one lists everything."""
        return state._replace(**NEW_PROCESS)


def _create_document(state: State, number: int) -> State:
    """One that exists is kept, and taken for the same."""
    return _advance(state)._replace(document=state.document or number, known=number)


def _delete_document(state: State) -> State:
    return _advance(state)._replace(document=0)


def _suspend_job(state: State, *key: int) -> State:
    return _advance(state)._replace(jobs=_suspended(state, key, 1))


def _resume_job(state: State, *key: int) -> State:
    return _advance(state)._replace(jobs=_suspended(state, key, 0))


def _suspended(state: State, key: tuple[int, ...], suspended: int) -> tuple[Job, ...]:
    return tuple(j._replace(suspended=suspended) if j.key == key else j for j in state.jobs)


def _delete_job(state: State, *key: int) -> State:
    return _advance(state)._replace(jobs=tuple(j for j in state.jobs if j.key != key))


def _delete_pod(state: State, *key: int) -> State:
    pods = tuple(p._replace(terminating=1) if p.key == key else p for p in state.pods)
    return _advance(state)._replace(pods=pods)


def _publish(state: State, bit: int) -> State:
    return _advance(state)._replace(log=state.log | bit)


def _advance(state: State) -> State:
    left = state.pending[1:]
    return state._replace(pending=left) if left else stopped(state)


def stopped(state: State) -> State:
    """Return the state after a pass has ended."""
    return state._replace(pending=(), basis=None)


def conflict(state: State) -> State:
    """Return the state after a conflict: the pass ends, and the run is read again."""
    return stopped(state)._replace(seen_run=None)


def remembered(state: State) -> tuple[Any, ...]:
    """Return the pods that the operator has seen go, once it sees that those of its old view are gone."""
    if state.seen_pods is None:
        return state.gone
    present = {p.key for p in state.pods} | {p.key for p in state.gone}
    lost = (p._replace(dead=0, counted=0) for p in state.seen_pods if p.key not in present)
    return tuple(sorted((*state.gone, *lost)))


@lru_cache(maxsize=2**16)
def _visible_jobs(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    """Return Jobs without what no field of theirs says."""
    return tuple(j._replace(pods=0) for j in jobs)


@lru_cache(maxsize=2**16)
def _visible_pods(pods: tuple[Pod, ...]) -> tuple[Pod, ...]:
    """Return pods without what only node and Job controller know."""
    return tuple(p._replace(dead=0, counted=0) for p in pods)
