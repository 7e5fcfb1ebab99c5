"""Plays the pods of one namespace: what a scheduler, a kubelet and a worker would make of them.

A pod is bound, runs, and ends with a worker's result as its termination message. One that is deleted ends as
a worker does on SIGTERM, and goes; on a dead node it stays forever.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gather_clients.background_tasks import end_tasks
from gather_contracts import names
from gather_contracts.result import DepartmentResult, ExitCode, StopReason, encode_result
from tests.support.kubernetes.plain_api import CORE, PlainApi, Unwanted, in_namespace

Json = dict[str, Any]
NODE: Final = "played"
BEGIN_S: Final = 0.05
WORK_S: Final = 0.25
CONTAINER: Final = "worker"


@dataclass(frozen=True, slots=True)
class Part:
    """What one pod does."""

    result: DepartmentResult
    exit_code: int = ExitCode.DONE
    works_on: bool = False
    """It ends only when it is deleted, or when all are let end."""
    is_on_dead_node: bool = False


Casting = Callable[[str, int, int], Part]
"""The part of a pod, by its run's name, its department's place and its own number, from 1."""


@dataclass
class PodPlayer:
    """Plays pods as their events come in."""

    api: PlainApi
    namespace: str
    casting: Casting
    at_work: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By run, the pods whose worker runs now."""
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    """Pods that work on end once this is set."""
    overlaps: list[str] = field(default_factory=list)
    """Moments at which a department had two pods at work."""
    _dead: list[str] = field(default_factory=list)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: set[str] = field(default_factory=set)
    _numbers: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _begun: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, Part] = field(default_factory=dict)

    def note(self, change: str, pod: Json) -> None:
        """Take in one event of the pods' watch."""
        metadata = pod["metadata"]
        uid = metadata["uid"]
        if change == "DELETED":
            self._end_task(uid)
            self._rest(pod)
        elif metadata.get("deletionTimestamp"):
            if uid not in self._stopping:
                self._stopping.add(uid)
                self._end_task(uid)
                self._tasks[uid] = asyncio.create_task(self._guarded(self._stop, pod))
        elif uid not in self._parts:
            run, index = _place(pod)
            self._numbers[run, index] += 1
            self._parts[uid] = self.casting(run, index, self._numbers[run, index])
            self._tasks[uid] = asyncio.create_task(self._guarded(self._live, pod))

    async def bury(self) -> None:
        """Remove the pods of dead nodes, as a person does who removes such a node."""
        for name in self._dead:
            await self.api.delete(in_namespace(CORE, self.namespace, "pods", name), gracePeriodSeconds=0)

    async def close(self) -> None:
        """Leave all pods as they are."""
        await end_tasks(self._tasks.values())

    async def _guarded(self, play: Callable[[Json], Awaitable[None]], pod: Json) -> None:
        try:
            await play(pod)
        except Unwanted as error:
            if error.status not in {404, 409}:  # gone, or changed: its next event says so
                raise

    async def _live(self, pod: Json) -> None:
        part = self._parts[pod["metadata"]["uid"]]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod["metadata"]["name"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
        }
        await self.api.call("POST", f"{self._path(pod)}/binding", binding)
        await asyncio.sleep(BEGIN_S)
        self._work(pod)
        await self._show(pod, "Running", {"running": {"startedAt": self._begun[pod["metadata"]["uid"]]}})
        if part.works_on:
            await self.may_end.wait()
        await asyncio.sleep(WORK_S)
        await self._finish(pod, part.exit_code, part.result)

    async def _stop(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        part = self._parts.get(uid)
        if part is not None and part.is_on_dead_node:
            self._dead.append(pod["metadata"]["name"])
            return
        if (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            stopped = DepartmentResult(
                iterations=1, items_created=3, quality_score=40, cost_usd=0.001, tokens=10,
                reason=StopReason.TERMINATED,
            )  # fmt: skip
            await asyncio.sleep(BEGIN_S)
            await self._finish(pod, ExitCode.TERMINATED, stopped)
        await self.api.delete(self._path(pod), gracePeriodSeconds=0)

    async def _finish(self, pod: Json, exit_code: int, result: DepartmentResult) -> None:
        begun = self._begun.get(pod["metadata"]["uid"]) or _now()
        ended = {
            "exitCode": int(exit_code),
            "reason": "Completed" if exit_code == 0 else "Error",
            "message": encode_result(result),
            "startedAt": begun,
            "finishedAt": _now(),
        }
        self._rest(pod)
        await self._show(pod, "Failed" if exit_code else "Succeeded", {"terminated": ended})

    async def _show(self, pod: Json, phase: str, state: Json) -> None:
        container = {
            "name": CONTAINER,
            "image": "worker",
            "imageID": "worker",
            "ready": phase == "Running",
            "started": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        status = {"phase": phase, "startTime": _now(), "containerStatuses": [container]}
        await self.api.call("PATCH", f"{self._path(pod)}/status", {"status": status})

    def _work(self, pod: Json) -> None:
        run, index = _place(pod)
        uid = pod["metadata"]["uid"]
        self._begun[uid] = _now()
        if self._parts[uid].is_on_dead_node:
            return
        others = self.at_work[f"{run}/{index}"]
        if others:
            self.overlaps.append(f"{run}: department {index} has {len(others) + 1} pods at work")
        others.add(uid)

    def _rest(self, pod: Json) -> None:
        run, index = _place(pod)
        self.at_work[f"{run}/{index}"].discard(pod["metadata"]["uid"])

    def _end_task(self, uid: str) -> None:
        if (task := self._tasks.pop(uid, None)) is not None:
            task.cancel()

    def _path(self, pod: Json) -> str:
        return in_namespace(CORE, self.namespace, "pods", pod["metadata"]["name"])


def _place(pod: Json) -> tuple[str, int]:
    labels = pod["metadata"]["labels"]
    return labels[names.LABEL_RUN], int(labels[names.LABEL_DEPARTMENT_INDEX])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
