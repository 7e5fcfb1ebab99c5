"""Runs as the operator carries them out, with worker processes for pods: one department after the other, each
started again after a back-off until it is done, refused for good, or its attempts are used up.

What the operator decides alone is its own code: which departments the CMS names, the run's document, and how
many iterations a department gets.
"""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.reasons import DepartmentReason, RunPhase
from gather_contracts.resource import GatherRun, parse_run
from gather_contracts.result import DepartmentResult, ExitCode, StopReason, decode_result
from gather_contracts.run_document import RunDocument, encode_run_document
from gather_operator.cms.cms_client import Cms
from gather_operator.decisions.manifests import GRACE_PERIOD_S
from gather_operator.decisions.resolve import build_document, resolve
from gather_operator.decisions.starting import iteration_allowance
from gather_operator.errors import CmsUnavailable
from tests.chaos.world import CMS, World
from tests.support.workers.process_forks import ForkedProcess, ProcessForks

DEPARTMENTS: Final = ("story", "character", "production-design", "cinematography", "sound")
DEFAULT_MODEL: Final = "anthropic/claude-sonnet-4.5"
BACKOFF_S: Final = 10.0
"""Kubernetes' Job controller: it doubles, up to six minutes."""
BACKOFF_MAX_S: Final = 360.0
CMS_TIMEOUT_S: Final = 10.0
CMS_AGAIN_S: Final = 2.0
RUNS_IN_A_PROJECT: Final = 2
"""The second finds what the first has left."""


@dataclass(frozen=True)
class Shape:
    """What the runs of a campaign are like."""

    iterations: int = 3
    """For each department."""
    timeout_s: int = 300
    """For one attempt of a department."""
    backoff_s: float = BACKOFF_S


@dataclass(frozen=True)
class Try:
    """One attempt of a department, as its pod ended."""

    began_at: float
    ended_at: float
    exit_code: int
    result: DepartmentResult | None
    log: Path

    @property
    def is_good(self) -> bool:
        """Return whether the department is done."""
        return self.exit_code == ExitCode.DONE


@dataclass
class DepartmentPlayed:
    """One department of a run, and all its attempts."""

    slug: str
    allowance: int
    tries: list[Try] = field(default_factory=list)
    reason: str = ""
    """Why it ended; empty until it has."""

    @property
    def has_succeeded(self) -> bool:
        """Return whether its last attempt ended well."""
        return bool(self.tries) and self.tries[-1].is_good


@dataclass
class RunPlayed:
    """One run."""

    run: GatherRun
    began_at: float
    departments: list[DepartmentPlayed] = field(default_factory=list)
    ended_at: float | None = None
    phase: RunPhase = RunPhase.PENDING
    reason: str = ""

    @property
    def uid(self) -> str:
        """Its UID, which its requests to the model carry as their user."""
        return self.run.metadata.uid

    @property
    def project_id(self) -> str:
        """Its project."""
        return self.run.spec.project_id

    @property
    def cap_usd(self) -> float | None:
        """Its cap, None without one."""
        budget = self.run.spec.budget
        return budget.max_cost_usd if budget else None


