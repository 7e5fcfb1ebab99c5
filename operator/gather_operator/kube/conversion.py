"""Kubernetes objects into facts; the last place that knows their types."""

from datetime import UTC, datetime
from typing import Final

from lightkube.models.core_v1 import ContainerStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from gather_contracts import names
from gather_contracts.result import DepartmentResult, decode_result
from gather_operator.decisions.facts import JobFacts, PodFacts

ORDINARY_WAITS: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Not shown in the status: every pod passes through them."""


def job_facts(job: Job) -> JobFacts:
    """Return the facts of a Job."""
    metadata = job.metadata or ObjectMeta()
    conditions = {
        c.type: c for c in (job.status.conditions if job.status else None) or [] if c.status == "True"
    }
    failed = conditions.get("Failed")
    return JobFacts(
        name=metadata.name or "",
        run_uid=_label(metadata, names.LABEL_RUN_UID),
        department_index=_number(metadata, names.LABEL_DEPARTMENT_INDEX, -1),
        iterations=_number(metadata, names.LABEL_ITERATIONS, 0),
        is_terminating=metadata.deletionTimestamp is not None,
        is_complete="Complete" in conditions,
        is_failed=failed is not None,
        failure_reason=(failed.reason or "")[:64] if failed is not None else "",
        failed_pods=(job.status.failed or 0) if job.status else 0,
        resource_version=metadata.resourceVersion or "",
    )


def pod_facts(pod: Pod) -> PodFacts:
    """Return the facts of a pod, with its result once its container has ended."""
    metadata = pod.metadata or ObjectMeta()
    status = pod.status
    containers = (status.containerStatuses if status else None) or []
    return PodFacts(
        name=metadata.name or "",
        run_uid=_label(metadata, names.LABEL_RUN_UID),
        job_name=_label(metadata, "batch.kubernetes.io/job-name") or _label(metadata, "job-name"),
        department_index=_number(metadata, names.LABEL_DEPARTMENT_INDEX, -1),
        phase=(status.phase if status else None) or "Pending",
        is_terminating=metadata.deletionTimestamp is not None,
        result=_result(containers),
        created=_text(metadata.creationTimestamp),
        started=_moment(containers, "startedAt"),
        ended=_moment(containers, "finishedAt"),
        reason=_reason(pod, containers)[:64],
        resource_version=metadata.resourceVersion or "",
    )


def _label(metadata: ObjectMeta, key: str) -> str:
    return str((metadata.labels or {}).get(key, ""))


def _number(metadata: ObjectMeta, key: str, default: int) -> int:
    text = _label(metadata, key)
    return int(text) if text.isdecimal() else default


def _text(moment: datetime | str | None) -> str:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).isoformat()
    return moment or ""


def _moment(containers: list[ContainerStatus], name: str) -> str:
    """Return when the container began or ended, as far as it has."""
    for container in containers:
        state = container.state
        found = (state.terminated or state.running) if state else None
        return _text(getattr(found, name, None))
    return ""


def _result(containers: list[ContainerStatus]) -> DepartmentResult | None:
    for container in containers:
        ended = container.state.terminated if container.state else None
        if ended is not None and ended.message:
            return decode_result(ended.message)
    return None


def _reason(pod: Pod, containers: list[ContainerStatus]) -> str:
    """Return the pod's own reason (Evicted, DeadlineExceeded), its container's, or its scheduler's."""
    if pod.status is not None and pod.status.reason:
        return pod.status.reason
    for container in containers:
        state = container.state
        if state and state.terminated and state.terminated.reason not in {None, "Completed"}:
            return state.terminated.reason or ""
        if state and state.waiting and state.waiting.reason not in ORDINARY_WAITS:
            return state.waiting.reason or ""
    conditions = (pod.status.conditions if pod.status else None) or []
    return next((c.reason or "" for c in conditions if c.type == "PodScheduled" and c.status == "False"), "")
