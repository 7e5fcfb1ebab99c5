"""What is measured: floor, sketch and operator, each on a control plane of its own."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from dev.paths import ROOT
from dev.progress import Reporter
from dev.service_process import HOST, ServiceProcess, free_port, http_answers
from dev.stores import running
from gather_clients.background_tasks import end_tasks
from gather_contracts import names
from tests.bench.measure import cpu_s, memory_of
from tests.bench.operator.control_plane import ControlPlane, control_plane
from tests.bench.operator.cpu_limit import limited
from tests.bench.operator.jobs import STEPS
from tests.bench.operator.observer import Observed, Observer, share
from tests.bench.operator.plain_api import PlainApi

NAMESPACE: Final = "default"
PROJECTS: Final = 50
"""Runs are spread over so many projects."""
TIMEOUT_S: Final = 900
TIMEOUT_RUN_S: Final = 3
"""For each run besides: a thousand need ten minutes where nothing else runs."""
AUDIT_S: Final = 2.0
"""The API server writes its audit log in batches."""
CREATES_AT_ONCE: Final = 16


class Arm(StrEnum):
    """Who makes the Jobs."""

    FLOOR = "floor"
    FLOOR_JOBS = "floor-jobs"
    """The floor with Jobs as the operator makes them."""
    SKETCH = "sketch"
    OPERATOR = "operator"


FLOORS: Final = (Arm.FLOOR, Arm.FLOOR_JOBS)


@dataclass
class Outcome:
    """What one arm came to at one size."""

    arm: Arm
    runs: int
    steps: int
    makespan_s: float
    gaps_ms: list[float]
    lags_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    cluster_cpu_s: dict[str, float] = field(default_factory=dict)
    """By program of the control plane."""
    memory_mib: float = 0.0
    writes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    shards: int = 1
    """Processes of the operator, each with a part of the runs; processor time and memory are those of all."""
    cpu_limit: float | None = None
    """Cores that each process of the operator has at most."""

    @property
    def runs_per_minute(self) -> float:
        """Runs whose pods have all ended, a minute."""
        return 60 * self.runs / self.makespan_s

    def gap_ms(self, part: float) -> float:
        """That share's gap between two pods."""
        return share(self.gaps_ms, part)

    def lag_s(self, part: float) -> float:
        """That share's lag of the status."""
        return share(self.lags_s, part)


def measure(  # noqa: PLR0917 - given by name
    arm: Arm,
    runs: int,
    reporter: Reporter,
    steps: int = STEPS,
    delay_ms: int = 0,
    profile: Path | None = None,
    shards: int = 1,
    cpu_limit: float | None = None,
) -> Outcome:
    """Run so many runs on an empty control plane; `profile` is where the operator's profile is written.

    `cpu_limit` is how many cores each process of the operator has at most.
    """
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-operator-"))
    try:
        with (
            reporter.step(f"{arm}: {runs} runs of {steps}{f', {shards} shards' if shards > 1 else ''}"),
            control_plane(folder, reporter, delay_ms) as plane,
            subject(arm, plane, folder, profile, steps, shards) as pids,
            ExitStack() as limits,
        ):
            if cpu_limit is not None:
                for pid in pids:
                    limits.enter_context(limited(pid, cpu_limit))
            outcome = asyncio.run(_watch_them(plane, arm, runs, steps, pids))
            outcome.cpu_limit = cpu_limit
            return outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def subject(  # noqa: PLR0917 - given by name
    arm: Arm,
    plane: ControlPlane,
    folder: Path,
    profile: Path | None = None,
    steps: int = STEPS,
    shards: int = 1,
) -> Iterator[list[int]]:
    """Yield the processes that are measured; the floor's begins with the first run."""
    if arm in FLOORS:
        yield []
        return
    if arm is Arm.SKETCH:
        command = [sys.executable, "-m", "tests.bench.operator.sketch", plane.server, NAMESPACE]
        with _started(
            ServiceProcess("sketch", "", folder, command, lambda _: True, _python_path())
        ) as sketch:
            yield [sketch.pid]
        return
    with operators(plane, folder, steps, profile, shards) as make, ExitStack() as stack:
        yield [stack.enter_context(_started(make(f"operator-{index}", index))).pid for index in range(shards)]


@contextmanager
def operators(
    plane: ControlPlane, folder: Path, steps: int = STEPS, profile: Path | None = None, shards: int = 1
) -> Iterator[Callable[..., ServiceProcess]]:
    """Yield what makes an operator's process by name and shard, not started; all share a CMS and a Redis."""
    profiled = ["tests.bench.operator.profiled", str(profile)]
    command = [sys.executable, "-m", *(["gather_operator.main"] if profile is None else profiled)]
    with _cms(max(steps, STEPS)) as cms, running("redis") as redis:

        def make(name: str, shard: int = 0) -> ServiceProcess:
            port = free_port()
            environment = {
                **_python_path(),
                "KUBECONFIG": str(plane.kubeconfig("operator")),
                "GATHER_NAMESPACE": NAMESPACE,
                "GATHER_IDENTITY": name,
                "GATHER_SHARD": str(shard),
                "GATHER_SHARDS": str(shards),
                "GATHER_WORKER_IMAGE": "worker",
                "NEXT_PUBLIC_APP_URL": cms,
                "REDIS_URL": redis.uri,
                "GATHER_OPERATOR_PORT": str(port),
            }
            own = folder / name
            own.mkdir(exist_ok=True)
            return ServiceProcess(name, f"http://{HOST}:{port}", own, command, http_answers, environment)

        yield make


