"""What users, other people and broken machines do: each step uses up one of the adversary's faults."""

from collections.abc import Callable, Iterator

from tests.model.cluster_steps import change
from tests.model.operator_steps import Operator, Step
from tests.model.state import ALIVE, Job, Phase, Pod, Run, State

OTHER_READING = 3
"""What the CMS names after somebody has edited it."""


class Adversary:
    """Yields the steps of the adversary while it has faults left."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._kinds: tuple[Callable[[State], Iterator[Step]], ...] = (
            self._process,
            self._caches,
            self._users,
            self._edits,
            self._pods,
            self._services,
        )

    def steps(self, state: State) -> Iterator[Step]:
        """Yield each step, with one fault less."""
        if not state.faults:
            return
        left = state.faults - 1
        for kind in self._kinds:
            for label, after in kind(state):
                yield label, after._replace(faults=left)

    def _process(self, state: State) -> Iterator[Step]:
        crashed = self._operator.crash(state)
        if crashed != state:
            yield ("crash",), crashed
        yield from self._operator.mishaps(state)

    def _caches(self, state: State) -> Iterator[Step]:
        """From now on a cache shows what there is now, until it catches up."""
        if state.run is not None and state.seen_run is None:
            yield ("stale", "run"), state._replace(seen_run=state.run)
        if state.seen_jobs is None:
            yield ("stale", "jobs"), state._replace(seen_jobs=state.jobs)
        if state.seen_pods is None:
            yield ("stale", "pods"), state._replace(seen_pods=state.pods)
        if state.woken and not self._operator.has_resync:
            yield ("event lost",), state._replace(woken=0)

    def _users(self, state: State) -> Iterator[Step]:
        run = state.run
        if run is None:
            return
        if not run.deleted:
            after = run._replace(deleted=1) if run.held else None
            yield ("delete",), _edited(state, after)
        changed = run._replace(suspend=1 - run.suspend, generation=run.generation + 1)
        yield ("resume" if run.suspend else "suspend",), _edited(state, changed)
        if not run.cancel:
            yield ("cancel",), _edited(state, run._replace(cancel=1, generation=run.generation + 1))

    def _edits(self, state: State) -> Iterator[Step]:
        """Somebody's hands in what is ours."""
        run = state.run
        for job in state.jobs:
            if not job.terminating:
                left = tuple(j for j in state.jobs if j is not job)
                yield ("job deleted", *job.key), _seen(state._replace(jobs=left))
                yield ("job ending", *job.key), _ending(state, job)
        for pod in state.pods:
            if not pod.terminating:
                yield ("pod deleted", *pod.key), change(state, pod, terminating=1)
        if state.document:
            yield ("document deleted",), state._replace(document=0)
            yield ("document broken",), state._replace(document=1)
        if run is not None and run.held:
            yield ("finalizer stripped",), _edited(state, None if run.deleted else run._replace(held=0))

    def _pods(self, state: State) -> Iterator[Step]:
        """Workers that end badly, sidecars, evictions and nodes that die or come back."""
        for pod in state.pods:
            if pod.dead:
                yield ("node back", *pod.key), _back(state, pod)
                continue
            if pod.phase in ALIVE and not pod.terminating:
                yield ("evicted", *pod.key), _evicted(state, pod)
            if pod.phase in ALIVE:
                yield ("node dead", *pod.key), change(state, pod, dead=1)
            if pod.phase == Phase.RUNNING and not pod.terminating:
                done = state.done[pod.department]
                yield ("fails", *pod.key), change(state, pod, phase=Phase.AGAIN, iterations=done)
                yield ("never", *pod.key), change(state, pod, phase=Phase.NEVER, iterations=done)
                yield (
                    ("lingers failed", *pod.key),
                    change(state, pod, phase=Phase.LINGERING_BAD, iterations=done),
                )
                if done:
                    yield ("unreadable", *pod.key), change(state, pod, phase=Phase.UNREADABLE)
                    good = change(state, pod, phase=Phase.LINGERING_GOOD, iterations=done)
                    yield ("lingers", *pod.key), good

    def _services(self, state: State) -> Iterator[Step]:
        if state.redis:
            yield ("redis", "dies"), state._replace(redis=0)
        if state.cms == 0 and not state.document:
            yield ("cms", "fails"), state._replace(cms=1)
        if state.cms != OTHER_READING:
            yield ("cms", "edited"), state._replace(cms=OTHER_READING)


def _edited(state: State, run: Run | None) -> State:
    return state._replace(run=run, woken=1)


def _seen(state: State) -> State:
    return state._replace(woken=1)


def _ending(state: State, job: Job) -> State:
    """Delete a Job in the foreground: it goes after its pods."""
    return _seen(state._replace(jobs=tuple(j._replace(terminating=1) if j is job else j for j in state.jobs)))


def _evicted(state: State, pod: Pod) -> State:
    done = state.done[pod.department]
    return change(state, pod, phase=Phase.DISRUPTED, iterations=done)


def _back(state: State, pod: Pod) -> State:
    """The node returns: a worker that was overtaken is refused, one that was to end ends."""
    return change(state, pod, dead=0)