class PlayedOperator:
    """Carries out runs in slots, each on a thread of its own, until it is stopped."""

    def __init__(self, world: World, forks: ProcessForks, shape: Shape, seed: int) -> None:
        self.forks = forks
        self.on_project: Callable[[str], None] = lambda _: None
        """Called with each new project's id before its first run begins."""
        self._world, self._shape, self._seed = world, shape, seed
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._live: set[ForkedProcess] = set()
        self._pods = 0
        self.runs: list[RunPlayed] = []
        self.errors: list[BaseException] = []

    def start(self, slots: int, most_runs: int | None = None) -> None:
        """Keep so many runs at work, in each slot at most so many after each other."""
        for slot in range(slots):
            thread = threading.Thread(target=self._fill, args=(slot, most_runs), daemon=True)
            thread.start()
            self._threads.append(thread)

    def begin_no_more(self) -> None:
        """Let the runs that are at work end."""
        self._is_over.set()

    def wait(self, timeout_s: float, meanwhile: Callable[[], None]) -> None:
        """Wait until all runs have ended, doing something every second; those that have not are breaches."""
        ends_at = time.monotonic() + timeout_s
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < ends_at:
                meanwhile()
                thread.join(1)
        with self._lock:
            for process in self._live:
                process.kill()

    @property
    def projects(self) -> list[str]:
        """Return all projects, in the order in which they came."""
        with self._lock:
            return list(dict.fromkeys(run.project_id for run in self.runs))

    def tries(self) -> list[Try]:
        """Return all attempts that have ended."""
        with self._lock:
            return [t for run in self.runs for d in run.departments for t in d.tries]

    # --- one slot

    def _fill(self, slot: int, most_runs: int | None) -> None:
        chance, count, project = Random(f"{self._seed}/{slot}"), 0, ""  # noqa: S311 - no secret
        try:
            while not self._is_over.is_set() and (most_runs is None or count < most_runs):
                if count % RUNS_IN_A_PROJECT == 0:
                    project = f"{chance.getrandbits(96):024x}"
                    self.on_project(project)
                self.play(_new_run(f"chaos-{slot}-{count}", project, self._shape, chance))
                count += 1
        except BaseException as error:  # noqa: BLE001 - said at the campaign's end
            self.errors.append(error)

    def play(self, run: GatherRun) -> RunPlayed:
        """Carry one run out."""
        played = RunPlayed(run, time.monotonic())
        with self._lock:
            self.runs.append(played)
        document = asyncio.run(self._resolved(run))
        played.phase = RunPhase.RUNNING
        for index, department in enumerate(document.departments):
            left = run.spec.max_iterations - sum(_iterations(d) for d in played.departments)
            allowance = iteration_allowance(left, len(document.departments) - index - 1)
            mine = DepartmentPlayed(department.slug, allowance)
            played.departments.append(mine)
            before = [d.reason for d in played.departments[:-1]]
            if not allowance or StopReason.BUDGET_USED in before:
                exhausted = (
                    DepartmentReason.BUDGET_USED if allowance else DepartmentReason.ITERATIONS_EXHAUSTED
                )
                mine.reason = exhausted
                continue
            self._work(document, index, mine, department)
        worked = [d for d in played.departments if d.tries]
        played.phase = RunPhase.SUCCEEDED if all(d.has_succeeded for d in worked) else RunPhase.FAILED
        played.reason = "; ".join(f"{d.slug}: {d.reason}" for d in played.departments)
        played.ended_at = time.monotonic()
        return played

    async def _resolved(self, run: GatherRun) -> RunDocument:
        """Ask the CMS until it names the departments, as a run that is Pending does."""
        cms = Cms(self._world.uri(CMS), None, CMS_TIMEOUT_S)
        try:
            while True:
                try:
                    resolution = resolve(run, await cms.departments(), DEFAULT_MODEL)
                except CmsUnavailable:
                    await asyncio.sleep(CMS_AGAIN_S)
                    continue
                if not resolution.is_complete:
                    raise ValueError(f"the CMS lacks {resolution.missing}")
                return build_document(run, resolution)
        finally:
            await cms.close()

    def _work(
        self, document: RunDocument, index: int, mine: DepartmentPlayed, department: ResolvedDepartment
    ) -> None:
        """Try a department until it has ended."""
        for number in range(department.retries + 1):
            if number:
                # Not cut short at the campaign's end: a run ends by itself.
                time.sleep(min(self._shape.backoff_s * 2 ** (number - 1), BACKOFF_MAX_S))
            mine.tries.append(self._attempt(document, index, mine.allowance))
            last = mine.tries[-1]
            mine.reason = last.result.reason if last.result else DepartmentReason.ATTEMPTS_USED_UP
            if last.exit_code in {ExitCode.DONE, ExitCode.NEVER}:
                return

    def _attempt(self, document: RunDocument, index: int, allowance: int) -> Try:
        """Run one worker process as a pod's container."""
        with self._lock:
            self._pods += 1
            pod = f"pod-{self._pods}"
        folder = self._world.folder / "pods" / pod
        folder.mkdir(parents=True)
        run_file, ending = folder / names.RUN_DOCUMENT_FILE, folder / "termination-log"
        run_file.write_text(encode_run_document(document), encoding="utf-8")
        ending.touch()
        arguments = ["run", "--run-file", str(run_file), "--department-index", str(index)]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as the image has it
            "GATHER_TERMINATION_LOG": str(ending),
            "GATHER_LLM_EXTRA_BODY": json.dumps({"user": document.run.uid}),
            "POD_NAME": pod,
            **self._world.environment(),
        }
        began_at = time.monotonic()
        process = self.forks.start(
            [*arguments, "--iterations", str(allowance)], environment, folder / "log", folder / "log", ROOT
        )
        with self._lock:
            self._live.add(process)
        code = _waited(process, document.spec.department_timeout_seconds)
        with self._lock:
            self._live.discard(process)
        result = decode_result(ending.read_text(encoding="utf-8"))
        return Try(began_at, time.monotonic(), code, result, folder / "log")


def _waited(process: ForkedProcess, timeout_s: float) -> int:
    """Return the exit code; at its active deadline the pod is ended, as a kubelet does it."""
    with_signals = ((timeout_s, signal.SIGTERM), (GRACE_PERIOD_S, signal.SIGKILL))
    for wait_s, number in with_signals:
        try:
            return process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
    return process.wait()


def _iterations(department: DepartmentPlayed) -> int:
    """Return how many iterations a department has used, as its last result says."""
    last = next((t.result for t in reversed(department.tries) if t.result), None)
    return last.iterations if last else 0


def _new_run(name: str, project_id: str, shape: Shape, chance: Random) -> GatherRun:
    """Return a run of two or three departments; one of three has a cap that is reached."""
    departments = chance.sample(DEPARTMENTS, chance.choice((2, 3)))
    spec: dict[str, Any] = {
        "projectId": project_id,
        "userId": "chaos",
        "departments": departments,
        "maxIterations": shape.iterations * len(departments),
        "departmentTimeoutSeconds": shape.timeout_s,
        "qualityThreshold": chance.choice((60, 100)),
    }
    if chance.random() < 1 / 3:
        spec["budget"] = {"maxCostUSD": round(chance.uniform(0.05, 0.6), 2)}
    metadata = {"name": name, "namespace": "chaos", "uid": str(uuid.uuid4()), "generation": 1}
    return parse_run({"metadata": metadata, "spec": spec})
