"""Kubernetes' Job controller and garbage collector, as far as a department's Job needs them.

One pod at a time, replaced once it has failed; exponential back-off; the rules of `podFailurePolicy`; the
Complete and Failed conditions, the former a second or two after the pod.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from tests.support.simulation.cluster.kube_in_memory import (
    DOCUMENTS,
    JOBS,
    PODS,
    RUNS,
    ApiServer,
    Object,
    now_text,
)
from tests.support.simulation.virtual_time import monotonic

SYNC_S: Final = (0.02, 0.2)
COMPLETE_S: Final = (0.8, 2.0)
BACKOFF_FIRST_S: Final = 10.0
BACKOFF_LAST_S: Final = 600.0
COLLECT_S: Final = (0.1, 1.0)
NEVER: Final = 64
"""The exit code for which `podFailurePolicy` fails the Job."""
ENDED: Final = frozenset({"Succeeded", "Failed"})


class JobController:
    """Works on Jobs whenever they or their pods change."""

    def __init__(self, server: ApiServer, draw: Callable[[float, float], float]) -> None:
        self._server, self._draw = server, draw
        self._due: set[str] = set()
        self._counted: dict[str, dict[str, bool]] = {}
        """By Job's uid: pods that have ended, and whether they count as failures."""
        self._not_before_s: dict[str, float] = {}
        self._pods = 0
        self._succeeded: set[str] = set()
        """Jobs' uids of which a pod has succeeded, be it there or not."""
        self.failed: dict[str, str] = {}
        """Jobs that have failed for good, by name, with the reason."""
        server.listeners.append(self._on_change)

    def _on_change(self, kind: str, change: str, before: Object | None, after: Object | None) -> None:
        found = after or before or {}
        if kind == PODS:
            self._note_end(after)
            self._later(SYNC_S, self._owner_of(found))
        elif kind == JOBS and change == "DELETED":
            self._collect(found["metadata"]["uid"])
        elif kind == JOBS:
            self._later(SYNC_S, found["metadata"]["name"])
        elif kind == RUNS and change == "DELETED":
            self._collect(found["metadata"]["uid"])

    def _later(self, span_s: tuple[float, float], job: str) -> None:
        self._at(self._draw(*span_s), job)

    def _at(self, delay_s: float, job: str) -> None:
        key = f"{job}@{delay_s > 1}"
        if job and key not in self._due:
            self._due.add(key)
            asyncio.get_running_loop().call_later(delay_s, self._sync_due, key, job)

    def _sync_due(self, key: str, job: str) -> None:
        self._due.discard(key)
        found = self._server.get(JOBS, job)
        if found is not None and not found["status"].get("conditions"):
            self._sync(found)

    # --- one Job

    def _sync(self, job: Object) -> None:
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        pods = [p for p in self._server.objects[PODS].values() if _owner(p) == uid]
        counted = self._counted.setdefault(uid, {})
        failures = sum(counted.values())
        if uid in self._succeeded:
            loop = asyncio.get_running_loop()
            loop.call_later(self._draw(*COMPLETE_S), self._conclude, name, uid, "Complete", "")
            return
        if failures != job["status"].get("failed", 0):
            self._server.put(JOBS, name, status={**job["status"], "failed": failures})
        if reason := self._failure(job, pods, failures):
            self._conclude(name, uid, "Failed", reason)
        elif job["spec"].get("suspend"):
            self._suspend(pods)
        elif all(p["status"]["phase"] in ENDED for p in pods):
            self._replace(job)

    @staticmethod
    def _failure(job: Object, pods: list[Object], failures: int) -> str:
        """Return why the Job has failed, "" if it has not."""
        if any(_exit_code(p) == NEVER for p in pods):
            return "PodFailurePolicy"
        return "BackoffLimitExceeded" if failures > job["spec"]["backoffLimit"] else ""

    def _suspend(self, pods: list[Object]) -> None:
        """Let the pods of a suspended Job end."""
        for pod in pods:
            if pod["status"]["phase"] not in ENDED:
                self._server.delete(PODS, pod["metadata"]["name"])

    def _replace(self, job: Object) -> None:
        """Make the next pod, once its back-off is over."""
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        left_s = self._not_before_s.get(uid, 0.0) - monotonic()
        if left_s > 0:
            self._at(left_s + 0.01, name)
            return
        self._pods += 1
        template, owner = job["spec"]["template"], {"kind": "Job", "name": name, "uid": uid}
        labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
        metadata = {"name": f"{name}-{self._pods:04x}", "labels": labels, "ownerReferences": [owner]}
        self._server.create(
            PODS, {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}}
        )

    def _conclude(self, name: str, uid: str, kind: str, reason: str) -> None:
        job = self._server.get(JOBS, name)
        if job is None or job["metadata"]["uid"] != uid or job["status"].get("conditions"):
            return
        if kind == "Failed":
            self.failed[name] = reason
        condition = {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now_text()}
        self._server.put(JOBS, name, status={**job["status"], "conditions": [condition]})

    def _note_end(self, pod: Object | None) -> None:
        """Count a failure once, and begin its back-off."""
        if pod is not None and pod["status"]["phase"] == "Succeeded":
            self._succeeded.add(_owner(pod))
        if pod is None or pod["status"]["phase"] != "Failed":
            return
        uid, name = _owner(pod), pod["metadata"]["name"]
        counted = self._counted.setdefault(uid, {})
        if name in counted:
            return
        is_disrupted = any(c["type"] == "DisruptionTarget" for c in pod["status"].get("conditions", []))
        counted[name] = not is_disrupted
        failures = sum(counted.values())
        wait_s = min(BACKOFF_FIRST_S * 2 ** max(0, failures - 1), BACKOFF_LAST_S) if failures else 0.0
        self._not_before_s[uid] = monotonic() + wait_s

    # --- garbage

    def _collect(self, owner_uid: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._draw(*COLLECT_S), self._collect_now, owner_uid)

    def _collect_now(self, owner_uid: str) -> None:
        for kind in (JOBS, DOCUMENTS, PODS):
            for name, found in list(self._server.objects[kind].items()):
                if _owner(found) == owner_uid:
                    self._server.delete(kind, name)

    def _owner_of(self, pod: Object) -> str:
        owners = pod["metadata"].get("ownerReferences") or [{}]
        return str(owners[0].get("name", ""))


def _owner(found: Object) -> str:
    owners = found["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _exit_code(pod: Object) -> Any:
    statuses = pod["status"].get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("terminated", {}).get("exitCode")
