"""Kubernetes objects, as JSON, into facts; the last place that knows their form.

What is missing or of another type than Kubernetes documents reads as not said: an object that somebody bent
must not end a watch.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gather_contracts import names
from gather_contracts.reasons import EndReason
from gather_contracts.result import DepartmentResult, decode_result
from gather_operator.decisions.facts import ConditionFacts, JobFacts, ObjectEvent, PodFacts
from gather_operator.decisions.manifests import CONTAINER
from gather_operator.run_cache import RunVersion

ORDINARY_WAITS: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Not shown in the status: every pod passes through them."""
REASON_MAX: Final = 64
MESSAGE_MAX: Final = 1024
"""Kubernetes' own limit for an Event's. What cannot be pulled or refused often says why at its end."""
TIME_MAX: Final = 40
JOB_CONDITIONS: Final = {
    "Suspended": ("True", "False"),
    "FailureTarget": ("True",),
    "Failed": ("True",),
    "SuccessCriteriaMet": ("True",),
}
"""Those that are kept, with the values that say something."""
POD_CONDITIONS: Final = {
    "PodScheduled": ("False", "Unknown"),
    "Ready": ("False", "Unknown"),
    "DisruptionTarget": ("True",),
}
ENDED_POD_CONDITIONS: Final = {"DisruptionTarget": ("True",)}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """That an object of a run exists."""

    name: str
    run_uid: str
    resource_version: str = field(default="", compare=False)


def object_facts(body: Json) -> ObjectFacts:
    """Return the facts of an object of which only the metadata is known."""
    metadata = as_map(body.get("metadata"))
    labels = as_map(metadata.get("labels"))
    return ObjectFacts(
        as_text(metadata.get("name")),
        _label(labels, names.LABEL_RUN_UID),
        as_text(metadata.get("resourceVersion")),
    )


def run_version(body: Json) -> RunVersion:
    """Return which version of a GatherRun there is, from its metadata alone."""
    metadata = as_map(body.get("metadata"))
    generation = metadata.get("generation")
    return RunVersion(
        name=as_text(metadata.get("name")),
        run_uid=as_text(metadata.get("uid")),
        resource_version=as_text(metadata.get("resourceVersion")),
        generation=generation if isinstance(generation, int) else 1,
        is_being_deleted=bool(metadata.get("deletionTimestamp")),
        is_ended=as_map(metadata.get("labels")).get(names.LABEL_ENDED) == "true",
    )


def job_facts(job: Json) -> JobFacts:
    """Return the facts of a Job."""
    metadata, status = as_map(job.get("metadata")), as_map(job.get("status"))
    true = {as_text(c.get("type")): c for c in as_maps(status.get("conditions")) if c.get("status") == "True"}
    failed, labels = status.get("failed"), as_map(metadata.get("labels"))
    return JobFacts(
        name=as_text(metadata.get("name")),
        run_uid=_label(labels, names.LABEL_RUN_UID),
        department_index=_number(labels, names.LABEL_DEPARTMENT_INDEX, -1),
        iterations=_number(labels, names.LABEL_ITERATIONS, 0),
        is_terminating=bool(metadata.get("deletionTimestamp")),
        is_complete="Complete" in true,
        is_failed="Failed" in true,
        failure_reason=_word(as_map(true.get("Failed")).get("reason")),
        is_suspended=as_map(job.get("spec")).get("suspend") is True,
        is_suspended_by_us=names.ANNOTATION_SUSPENDED in as_map(metadata.get("annotations")),
        is_queued=bool(_label(labels, names.LABEL_QUEUE)),
        conditions=_conditions(status, JOB_CONDITIONS),
        created=_time(metadata.get("creationTimestamp")),
        failed_pods=failed if isinstance(failed, int) else 0,
        resource_version=as_text(metadata.get("resourceVersion")),
    )


