"""What the operator holds with thousands of ended runs and many at work, and what a quiet cluster costs."""

import asyncio
import json
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dev.progress import Reporter
from gather_contracts import names
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import Condition, DepartmentStatus, GatherRunStatus, dump_status
from tests.bench.measure import cpu_s, memory_of
from tests.bench.operator.arms import NAMESPACE, TIMEOUT_S, Arm, create_runs, subject
from tests.bench.operator.control_plane import ControlPlane, control_plane
from tests.bench.operator.jobs import STEPS
from tests.bench.operator.plain_api import PlainApi

LIVE_MS: Final = 3_600_000
"""For so long a pod of a run at work works."""
PATH: Final = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
COUNT_S: Final = 1.0
SAID_S: Final = 10.0
"""For the statuses after the last pod."""
MERGE_PATCH: Final = "application/merge-patch+json"


@dataclass
class Held:
    """What was held and spent."""

    finished: int
    live: int
    departments: int
    start_mib: float
    """The highest with the ended runs alone."""
    peak_mib: float
    """The highest of all."""
    quiet_s: float
    quiet_cpu_s: float
    quiet_calls: Counter[str] = field(default_factory=Counter)


def measure_memory(  # noqa: PLR0917 - given by name
    finished: int, live: int, departments: int, quiet_s: float, reporter: Reporter, place: Path | None = None
) -> Held:
    """Start the operator on a cluster with ended runs, add runs at work, then leave it alone for a while."""
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-operator-", dir=place))
    try:
        with (
            reporter.step(f"{finished} ended runs of {departments} departments, {live} at work"),
            control_plane(folder, reporter, LIVE_MS) as plane,
        ):
            asyncio.run(_fill(plane, finished, departments))
            with subject(Arm.OPERATOR, plane, folder) as (pid,):
                start_mib = memory_of(pid).peak_rss
                asyncio.run(_bring_to_work(plane, live))
                peak_mib = memory_of(pid).peak_rss
                before, before_s = _calls(plane.audit_log), cpu_s(pid)
                time.sleep(quiet_s)
                spent_s, calls = cpu_s(pid) - before_s, _calls(plane.audit_log) - before
                peak_mib = max(peak_mib, memory_of(pid).peak_rss)
        return Held(finished, live, departments, start_mib, peak_mib, quiet_s, spent_s, calls)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _fill(plane: ControlPlane, finished: int, departments: int) -> None:
    status = {"status": dump_status(_ended(departments))}
    places = asyncio.Semaphore(32)
    async with PlainApi(plane.server, "admin") as api:

        async def one(number: int) -> None:
            async with places:
                name = f"ended-{number:05d}"
                body = {
                    "apiVersion": f"{names.GROUP}/{names.VERSION}",
                    "kind": names.KIND,
                    "metadata": {
                        "name": name,
                        "namespace": NAMESPACE,
                        "labels": {names.LABEL_ENDED: "true"},
                    },
                    "spec": {"projectId": f"{number:024x}", "userId": "bench"},
                }
                await api.call("POST", PATH, body)
                await api.call("PATCH", f"{PATH}/{name}/status", status, MERGE_PATCH)

        await asyncio.gather(*(one(number) for number in range(finished)))


def _ended(departments: int) -> GatherRunStatus:
    """Return a status as a real run leaves it."""
    at = "2026-05-01T11:00:00.000Z"
    conditions = [
        Condition(
            type=kind, status="True", reason="AllDepartmentsDone", message="x" * 160, last_transition_time=at
        )
        for kind in ("Accepted", "Progressing", "Succeeded")
    ]  # fmt: skip
    ended = [
        DepartmentStatus(
            slug=f"department-{n}", name=f"Department {n} of the film", code_dep_number=n, threshold=80,
            model="anthropic/claude-sonnet-4.5", phase=DepartmentPhase.SUCCEEDED, reason="ThresholdReached",
            attempt=1, iterations=7, iteration_limit=9, items_created=41, quality_score=83.25,
            cost_usd=0.123456, tokens=123456, job_name=f"ended-00000-department-{n}-0123abcd-1",
            start_time=at, completion_time=at,
        )
        for n in range(departments)
    ]  # fmt: skip
    return GatherRunStatus(
        observed_generation=1, phase=RunPhase.SUCCEEDED, reason="ThresholdReached", conditions=conditions,
        start_time=at, completion_time=at, progress=f"{departments}/{departments}", iterations=49,
        items_created=287, quality_score=83.2, cost_usd=0.86, tokens=864_192, departments=ended,
    )  # fmt: skip


async def _bring_to_work(plane: ControlPlane, live: int) -> None:
    """Create runs, and return once each has a pod and time to say so."""
    async with PlainApi(plane.server, "admin") as api, asyncio.timeout(TIMEOUT_S):
        await create_runs(api, live, STEPS)
        count = 0
        while count < live:
            await asyncio.sleep(COUNT_S)
            # The server counts what is left of a list, so that thousands of pods need not be read.
            page = await api.call("GET", f"{PODS}?limit=1")
            count = len(page["items"]) + page["metadata"].get("remainingItemCount", 0)
        await asyncio.sleep(SAID_S)


def _calls(audit_log: Path) -> Counter[str]:
    """Count the operator's calls by verb and resource."""
    found: Counter[str] = Counter()
    for line in audit_log.read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        if entry["user"]["username"] == Arm.OPERATOR:
            found[f"{entry['verb']} {entry.get('objectRef', {}).get('resource', '?')}"] += 1
    return found
