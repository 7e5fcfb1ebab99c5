"""What a department at work waits for, in Kubernetes' own words. Pure.

A Job without pods, a pod without a node, a container without an image: from outside each of them looks like
work. Waits of seconds, which every start has, are not said; nor are longer ones for which Kubernetes has no
word while all starts take as long.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gather_contracts.reasons import WaitReason
from gather_contracts.result import StopReason
from gather_operator.decisions.facts import (
    ConditionFacts,
    JobFacts,
    ObjectEvent,
    PodFacts,
    RunSnapshot,
    UsualStarts,
)

SLOW_START_S: Final = 10.0
"""A pod that is created, scheduled and given its volumes takes less."""
SLOW_IMAGE_S: Final = 30.0
"""An image that takes longer is worth a word."""
USUAL_FACTOR: Final = 3.0
"""A start that takes so many times as long as others at present is slow, though all of them are."""
USUAL_MAX_S: Final = 180.0
"""After so long even a start that is no slower than others is worth a word."""
SETTLING_S: Final = 3.0
"""Within it a Job whose last attempt has failed says so, and a pod whose grace period is over goes."""
JOB_BACKOFF_S: Final = 10
JOB_BACKOFF_MAX_S: Final = 600
"""The Job controller's, doubling with each failure, from the last pod's end (its source; the documentation
of Jobs says 6 minutes). It forgets its count when it is restarted."""

FAILED_CREATE: Final = "FailedCreate"
SUCCESSFUL_CREATE: Final = "SuccessfulCreate"
PREPARED: Final = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""Events of a pod that has its volumes and its network."""
TROUBLES: Final[Mapping[str, WaitReason]] = {
    "FailedMount": WaitReason.FAILED_MOUNT,
    "FailedMapVolume": WaitReason.FAILED_MOUNT,
    "FailedAttachVolume": WaitReason.FAILED_ATTACH_VOLUME,
    "FailedCreatePodSandBox": WaitReason.FAILED_CREATE_POD_SANDBOX,
    "NetworkNotReady": WaitReason.FAILED_CREATE_POD_SANDBOX,
}
SUMMARY: Final = "Unable to attach or mount volumes"
"""An Event that alternates with one that says why."""

NEVER_RIGHT: Final = frozenset({
    WaitReason.IMAGE_PULL_BACK_OFF,
    WaitReason.INVALID_IMAGE_NAME,
    WaitReason.ERR_IMAGE_NEVER_PULL,
    WaitReason.IMAGE_INSPECT_ERROR,
    WaitReason.CREATE_CONTAINER_CONFIG_ERROR,
    WaitReason.CREATE_CONTAINER_ERROR,
    WaitReason.RUN_CONTAINER_ERROR,
})  # fmt: skip
NEVER_RIGHT_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    WaitReason.FAILED_MOUNT: ("not found", "references non-existent"),
    WaitReason.FAILED_CREATE: (
        "must specify",
        "usage per ",  # of a LimitRange
        "violates PodSecurity",
        "error looking up service account",
        "no PriorityClass with name",
        "is invalid: ",
    ),
}
"""What of these waits is somebody's mistake; a full quota or an unreachable webhook comes right by itself."""

IMAGE_PREFIX: Final = re.compile(r'^Back-off pulling image "[^"]*": (?:ErrImagePull: )?(?=.)')
AGGREGATE: Final = "(combined from similar events): "
CREATE_PREFIXES: Final = (AGGREGATE, "Error creating: ", "Internal error occurred: ")
POD_NAME: Final = re.compile(r'^pods "[^"]*" is forbidden')


SECONDS: Final = UsualStarts()
"""Starts take seconds."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a department does not go on."""

    reason: str
    """A `WaitReason`, or another word of Kubernetes."""
    message: str = ""

    @property
    def is_permanent(self) -> bool:
        """Return whether it never comes right by itself."""
        words = NEVER_RIGHT_WORDS.get(self.reason, ())
        return self.reason in NEVER_RIGHT or any(word in self.message for word in words)


