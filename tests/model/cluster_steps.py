"""What goes on by itself: Job controller, kubelet, garbage collector, informers, clocks, Redis, the CMS."""

from collections.abc import Iterator
from typing import Any

from tests.model import safety
from tests.model.facts import UNUSABLE
from tests.model.operator_steps import Step, remembered
from tests.model.state import (
    ALIVE,
    CONFIGS,
    FAILURES,
    STOP_TICKS,
    WITH_RESULT,
    Job,
    JobPhase,
    Phase,
    Pod,
    State,
)


def steps(state: State) -> Iterator[Step]:
    """Yield all that may happen next without anybody's doing."""
    yield from outside_steps(state)
    for job in state.jobs:
        yield from job_steps(state, job)
    for pod in state.pods:
        yield from pod_steps(state, pod)
    if (later := tick(state)) is not None:
        yield ("tick",), later


def outside_steps(state: State) -> Iterator[Step]:
    """Yield what informers, the CMS, Redis and the garbage collector do."""
    if state.seen_run is not None:
        yield ("see", "run"), state._replace(seen_run=None, woken=1)
    if state.seen_jobs is not None:
        yield ("see", "jobs"), state._replace(seen_jobs=None, woken=1)
    if state.seen_pods is not None:
        yield ("see", "pods"), state._replace(seen_pods=None, gone=remembered(state), woken=1)
    if state.cms < 2 and state.run is not None and not state.document:
        yield ("cms", "answers"), state._replace(cms=2, woken=1)
    if not state.redis:
        yield ("redis", "returns"), state._replace(redis=1)
    if state.run is None and (state.jobs or state.document):
        yield ("collect", "run"), state._replace(jobs=(), document=0)


# --- the Job controller


def job_steps(state: State, job: Job) -> Iterator[Step]:
    """Yield what the Job controller does for a Job."""
    own = [p for p in state.pods if p[:2] == job.key]
    if job.terminating:
        if not own:
            yield ("job gone", *job.key), _woken(state._replace(jobs=_without(state.jobs, job)))
        return
    if job.suspended and job.phase == JobPhase.ACTIVE:
        for pod in own:
            if pod.phase < Phase.GOOD and not pod.terminating:
                yield ("hold", *pod.key), change(state, pod, terminating=1)
    uncounted = [p for p in own if p.phase >= Phase.GOOD and not p.counted]
    if uncounted:
        yield ("count", *job.key), _count(state, job, uncounted)
    elif job.phase == JobPhase.ACTIVE and not job.suspended and not any(p.phase < Phase.GOOD for p in own):
        pod = Pod(*job.key, job.pods + 1, Phase.PENDING, 0, 0, 0, 0)
        safety.check_pod(state, pod)
        started = _with(state.jobs, job, job._replace(pods=job.pods + 1))
        yield (
            ("start", *pod.key),
            _woken(state._replace(jobs=started, pods=tuple(sorted((*state.pods, pod))))),
        )


def _count(state: State, job: Job, ended: list[Pod]) -> State:
    """Count ended pods, and end the Job if that decides it."""
    # Pods that a suspension has deleted count as no failure.
    failed = job.failed + sum(p.phase in FAILURES and not (job.suspended and p.terminating) for p in ended)
    phase = job.phase
    if phase == JobPhase.ACTIVE:
        if any(p.phase in {Phase.GOOD, Phase.UNREADABLE} for p in ended):
            phase = JobPhase.COMPLETE
        elif any(p.phase == Phase.NEVER for p in ended) or failed > CONFIGS[state.config].retries:
            phase = JobPhase.FAILED
    keys = {p.key for p in ended}
    pods = tuple(p._replace(counted=1) if p.key in keys else p for p in state.pods)
    jobs = _with(state.jobs, job, job._replace(failed=failed, phase=phase))
    bit = 1 << job.department if phase == JobPhase.FAILED else 0
    return _woken(state._replace(jobs=jobs, pods=pods, failed=state.failed | bit))


# --- the kubelet, and the garbage collector for pods


def pod_steps(state: State, pod: Pod) -> Iterator[Step]:
    """Yield what may happen to a pod."""
    key, job = pod.key, next((j for j in state.jobs if j.key == pod[:2]), None)
    is_orphan = job is None or bool(job.terminating)
    if is_orphan and not pod.terminating:
        yield ("collect", *key), change(state, pod, terminating=1)
    if pod.dead:
        if not pod.terminating:
            yield ("taint", *key), change(state, pod, terminating=1)
        return
    if pod.phase == Phase.PENDING:
        yield from _pending_steps(state, pod)
    elif pod.phase == Phase.RUNNING:
        yield from _running_steps(state, pod, job)
    elif pod.terminating:
        yield from _last_steps(state, pod, is_orphan=is_orphan)