def pod_facts(pod: Json) -> PodFacts:
    """Return the facts of a pod, with its result once its worker has ended."""
    metadata, status = as_map(pod.get("metadata")), as_map(pod.get("status"))
    containers = as_maps(status.get("containerStatuses"))
    worker = next((as_map(c.get("state")) for c in containers if c.get("name") == CONTAINER), {})
    others = [as_map(c.get("state")) for c in containers if c.get("name") != CONTAINER]
    before = [as_map(c.get("state")) for c in as_maps(status.get("initContainerStatuses"))]
    begun, ended = as_map(worker.get("terminated") or worker.get("running")), as_map(worker.get("terminated"))
    phase = sys.intern(as_text(status.get("phase")) or "Pending")
    exit_code, labels = ended.get("exitCode"), as_map(metadata.get("labels"))
    # That an ended pod is not ready says nothing, and most pods that are kept have ended.
    kept = ENDED_POD_CONDITIONS if phase in {"Succeeded", "Failed"} else POD_CONDITIONS
    reason, message = _reason(status, [worker, *others, *before])
    if reason == EndReason.OOM_KILLED and (limit := _memory_limit(pod)):
        message = f"the memory limit is {limit}"
    return PodFacts(
        name=as_text(metadata.get("name")),
        run_uid=_label(labels, names.LABEL_RUN_UID),
        job_name=_label(labels, "batch.kubernetes.io/job-name") or _label(labels, "job-name"),
        department_index=_number(labels, names.LABEL_DEPARTMENT_INDEX, -1),
        phase=phase,
        is_terminating=bool(metadata.get("deletionTimestamp")),
        result=_result(ended),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        # Sidecars among the init containers are not counted: the kubelet ends those after the worker.
        # A pod stays Pending where another container cannot begin.
        is_lingering=phase in {"Running", "Pending"}
        and bool(ended)
        and any("terminated" not in o for o in others),
        created=_time(metadata.get("creationTimestamp")),
        started=_time(begun.get("startedAt")),
        ended=_time(ended.get("finishedAt")),
        reason=reason,
        message=message,
        waiting_since="" if begun else _waiting_since(metadata, status),
        deletion_time=_time(metadata.get("deletionTimestamp")),
        node=sys.intern(as_text(as_map(pod.get("spec")).get("nodeName"))),
        conditions=_conditions(status, kept),
        resource_version=as_text(metadata.get("resourceVersion")),
    )


def object_event(event: Json) -> ObjectEvent:
    """Return an Event about an object; where it is repeated, its newest time stands elsewhere."""
    series, metadata = as_map(event.get("series")), as_map(event.get("metadata"))
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        metadata.get("creationTimestamp"),
    )
    return ObjectEvent(
        object_name=as_text(as_map(event.get("involvedObject")).get("name")),
        reason=_word(event.get("reason")),
        message=_message(event.get("message")),
        at=next((_time(t) for t in times if t), ""),
    )


def _result(ended: Json) -> DepartmentResult | None:
    """Return what the worker left as its termination message, if it can be read."""
    message = as_text(ended.get("message"))
    return decode_result(message) if message else None


def _reason(status: Json, states: Iterable[Json]) -> tuple[str, str]:
    """Return why a pod failed or what it waits for, and what Kubernetes says to that.

    The pod's own reason (Evicted, DeadlineExceeded) comes first, then its containers' in the order given,
    then its scheduler's. A container's termination message is not shown: the worker's is its result.
    """
    if own := _word(status.get("reason")):
        return own, _message(status.get("message"))
    for state in states:
        ended, waiting = as_map(state.get("terminated")), as_map(state.get("waiting"))
        if (why := _word(ended.get("reason"))) not in {"", "Completed"}:
            return why, ""
        if (why := _word(waiting.get("reason"))) not in ORDINARY_WAITS:
            return why, _message(waiting.get("message"))
    for c in as_maps(status.get("conditions")):
        if c.get("type") == "PodScheduled" and c.get("status") == "False":
            return _word(c.get("reason")), _message(c.get("message"))
    return "", ""


def _memory_limit(pod: Json) -> str:
    """Return the limit of the worker's memory, as its pod has it."""
    for container in as_maps(as_map(pod.get("spec")).get("containers")):
        if container.get("name") == CONTAINER:
            return _word(as_map(as_map(container.get("resources")).get("limits")).get("memory"))
    return ""


def _waiting_since(metadata: Json, status: Json) -> str:
    """Return since when a pod waits for a node or, once it has one, for its worker to begin."""
    for condition in as_maps(status.get("conditions")):
        if condition.get("type") == "PodScheduled":
            return _time(condition.get("lastTransitionTime"))
    return _time(metadata.get("creationTimestamp"))


def _conditions(status: Json, kept: Mapping[str, tuple[str, ...]]) -> tuple[ConditionFacts, ...]:
    found = [c for c in as_maps(status.get("conditions")) if as_text(c.get("type")) in kept]
    return (
        ()
        if not found
        else tuple(
            ConditionFacts(
                type=sys.intern(as_text(c.get("type"))),
                status=sys.intern(as_text(c.get("status"))),
                reason=_word(c.get("reason")),
                message=_message(c.get("message")),
                since=_time(c.get("lastTransitionTime")),
            )
            for c in found
            if c.get("status") in kept[c["type"]]
        )
    )


def _label(labels: Json, key: str) -> str:
    """Return a label's value; those of one run are kept in memory once."""
    return sys.intern(as_text(labels.get(key)))


def _number(labels: Json, key: str, default: int) -> int:
    text = as_text(labels.get(key))
    return int(text) if text.isascii() and text.isdecimal() else default


def as_map(value: Any) -> dict[str, Any]:
    """Return an object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_maps(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of JSON."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Return a text of JSON; "" for anything else."""
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str:
    return sys.intern(as_text(value)[:REASON_MAX])


def _message(value: Any) -> str:
    return as_text(value)[:MESSAGE_MAX]


def _time(value: Any) -> str:
    return as_text(value)[:TIME_MAX]