def wait_of(
    job: JobFacts | None,
    pods: Sequence[PodFacts],
    now: datetime,
    events: Sequence[ObjectEvent] = (),
    usual: UsualStarts = SECONDS,
) -> Wait | None:
    """Return what a department waits for; None while it works, or while waiting is a matter of seconds.

    `pods` are all of the department's, the oldest first; `events` are of its Job and pods, the newest last.
    """
    if job is not None and job.is_suspended:
        # Our own suspension is the run's to say, or about to be taken back.
        return None if job.is_suspended_by_us else _suspended(job, now)
    pod = _standing(pods)
    if pod is not None:
        return _of_pod(pod, now, events, usual)
    if job is None or job.is_finished or job.is_terminating:
        return None
    return _without_pods(job, [p for p in pods if p.job_name == job.name], now, events, usual)


def stuck_jobs(snapshot: RunSnapshot) -> set[str]:
    """Return the names of the Jobs that wait for what never comes right by itself."""
    return {
        name
        for name, job in snapshot.jobs.items()
        if not (job.is_finished or job.is_terminating)
        and (wait := wait_of(job, _of_job(snapshot.pods, name), snapshot.now, _events(snapshot, name)))
        and wait.is_permanent
    }


def unexplained(snapshot: RunSnapshot) -> list[str]:
    """Return the names of Jobs and pods that wait and of which only their Events say why."""
    found: list[str] = []
    for name, job in snapshot.jobs.items():
        if job.is_finished or job.is_terminating or job.is_suspended:
            continue
        pod = _standing(_of_job(snapshot.pods, name))
        if pod is None:
            wait = wait_of(job, _of_job(snapshot.pods, name), snapshot.now)
            found += [name] if wait is not None and wait.reason == WaitReason.NO_POD else []
        elif (
            pod.phase == "Pending"
            and pod.node
            and not (pod.reason or pod.started)
            and _age_s(pod, snapshot.now) > SLOW_START_S
        ):
            found.append(pod.name)
    return found


def backoff_end(pods: Sequence[PodFacts], failed_pods: int) -> datetime | None:
    """Return about when a Job starts its next pod after these; None if none has failed.

    `failed_pods` is the Job's own count, which knows of pods that are gone.
    """
    failed = [p for p in pods if p.phase == "Failed"]
    ended = _moment(failed[-1].ended or failed[-1].created) if failed else None
    if ended is None:
        return None
    doublings = min(max(len(failed), failed_pods, 1) - 1, 6)
    return ended + timedelta(seconds=min(JOB_BACKOFF_S * 2**doublings, JOB_BACKOFF_MAX_S))


def last_end(pods: Sequence[PodFacts]) -> Wait | None:
    """Return why the newest attempt that has ended did, in the worker's words if it left any."""
    for pod in reversed(pods):
        if pod.phase != "Failed":
            continue
        if pod.result is None:
            return Wait(pod.reason, pod.message)
        # A fenced pod was overtaken by the one at work: its end says nothing about the department.
        if pod.result.reason is not StopReason.FENCED:
            return Wait(pod.result.reason, pod.result.message)
    return None


def ended_with(end: Wait) -> str:
    """Return how an attempt ended, as half a sentence."""
    words = f": {end.message}" if end.message else ""
    return f"the last attempt ended with {end.reason or 'an error'}{words}"