def _last_steps(state: State, pod: Pod, *, is_orphan: bool) -> Iterator[Step]:
    """What only a sidecar kept running ends; what has ended goes once its Job has counted it."""
    if pod.phase == Phase.LINGERING_GOOD:
        yield ("end", *pod.key), change(state, pod, phase=Phase.GOOD_BROKEN)
    elif pod.phase == Phase.LINGERING_BAD:
        yield ("end", *pod.key), change(state, pod, phase=Phase.AGAIN)
    elif is_orphan or pod.counted:
        yield ("remove", *pod.key), remove(state, pod)


def _pending_steps(state: State, pod: Pod) -> Iterator[Step]:
    if pod.terminating:
        yield ("remove", *pod.key), remove(state, pod)
    elif state.document > UNUSABLE:
        yield ("run", *pod.key), change(state, pod, phase=Phase.RUNNING)
    else:
        # Without its ConfigMap a pod waits until its time is over; with a broken one its worker ends.
        phase = Phase.NEVER if state.document else Phase.AGAIN
        yield ("give up", *pod.key), change(state, pod, phase=phase)


def _running_steps(state: State, pod: Pod, job: Job | None) -> Iterator[Step]:
    done = state.done[pod.department]
    if _is_fenced(state, pod):
        yield ("end", *pod.key), change(state, pod, phase=Phase.FENCED)
        return
    is_finished = state.finished >> pod.department & 1
    if not (pod.terminating or is_finished) and job is not None and done < job.limit:
        counts = (*state.done[: pod.department], done + 1, *state.done[pod.department + 1 :])
        after = _woken(state._replace(done=counts))
        safety.check_iterations(after)
        yield ("iterate", *pod.key), after
    if done:
        yield ("finish", *pod.key), change(state, pod, phase=Phase.GOOD, iterations=done)
    if pod.terminating:
        yield ("end", *pod.key), change(state, pod, phase=Phase.STOPPED, iterations=done)


def _is_fenced(state: State, pod: Pod) -> bool:
    """Return whether a later pod has taken the department over."""
    later = (p for p in state.pods if p.department == pod.department and p.key > pod.key)
    return any(p.phase != Phase.PENDING for p in later)


def change(state: State, pod: Pod, **fields: Any) -> State:
    """Return the state with the pod changed."""
    after = pod._replace(**fields)
    pods = tuple(after if p is pod else p for p in state.pods)
    succeeded, finished, bit = state.succeeded, state.finished, 1 << pod.department
    if after.phase in WITH_RESULT:
        succeeded, finished = succeeded | bit, finished | bit
    elif after.phase == Phase.UNREADABLE:
        finished |= bit
    return _woken(state._replace(pods=pods, succeeded=succeeded, finished=finished))


def remove(state: State, pod: Pod) -> State:
    """Return the state without the pod; an operator that watches remembers it."""
    gone = state.gone
    if state.seen_pods is None:
        gone = tuple(sorted((*gone, pod._replace(dead=0, counted=0))))
    return _woken(state._replace(pods=tuple(p for p in state.pods if p is not pod), gone=gone))


# --- time


def tick(state: State) -> State | None:
    """Let more time pass than a pod has for ending; None if nothing waits for that."""
    if any(p.terminating and not p.dead and p.phase in ALIVE for p in state.pods):
        return None
    run = state.run
    if run is not None and run.deleted == 1:
        run = run._replace(deleted=2)
    stopping = state.stopping + 1 if 0 < state.stopping <= STOP_TICKS else state.stopping
    seen = state.seen_run
    if seen is not None and seen.deleted == 1:
        seen = seen._replace(deleted=2)
    basis = state.basis
    if basis is not None and basis.deleted == 1:
        basis = basis._replace(deleted=2)
    after = state._replace(
        run=run,
        seen_run=seen,
        basis=basis,
        stopping=stopping,
        ending=tuple((key, 1) for key, _ in state.ending),
    )
    return None if after == state else after


def _woken(state: State) -> State:
    return state if state.woken else state._replace(woken=1)


def _with(jobs: tuple[Job, ...], old: Job, new: Job) -> tuple[Job, ...]:
    return tuple(new if j is old else j for j in jobs)


def _without(jobs: tuple[Job, ...], old: Job) -> tuple[Job, ...]:
    return tuple(j for j in jobs if j is not old)
