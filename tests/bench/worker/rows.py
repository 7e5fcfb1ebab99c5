"""The worker's measurements: what is done, and the numbers that come of it."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from gather_operator.decisions.starting import iteration_allowance
from tests.bench.measure import MIB
from tests.bench.worker.stage import Stage
from tests.support.http_server import answering
from tests.support.worker_harness import Ended, WorkerHarness

FIRST_CALL_TIMEOUT_S: Final = 60
WORKER_TIMEOUT_S: Final = 3600
LIBRARIES: Final = "import asyncio, httpx, pydantic_settings, pymongo, redis.asyncio"
"""What any such program imports: the floor of a start."""
GOALS_S: Final = {"fast": 60.0, "slow": 600.0}
AT_ONCE_GOAL: Final = 1.3
PROJECTS: Final = 4
ROUNDS_MAX: Final = 8
"""Runs one after the other until the iterations are done; departments end early where quality is flat."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement; `values` in `unit`, of which p95 is held against the goal."""

    key: str
    title: str
    unit: str
    goal: float | None
    values: Sequence[float]
    floors: Sequence[float] = ()
    note: str = ""


def projects_row(key: str, what: str, alone_s: float, at_once_s: float, iterations: int) -> Row:
    """Return how much longer several projects take than one; `what` is run for each."""
    title = f"{PROJECTS} {what} at once against one"
    note = f"{iterations} iterations each: one {alone_s:.1f} s, {PROJECTS} {at_once_s:.1f} s"
    return Row(key, title, "times", AT_ONCE_GOAL, [at_once_s / alone_s], (), note)


@dataclass
class Runs:
    """What workers left: their ends, and the time that passed."""

    ended: list[Ended] = field(default_factory=list)
    wall_s: float = 0.0

    def numbers(self, name: str) -> list[float]:
        """Return a number of every iteration's log line."""
        return [line[name] for end in self.ended for line in end.log if name in line]

    @property
    def iterations(self) -> int:
        """Return how many iterations were done."""
        return len(self.numbers("own_ms"))

    @property
    def model_s(self) -> float:
        """Return how long the model was awaited."""
        return sum(self.numbers("model_ms")) / 1000

    @property
    def memory_mib(self) -> list[float]:
        """Return each worker's highest resident memory."""
        return [end.peak_memory_bytes / MIB for end in self.ended]

    def failures(self) -> list[str]:
        """Return how workers ended that did not end well."""
        return [f"exit code {end.exit_code}: {end.messages()[-1:]}" for end in self.ended if end.exit_code]


def run_iterations(stage: Stage, project_id: str, iterations: int) -> Runs:
    """Let workers do so many iterations in a project, department after department as an operator would."""
    runs, left = Runs(), iterations
    started = time.monotonic()
    for _ in range(ROUNDS_MAX):
        harness = stage.new_harness(project_id)
        try:
            left -= _one_run(harness, left, runs)
        finally:
            harness.stop()
        if left <= 0 or runs.failures():
            break
    runs.wall_s = time.monotonic() - started
    return runs


def _one_run(harness: WorkerHarness, iterations: int, runs: Runs) -> int:
    used, count = 0, len(harness.document.departments)
    for index in range(count):
        allowed = iteration_allowance(iterations - used, count - index - 1)
        if not allowed:
            break
        ended = harness.start(index, allowed).wait(WORKER_TIMEOUT_S)
        runs.ended.append(ended)
        if ended.result is None or ended.exit_code:
            break
        used += ended.result.iterations
    return used


def run_at_once(stage: Stage, project_ids: Sequence[str], iterations: int) -> Runs:
    """Let one worker of each project do so many iterations, all at the same time."""
    harnesses = [stage.new_harness(project_id) for project_id in project_ids]
    started = time.monotonic()
    try:
        workers = [harness.start(0, iterations) for harness in harnesses]
        # Each needs a thread that reads its memory until its end.
        with ThreadPoolExecutor(len(workers)) as pool:
            runs = Runs(list(pool.map(lambda worker: worker.wait(WORKER_TIMEOUT_S), workers)))
    finally:
        for harness in harnesses:
            harness.stop()
    runs.wall_s = time.monotonic() - started
    return runs


# --- a worker's start


def start_s(stage: Stage, project_id: str, index: int) -> float:
    """Return the time from a worker's start, as a process, to its first request to the model."""
    harness = stage.new_harness(project_id)
    asked, asked_at = threading.Event(), list[float]()

    def note(_: Any) -> None:
        """Note when the model is asked, and answer nothing."""
        asked_at.append(time.monotonic())
        asked.set()

    try:
        with answering(note) as url:
            started = time.monotonic()
            harness.start(index, 1, GATHER_LLM_BASE_URL=f"{url}/v1")
            if not asked.wait(FIRST_CALL_TIMEOUT_S):
                raise TimeoutError(harness.workers[0].log_text())
            return asked_at[0] - started
    finally:
        harness.stop()


def libraries_s() -> float:
    """Return the time in which a process starts and imports the libraries that any worker needs."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, timeout=FIRST_CALL_TIMEOUT_S)
    return time.monotonic() - started