def condense(text: str, length: int) -> str:
    """Return the text in one line of at most `length` characters, its end kept: it often says why."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    tail = (length - 3) * 2 // 5
    return f"{line[: length - 3 - tail]} … {line[len(line) - tail :]}" if tail > 0 else line[:length]


def _standing(pods: Sequence[PodFacts]) -> PodFacts | None:
    """Return the newest pod that has not ended and was not given up."""
    return next(
        (
            p
            for p in reversed(pods)
            if not (p.is_gone or p.is_given_up) and p.phase not in {"Succeeded", "Failed"}
        ),
        None,
    )


# --- a Job


def _suspended(job: JobFacts, now: datetime) -> Wait | None:
    condition = _condition(job.conditions, "Suspended")
    is_said = condition is not None and condition.status == "True"
    since = _moment(condition.since if condition is not None and is_said else job.created)
    if since is not None and (now - since).total_seconds() < SLOW_START_S:
        return None
    return Wait(
        WaitReason.SUSPENDED,
        f"Job {job.name} is suspended, by a queue such as Kueue or by hand (spec.suspend)",
    )


def _without_pods(
    job: JobFacts, pods: Sequence[PodFacts], now: datetime, events: Sequence[ObjectEvent], usual: UsualStarts
) -> Wait | None:
    if any(c.type != "Suspended" for c in job.conditions):
        # It is about to end.
        return None
    until = backoff_end(pods, job.failed_pods)
    if until is not None and now < until:
        return _backing_off(pods, until, now)
    refused = _refused(job, events)
    if refused is not None:
        return refused
    resumed = _condition(job.conditions, "Suspended")
    begun = (_moment(job.created), until, _moment(resumed.since) if resumed is not None else None)
    since = max(filter(None, begun), default=None)
    if since is None or (now - since).total_seconds() < _slow_s(SLOW_START_S, usual.job_s):
        return None
    return Wait(WaitReason.NO_POD, f"Job {job.name} has made no pod yet")


def _backing_off(pods: Sequence[PodFacts], until: datetime, now: datetime) -> Wait | None:
    end, ended = last_end(pods), _moment(pods[-1].ended)
    if ended is not None and (now - ended).total_seconds() < SETTLING_S:
        return None
    words = f"the next attempt begins at about {until:%H:%M:%S} UTC"
    return Wait(WaitReason.BACKING_OFF, f"{words}; {ended_with(end)}" if end is not None else words)


def _refused(job: JobFacts, events: Sequence[ObjectEvent]) -> Wait | None:
    """Return why the Job's pod was refused, unless one was made after that."""
    own = [e for e in events if e.object_name == job.name and e.reason in {FAILED_CREATE, SUCCESSFUL_CREATE}]
    if not own or own[-1].reason != FAILED_CREATE:
        return None
    message = own[-1].message
    for prefix in CREATE_PREFIXES:
        message = message.removeprefix(prefix)
    # The pod's name is another one each time.
    return Wait(WaitReason.FAILED_CREATE, POD_NAME.sub("the pod is forbidden", message))


# --- a pod


def _of_pod(pod: PodFacts, now: datetime, events: Sequence[ObjectEvent], usual: UsualStarts) -> Wait | None:
    is_overdue = pod.is_terminating and _is_overdue(pod, now)
    if _is_node_lost(pod, is_overdue=is_overdue):
        return Wait(
            WaitReason.NODE_LOST,
            f"node {pod.node or '?'} does not answer; pod {pod.name} is given up a while after its last sign "
            "of life (GATHER_NODE_LOST_S), and another Job goes on from the checkpoint",
        )
    if pod.is_lingering:
        code = f" with exit code {pod.exit_code}" if pod.exit_code is not None else ""
        words = (
            f"the worker of pod {pod.name} has ended{code}, another container keeps it running; it is ended"
        )
        return Wait(WaitReason.SIDECAR_RUNNING, words)
    if pod.is_terminating:
        where = f" on node {pod.node}" if pod.node else ""
        words = f"pod {pod.name}{where} was to end by {_clock(pod.deletion_time)} and still stands"
        return Wait(WaitReason.TERMINATING, words) if is_overdue else None
    # A pod is Pending as long as one of its containers waits, though its worker may be at work.
    return _pending(pod, now, events, usual) if pod.phase == "Pending" and not pod.started else None


