"""How long no operator acts when the one that does is killed, stopped or asked to end, with another warm.

Two operators' processes, runs at work all the time; measured is the time from the signal until the Lease has
another holder, and until a Job is made again.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from dev.progress import Reporter
from dev.service_process import ServiceProcess
from gather_clients.background_tasks import end_tasks
from tests.bench.operator.arms import NAMESPACE, create_runs, operators
from tests.bench.operator.control_plane import ControlPlane, control_plane
from tests.bench.operator.plain_api import PlainApi

LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/gather-operator"
JOBS: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
GOAL_S: Final = 15.0
LOOK_S: Final = 0.05
TIMEOUT_S: Final = 60
RUNS: Final = 4
"""At work in each round; their departments last for a while together."""
STEPS: Final = 32
POD_MS: Final = 300
BEGUN: Final = 3
"""Jobs that are made before the signal, so that the holder is at work."""
SIGNALS: Final[Mapping[str, signal.Signals]] = {
    "killed": signal.SIGKILL,
    "stopped": signal.SIGSTOP,
    "asked to end": signal.SIGTERM,
}


@dataclass(frozen=True, slots=True)
class Handover:
    """One hand-over, in seconds from the signal."""

    how: str
    taken_s: float
    """Until another replica held the Lease."""
    acting_s: float
    """Until a Job was made again."""


def measure_handovers(rounds: int, reporter: Reporter) -> list[Handover]:
    """Return `rounds` hand-overs of each kind."""
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-operator-"))
    try:
        with (
            reporter.step("hand-overs between two replicas"),
            control_plane(folder, reporter, POD_MS) as plane,
            operators(plane, folder, STEPS) as make,
        ):
            return asyncio.run(_measure(plane, make, rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(plane: ControlPlane, make: Callable[[str], ServiceProcess], rounds: int) -> list[Handover]:
    found: list[Handover] = []
    running: dict[str, ServiceProcess] = {}
    try:
        async with PlainApi(plane.server, "admin") as api:
            for number, how in enumerate([how for how in SIGNALS for _ in range(rounds)]):
                for place in range(len(running), 2):
                    name = f"replica-{number}-{place}"
                    running[name] = make(name)
                    await asyncio.to_thread(running[name].start)
                await create_runs(api, RUNS, STEPS, first=number * RUNS)
                found.append(await _once(api, running, how))
                holder = await _holder(api)
                (gone,) = (name for name in running if name != holder)
                await asyncio.to_thread(running.pop(gone).kill)
    finally:
        for process in running.values():
            process.kill()
    return found


async def _once(api: PlainApi, running: Mapping[str, ServiceProcess], how: str) -> Handover:
    """Send the signal to the holder while it is at work; return what followed."""
    made = _Made()
    watching = asyncio.create_task(made.follow(api))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await made.reach(BEGUN)
            holder = await _holder(api)
            at_s = time.monotonic()
            os.kill(running[holder].pid, SIGNALS[how])
            while await _holder(api) in {"", holder}:  # noqa: ASYNC110 - others take it
                await asyncio.sleep(LOOK_S)
            taken_s = time.monotonic() - at_s
            await made.reach(len(made.at_s) + BEGUN)
        return Handover(how, taken_s, made.quiet_end_s(at_s) - at_s)
    finally:
        await end_tasks([watching])


class _Made:
    """When Jobs were made, as a watch shows it."""

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self._changed = asyncio.Event()

    async def follow(self, api: PlainApi) -> None:
        """Follow until cancelled."""
        known: set[str] = set()
        listed = await api.call("GET", JOBS)
        known.update(job["metadata"]["name"] for job in listed["items"])
        async for event in api.watch(JOBS, since=listed["metadata"]["resourceVersion"]):
            name = event["object"]["metadata"]["name"]
            if event["type"] == "ADDED" and name not in known:
                known.add(name)
                self.at_s.append(time.monotonic())
                self._changed.set()

    async def reach(self, count: int) -> None:
        """Return once so many have been made."""
        while len(self.at_s) < count:
            self._changed.clear()
            await self._changed.wait()

    def quiet_end_s(self, after_s: float) -> float:
        """Return when the longest time without one ended since then; what was under way may come before."""
        moments = [after_s, *(at_s for at_s in self.at_s if at_s > after_s)]
        return max(pairwise(moments), key=lambda pair: pair[1] - pair[0])[1]


async def _holder(api: PlainApi) -> str:
    lease: dict[str, Any] = await api.call("GET", LEASE)
    return str(lease["spec"].get("holderIdentity") or "")
