"""Kubernetes Events for a run's transitions: what `kubectl describe` shows of its past. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gather_contracts import names
from gather_contracts.reasons import ConditionType, DepartmentPhase, Reason, RunPhase, WaitReason
from gather_contracts.resource import DepartmentStatus, GatherRun, GatherRunStatus

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
MESSAGE_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class KubeEvent:
    """One Event: what happened, as a reason and as a sentence."""

    reason: str
    message: str
    kind: str = NORMAL


def events_between(before: GatherRunStatus, after: GatherRunStatus) -> list[KubeEvent]:
    """Return the Events for the way from one written status to the next, in the order of what happened."""
    known = {d.slug: d for d in before.departments}
    found = [
        *_acceptance(before, after),
        *(n for d in after.departments for n in _department(known.get(d.slug), d)),
        *_refusal(before, after),
        *_end(before, after),
    ]
    return [KubeEvent(n.reason, n.message[:MESSAGE_MAX], n.kind) for n in found]


def build_event(run: GatherRun, event: KubeEvent, now: datetime | None = None) -> dict[str, Any]:
    """Return the Event's manifest."""
    moment = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = run.metadata
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata.name[:200]}.", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "reason": event.reason,
        "message": event.message,
        "type": event.kind,
        "source": {"component": names.MANAGED_BY},
        "reportingComponent": names.MANAGED_BY,
        "reportingInstance": "",
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def _acceptance(before: GatherRunStatus, after: GatherRunStatus) -> list[KubeEvent]:
    old, new = (
        {c.type: c for c in status.conditions}.get(ConditionType.ACCEPTED) for status in (before, after)
    )
    if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
        return []
    return [KubeEvent(new.reason, new.message, NORMAL if new.status == "True" else WARNING)]


def _department(before: DepartmentStatus | None, after: DepartmentStatus) -> list[KubeEvent]:
    old = before.phase if before is not None else DepartmentPhase.PENDING
    found: list[KubeEvent] = []
    has_started = after.job_name and (before is None or before.job_name != after.job_name)
    if has_started:
        found.append(KubeEvent("DepartmentStarted", f"Job {after.job_name} works on {after.slug}."))
    if after.phase is DepartmentPhase.RUNNING:
        return [*found, *_wait(before, after)]
    if after.phase is old:
        return found
    numbers = f"{after.items_created} items, {after.iterations} iterations, quality {after.quality_score:g}"
    why = f" {after.message}" if after.message else ""
    match after.phase:
        case DepartmentPhase.SUCCEEDED:
            succeeded = f"{after.slug}: {after.reason}; {numbers}.{why}"
            found.append(KubeEvent("DepartmentSucceeded", succeeded))
        case DepartmentPhase.FAILED:
            failed = f"{after.slug}: {after.reason}; {numbers}.{why}"
            found.append(KubeEvent("DepartmentFailed", failed, WARNING))
        case DepartmentPhase.SKIPPED:
            found.append(KubeEvent("DepartmentSkipped", f"{after.slug}: {after.reason}.", WARNING))
        case _:
            pass
    return found


def _wait(before: DepartmentStatus | None, after: DepartmentStatus) -> list[KubeEvent]:
    """Return the Event for what a department has begun to wait for, or for how its last attempt ended."""
    old = before.reason if before is not None else ""
    # What the next attempt follows on was said while it was waited for.
    if not after.reason or old in {after.reason, WaitReason.BACKING_OFF}:
        return []
    return [KubeEvent(after.reason, f"{after.slug}: {after.message or after.reason}", WARNING)]


def _refusal(before: GatherRunStatus, after: GatherRunStatus) -> list[KubeEvent]:
    """Return the Event for a Job, or what it needs, that Kubernetes has begun to refuse."""
    old, new = (
        {c.type: c for c in status.conditions}.get(ConditionType.PROGRESSING) for status in (before, after)
    )
    if new is None or new.reason != Reason.JOB_REFUSED or (old is not None and old.reason == new.reason):
        return []
    return [KubeEvent(new.reason, new.message, WARNING)]


def _end(before: GatherRunStatus, after: GatherRunStatus) -> list[KubeEvent]:
    if after.phase is before.phase:
        return []
    if after.phase is RunPhase.SUSPENDED:
        return [KubeEvent("Suspended", "spec.suspend is true: what is at work saves and ends.")]
    if before.phase is RunPhase.SUSPENDED and after.phase in {RunPhase.PENDING, RunPhase.RUNNING}:
        return [KubeEvent("Resumed", "spec.suspend is false: the run goes on from its checkpoints.")]
    if after.phase is RunPhase.CANCELLING:
        return [KubeEvent("Cancelling", "Stopping the pods; what they made is kept.")]
    if not after.phase.is_final:
        return []
    condition = {c.type: c for c in after.conditions}.get(ConditionType.SUCCEEDED)
    message = condition.message if condition is not None else ""
    return [KubeEvent(after.phase, message, WARNING if after.phase is RunPhase.FAILED else NORMAL)]
