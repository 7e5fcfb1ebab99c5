"""Watches pods and GatherRuns from outside and notes when each thing was first seen."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gather_contracts import names
from tests.bench.measure import MS_PER_S, ranked
from tests.bench.operator.plain_api import PlainApi

Step = tuple[str, int]


@dataclass
class Observed:
    """Moments on the monotonic clock, in seconds, by run and department."""

    created_s: dict[Step, float] = field(default_factory=dict)
    succeeded_s: dict[Step, float] = field(default_factory=dict)
    shown_s: dict[Step, float] = field(default_factory=dict)
    """When the run's status first showed the department as ended."""
    ended_s: dict[str, float] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)
    doubled: list[Step] = field(default_factory=list)
    """Departments of which a second pod was seen."""
    pods: dict[str, Step] = field(default_factory=dict)

    def gaps_ms(self) -> list[float]:
        """From a pod's success until the run's next pod, in order of size."""
        return sorted(
            MS_PER_S * (at_s - self.succeeded_s[run, step - 1])
            for (run, step), at_s in self.created_s.items()
            if step and (run, step - 1) in self.succeeded_s
        )

    def lags_s(self) -> list[float]:
        """From a pod's success until the status shows it, in order of size."""
        pairs = ((self.succeeded_s.get(step), at_s) for step, at_s in self.shown_s.items())
        return sorted(max(0.0, at_s - ended_s) for ended_s, at_s in pairs if ended_s is not None)

    def makespan_s(self, began_s: float) -> float:
        """From the beginning until the last pod's success."""
        return max(self.succeeded_s.values()) - began_s


class Observer:
    """Fills what was observed until it is cancelled."""

    def __init__(self, api: PlainApi, namespace: str) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._runs = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._changed = asyncio.Event()
        self.seen = Observed()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_pods())
            group.create_task(self._follow_runs())

    async def until(self, is_reached: Callable[[Observed], bool], timeout_s: float) -> None:
        """Return once the condition holds; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not is_reached(self.seen):
                self._changed.clear()
                await self._changed.wait()

    async def _follow_pods(self) -> None:
        async for event in self._api.watch(self._pods):
            now_s, pod = time.monotonic(), event["object"]
            labels = pod["metadata"].get("labels", {})
            step = (labels[names.LABEL_RUN_UID], int(labels[names.LABEL_DEPARTMENT_INDEX]))
            name = pod["metadata"]["name"]
            if name not in self.seen.pods:
                if step in self.seen.created_s:
                    self.seen.doubled.append(step)
                self.seen.pods[name] = step
                self.seen.created_s.setdefault(step, now_s)
            if pod.get("status", {}).get("phase") == "Succeeded":
                self.seen.succeeded_s.setdefault(step, now_s)
            self._changed.set()

    async def _follow_runs(self) -> None:
        async for event in self._api.watch(self._runs):
            now_s, run = time.monotonic(), event["object"]
            uid, status = run["metadata"]["uid"], run.get("status", {})
            for index, department in enumerate(status.get("departments", ())):
                if department.get("phase") == "Succeeded":
                    self.seen.shown_s.setdefault((uid, index), now_s)
            self.seen.phases[uid] = status.get("phase", "")
            if status.get("phase") in {"Succeeded", "Failed", "Cancelled"}:
                self.seen.ended_s.setdefault(uid, now_s)
            self._changed.set()


def share(ordered: Sequence[float], part: float) -> float:
    """Return that share's value of ordered ones; 0 of none."""
    return ranked(ordered, part) if ordered else 0.0
