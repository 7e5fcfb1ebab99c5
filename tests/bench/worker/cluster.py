"""The same runs on a cluster that is up: GatherRuns through the operator, pods and their starts included."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Final

import httpx

from dev.paths import ROOT
from dev.progress import Reporter
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun
from tests.bench.worker.rows import GOALS_S, PROJECTS, Row, projects_row
from tests.bench.worker.stage import NEVER_REACHED
from tests.support.deployed_gather import DeployedGather, run_of

RUN_TIMEOUT_S: Final = 3600
PROJECTS_ITERATIONS: Final = 4
MODEL_SERVICE: Final = "gather-backing-demo-llm"


def cluster_rows(
    namespace: str, parts: Sequence[str], iterations: int, latency_s: float, reporter: Reporter
) -> tuple[list[Row], list[str]]:
    """Return the rows of `fast`, `slow` and `projects`, and what failed."""
    gather = DeployedGather([str(ROOT / "dev" / "kubectl")], namespace)
    rows: list[Row] = []
    failures: list[str] = []
    for key, delay_s in (("fast", 0.0), ("slow", latency_s)):
        if key in parts:
            with reporter.step(f"A GatherRun of {iterations} iterations, the model answers in {delay_s:g} s"):
                rows += _run_rows(gather, key, iterations, delay_s, failures)
    if "projects" in parts:
        with reporter.step(f"One GatherRun, then {PROJECTS} at once"):
            rows.append(_projects_row(gather, latency_s, failures))
    return rows, failures


def _run_rows(
    gather: DeployedGather, key: str, iterations: int, delay_s: float, failures: list[str]
) -> list[Row]:
    """Run projects one after the other until the iterations are done; departments may end early."""
    left, wall_s, starts, done = iterations, 0.0, list[float](), 0
    with _model_delay(gather, delay_s):
        while left > 0 and not failures:
            started = time.monotonic()
            with run_of(gather, _name(key), _project(), **_spec(left)) as run:
                ended = gather.wait_end(run.metadata.name, RUN_TIMEOUT_S)
                wall_s += time.monotonic() - started
                failures += _failure(ended)
                starts += [_pod_start_s(pod) for pod in gather.pods_of(ended) if _begun(pod)]
            done += ended.status.iterations
            left -= max(1, ended.status.iterations)
    title = f"a GatherRun of {done} iterations, {len(starts)} pods, model answers in {delay_s:g} s"
    pods = "creation of a pod to its container's start (whole seconds)"
    return [Row(f"cluster-{key}", title, "s", GOALS_S[key], [wall_s]),
            Row(f"cluster-{key}-pods", f"{pods}, {key}", "s", None, starts)]  # fmt: skip


def _projects_row(gather: DeployedGather, delay_s: float, failures: list[str]) -> Row:
    with _model_delay(gather, delay_s):
        alone_s, at_once_s = (_at_once_s(gather, count, failures) for count in (1, PROJECTS))
    return projects_row("cluster-projects", "GatherRuns", alone_s, at_once_s, PROJECTS_ITERATIONS)


def _at_once_s(gather: DeployedGather, count: int, failures: list[str]) -> float:
    spec = _spec(PROJECTS_ITERATIONS) | {"departments": ["production"]}
    started = time.monotonic()
    with ExitStack() as stack:
        runs = [
            stack.enter_context(run_of(gather, _name(f"project-{place}"), _project(), **spec))
            for place in range(count)
        ]
        for run in runs:
            failures += _failure(gather.wait_end(run.metadata.name, RUN_TIMEOUT_S))
        return time.monotonic() - started


def _spec(iterations: int) -> dict[str, Any]:
    return {
        "maxIterations": iterations,
        "qualityThreshold": NEVER_REACHED,
        "enableAutoEvaluation": False,
    }


def _failure(run: GatherRun) -> list[str]:
    return [] if run.status.phase is RunPhase.SUCCEEDED else [f"{run.metadata.name} ended {run.status.phase}"]


def _name(key: str) -> str:
    return f"bench-{key}-{uuid.uuid4().hex[:6]}"


def _project() -> str:
    return uuid.uuid4().hex[:24]


def _begun(pod: dict[str, Any]) -> bool:
    return bool(_container_start(pod))


def _container_start(pod: dict[str, Any]) -> str:
    for container in pod["status"].get("containerStatuses", []):
        state = container.get("state", {})
        return str((state.get("terminated") or state.get("running") or {}).get("startedAt", ""))
    return ""


def _pod_start_s(pod: dict[str, Any]) -> float:
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return (datetime.fromisoformat(_container_start(pod)) - created).total_seconds()


@contextmanager
def _model_delay(gather: DeployedGather, delay_s: float) -> Iterator[None]:
    """Let the demo model take so long, and behave as it was started afterwards."""
    with gather.forward(MODEL_SERVICE, 8080) as port:
        url = f"http://127.0.0.1:{port}/demo/behaviour"
        httpx.post(url, json={"delay_s": delay_s}, timeout=10).raise_for_status()
    try:
        yield
    finally:
        with gather.forward(MODEL_SERVICE, 8080) as port:
            httpx.delete(f"http://127.0.0.1:{port}/demo/behaviour", timeout=10).raise_for_status()