@contextmanager
def _started(process: ServiceProcess) -> Iterator[ServiceProcess]:
    process.start()
    try:
        yield process
    finally:
        process.stop()


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))}


async def _watch_them(plane: ControlPlane, arm: Arm, runs: int, steps: int, pids: list[int]) -> Outcome:
    async with PlainApi(plane.server, "admin") as api:
        observer = Observer(api, NAMESPACE)
        watching = asyncio.create_task(observer.run())
        await asyncio.sleep(1)
        began_s, timeout_s = time.monotonic(), TIMEOUT_S + TIMEOUT_RUN_S * runs
        before_s, cluster_s = sum(map(cpu_s, pids)), plane.cpu_s()
        if arm in FLOORS:
            floor = await _start_floor(plane, runs, arm, steps)
            async with asyncio.timeout(timeout_s):
                await floor.wait()
        else:
            await create_runs(api, runs, steps)
        is_done = _ends(arm, runs, steps)
        failures: list[str] = []
        try:
            waiting = asyncio.create_task(observer.until(is_done, timeout_s))
            await asyncio.wait({waiting, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                waiting.cancel()
                await watching
            await waiting
        except TimeoutError:
            failures.append(f"{arm}: not all of {runs} runs ended within {timeout_s} s")
        seen = observer.seen
        # What follows an end, such as the release of a finalizer, belongs to it.
        await asyncio.sleep(AUDIT_S + 1)
        await end_tasks([watching])
    spent_s = {program: now_s - cluster_s[program] for program, now_s in plane.cpu_s().items()}
    failures += _faults(arm, seen)
    outcome = Outcome(
        arm, runs, steps, seen.makespan_s(began_s), seen.gaps_ms(), seen.lags_s(),
        cluster_cpu_s=spent_s, failures=failures, shards=max(len(pids), 1),
    )  # fmt: skip
    outcome.cpu_s = sum(map(cpu_s, pids)) - before_s
    outcome.memory_mib = sum(memory_of(pid).peak_rss for pid in pids)
    outcome.writes = _writes(plane.audit_log, arm)
    return outcome


async def _start_floor(plane: ControlPlane, runs: int, arm: Arm, steps: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.operator.floor",
        plane.server, NAMESPACE, str(runs), arm, str(steps),
        env={**os.environ, **_python_path()},
    )  # fmt: skip


def _ends(arm: Arm, runs: int, steps: int) -> Any:
    if arm in FLOORS:
        return lambda seen: len(seen.succeeded_s) == runs * steps
    return lambda seen: len(seen.ended_s) == runs


def _faults(arm: Arm, seen: Observed) -> list[str]:
    found = [f"{arm}: a second pod for {step}" for step in seen.doubled]
    if arm is Arm.OPERATOR:
        others = Counter(phase for phase in seen.phases.values() if phase != "Succeeded")
        found += [f"{arm}: {count} runs ended as {phase}" for phase, count in others.items()]
    return found


async def create_runs(api: PlainApi, runs: int, steps: int, first: int = 0) -> None:
    path = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
    places = asyncio.Semaphore(CREATES_AT_ONCE)

    async def create(number: int) -> None:
        async with places:
            spec: dict[str, Any] = {"projectId": f"{number % PROJECTS:024x}", "userId": "bench"}
            if steps < STEPS:
                spec["departments"] = [f"d{index}" for index in range(steps)]
            body = {
                "apiVersion": f"{names.GROUP}/{names.VERSION}",
                "kind": names.KIND,
                "metadata": {"name": f"run-{number:05d}", "namespace": NAMESPACE},
                "spec": spec,
            }
            await api.call("POST", path, body)

    await asyncio.gather(*(create(number) for number in range(first, first + runs)))


def _writes(audit_log: Path, arm: Arm) -> Counter[str]:
    """Count the arm's writes by verb, kind and, where it is no success, code."""
    found: Counter[str] = Counter()
    for line in audit_log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["user"]["username"] != arm or entry["verb"] in {"get", "list", "watch"}:
            continue
        what = entry.get("objectRef", {})
        kind = "/".join(filter(None, (what.get("resource"), what.get("subresource"))))
        code = entry.get("responseStatus", {}).get("code", 0)
        found[f"{entry['verb']} {kind}{'' if code < 400 else f' ({code})'}"] += 1
    return found


@contextmanager
def _cms(steps: int) -> Iterator[str]:
    """Answer as a CMS that names so many departments; yield where."""
    documents = [
        {
            "id": f"{index:024x}", "slug": f"d{index}", "name": f"Department {index}",
            "codeDepNumber": index + 1,
            "gatherCheck": True, "isActive": True, "description": "What a department of a film does. " * 8,
        }
        for index in range(steps)
    ]  # fmt: skip
    body = json.dumps(
        {"docs": documents, "totalDocs": steps, "hasNextPage": False, "totalPages": 1, "page": 1}
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