def _is_overdue(pod: PodFacts, now: datetime) -> bool:
    until = _moment(pod.deletion_time)
    return until is None or (now - until).total_seconds() > SETTLING_S


def _is_node_lost(pod: PodFacts, *, is_overdue: bool) -> bool:
    """Return whether its node has gone silent, as the pod itself shows it.

    The node's controller takes Ready from it without giving a reason, which the kubelet always does; later it
    has the pod deleted, which nobody carries out.
    """
    if pod.phase == "Unknown" or pod.reason == WaitReason.NODE_LOST:
        return True
    if pod.phase != "Running" or pod.exit_code is not None:
        return False
    ready, disrupted = _condition(pod.conditions, "Ready"), _condition(pod.conditions, "DisruptionTarget")
    is_evicted = disrupted is not None and disrupted.reason == "DeletionByTaintManager"
    return (ready is not None and not ready.reason) or (is_overdue and is_evicted)


def _pending(pod: PodFacts, now: datetime, events: Sequence[ObjectEvent], usual: UsualStarts) -> Wait | None:
    age_s = _age_s(pod, now)
    if age_s < SLOW_START_S:
        return None
    if pod.reason:
        return _named(pod)
    own = [e for e in events if e.object_name == pod.name]
    prepared = max((i for i, e in enumerate(own) if e.reason in PREPARED), default=-1)
    troubles = [e for e in own[prepared + 1 :] if e.reason in TROUBLES]
    if troubles:
        telling = [e for e in troubles if not e.message.startswith(SUMMARY)] or troubles
        return Wait(TROUBLES[telling[-1].reason], telling[-1].message)
    if not pod.waiting_since or age_s < _slow_s(SLOW_IMAGE_S, usual.pod_s):
        return None
    if not pod.node:
        return Wait(WaitReason.UNSCHEDULABLE, "no scheduler has looked at the pod yet")
    where = f"node {pod.node} is preparing pod {pod.name}"
    return Wait(WaitReason.CONTAINER_CREATING, f"{where}: {own[-1].message}" if own else where)


def _named(pod: PodFacts) -> Wait:
    """Return the wait for which the pod itself has a word."""
    reason, message = pod.reason, pod.message
    if reason in {"ErrImagePull", WaitReason.IMAGE_PULL_BACK_OFF}:
        # The two alternate, and the second repeats the first.
        return Wait(WaitReason.IMAGE_PULL_BACK_OFF, IMAGE_PREFIX.sub("", message))
    if reason == WaitReason.UNSCHEDULABLE:
        message = message.partition(" preemption:")[0]
    return Wait(reason, message)


# --- small things


def _slow_s(least_s: float, usual_s: float) -> float:
    """Return from when on a start is slow: at the earliest after `least_s`."""
    return max(least_s, min(USUAL_FACTOR * usual_s, USUAL_MAX_S))


def _of_job(pods: Iterable[PodFacts], job_name: str) -> list[PodFacts]:
    return [p for p in pods if p.job_name == job_name]


def _events(snapshot: RunSnapshot, job_name: str) -> list[ObjectEvent]:
    objects = {job_name, *(p.name for p in _of_job(snapshot.pods, job_name))}
    return [e for e in snapshot.events if e.object_name in objects]


def _condition(conditions: Iterable[ConditionFacts], kind: str) -> ConditionFacts | None:
    return next((c for c in conditions if c.type == kind), None)


def _age_s(pod: PodFacts, now: datetime) -> float:
    """Return for how long it has waited; forever if that is not said."""
    since = _moment(pod.waiting_since)
    return float("inf") if since is None else (now - since).total_seconds()


def _moment(text: str) -> datetime | None:
    """Return the moment of an RFC 3339 time stamp; None for what is none, or has no time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _clock(text: str) -> str:
    moment = _moment(text)
    return f"{moment:%H:%M:%S} UTC" if moment is not None else "now"
