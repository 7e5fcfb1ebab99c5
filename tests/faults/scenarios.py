"""What is done to runs while faults are injected, and how each of these stories ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import yaml

from gather_contracts import names
from gather_contracts.reasons import RunPhase
from gather_contracts.result import DepartmentResult, ExitCode, StopReason
from tests.support.kubernetes.control_plane import CRD
from tests.support.kubernetes.journal import Journal
from tests.support.kubernetes.pod_player import Part

Json = dict[str, Any]
DEPARTMENTS: Final = ("story", "character", "world")
"""In the CMS's order."""
FINAL: Final = frozenset({RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED})
OLD_IMAGE: Final = "gather-worker:1"
NEW_IMAGE: Final = "gather-worker:2"


class Stage(Protocol):
    """What a story may touch."""

    journal: Journal

    async def patch_run(self, name: str, body: Json) -> None:
        """Change a run as a person does."""

    async def delete_run(self, name: str) -> None:
        """Delete a run as a person does."""

    async def lose_node(self, run: str) -> None:
        """Let the node of the run's pods die, and its pods be evicted, which they cannot hear of."""

    async def let_end(self) -> None:
        """Let pods end that were held."""

    async def replace_operator(self, image: str) -> None:
        """End the operator with SIGTERM and start another whose workers have this image."""


async def _just_wait(_: Stage, __: str) -> None:
    """Let the run take its course."""


@dataclass(frozen=True)
class Scenario:
    """One story.

    Attributes:
        phase: in which the run ends; none: it is to be gone.
        runs: the runs' names.
        failing: places of departments whose pods end with "never again".
        held: places of departments whose first pod works until it is deleted or let end.
        on_dead_node: places of departments whose first pod stands on a node that dies.
        interfere: what a person does meanwhile, and when.
    """

    name: str
    phase: RunPhase | None
    departments: int = 2
    runs: tuple[str, ...] = ("film",)
    failing: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    on_dead_node: frozenset[int] = frozenset()
    interfere: Callable[[Stage, str], Awaitable[None]] = _just_wait

    def part(self, _: str, department: int, number: int) -> Part:
        """Return what a department's pod does; `number` counts its pods from 1."""
        if department in self.failing:
            return Part(_result(department, StopReason.INVALID_INPUT), ExitCode.NEVER)
        is_first = number == 1
        return Part(
            _result(department),
            works_on=department in self.held and is_first,
            is_on_dead_node=department in self.on_dead_node and is_first,
        )

    def run_spec(self, project: str) -> Json:
        """Return a run's spec."""
        selected = list(DEPARTMENTS[: self.departments])
        return {"projectId": project, "userId": "u", "departments": selected, "maxIterations": 20}

    def has_ended(self, journal: Journal) -> bool:
        """Return whether the story is over in all runs."""
        return all(self._has_run_ended(journal, run) for run in self.runs)

    def _has_run_ended(self, journal: Journal, name: str) -> bool:
        run = journal.run(name)
        if self.phase is None:
            return run is None and bool(journal.made[names.PLURAL]) and not journal.leftovers()
        if run is None or run.get("status", {}).get("phase") not in FINAL:
            return False
        return names.FINALIZER not in run["metadata"].get("finalizers", [])


def _result(department: int, reason: StopReason = StopReason.THRESHOLD_REACHED) -> DepartmentResult:
    """Return numbers that tell one department from another."""
    return DepartmentResult(
        iterations=2 + department, items_created=11 + department, quality_score=85.5 + department,
        cost_usd=0.01 * (department + 1), tokens=1000 + department, reason=reason,
    )  # fmt: skip


async def _until_at_work(stage: Stage, run: str, department: int = 1) -> None:
    """Return once that department's pod is seen at work in the run's status."""

    def is_at_work() -> bool:
        body = stage.journal.run(run)
        known = (body or {}).get("status", {}).get("departments", [])
        pods = [p for p in stage.journal.of_run("pods", run) if _place(p) == department]
        is_shown = len(known) > department and known[department]["phase"] == "Running"
        return is_shown and any(p["status"].get("phase") == "Running" for p in pods)

    await stage.journal.until(is_at_work)


async def _delete(stage: Stage, run: str) -> None:
    await _until_at_work(stage, run)
    await stage.delete_run(run)


async def _cancel(stage: Stage, run: str) -> None:
    await _until_at_work(stage, run)
    await stage.patch_run(run, {"spec": {"cancel": True}})


async def _upgrade(stage: Stage, run: str) -> None:
    await _until_at_work(stage, run)
    await stage.replace_operator(NEW_IMAGE)
    await stage.let_end()


async def _lose_node(stage: Stage, run: str) -> None:
    await _until_at_work(stage, run)
    await stage.lose_node(run)


async def _suspend(stage: Stage, run: str) -> None:
    await _until_at_work(stage, run)
    await stage.patch_run(run, {"spec": {"suspend": True}})

    def is_suspended() -> bool:
        body = stage.journal.run(run) or {}
        return body.get("status", {}).get("phase") == "Suspended" and not any(
            p["status"].get("phase") == "Running" for p in stage.journal.objects["pods"].values()
        )

    await stage.journal.until(is_suspended)
    await stage.patch_run(run, {"spec": {"suspend": False}})


def _place(pod: Json) -> int:
    return int(pod["metadata"]["labels"][names.LABEL_DEPARTMENT_INDEX])


def _serves(name: str) -> bool:
    """Return whether a run's spec has a field of that name."""
    text = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    schema = text["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return name in schema["properties"]["spec"]["properties"]


SECOND: Final = frozenset({1})
ALL: Final = (
    Scenario("normal", RunPhase.SUCCEEDED, departments=3),
    Scenario("delete", None, held=SECOND, interfere=_delete),
    Scenario("cancel", RunPhase.CANCELLED, held=SECOND, interfere=_cancel),
    Scenario("failing", RunPhase.FAILED, failing=frozenset({0})),
    Scenario("two", RunPhase.SUCCEEDED, runs=("film-a", "film-b")),
    Scenario("upgrade", RunPhase.SUCCEEDED, departments=3, held=SECOND, interfere=_upgrade),
    Scenario("dead-node", RunPhase.SUCCEEDED, held=SECOND, on_dead_node=SECOND, interfere=_lose_node),
    Scenario("suspend", RunPhase.SUCCEEDED, held=SECOND, interfere=_suspend),
)
SCENARIOS: Final = {s.name: s for s in ALL if s.name != "suspend" or _serves("suspend")}


async def interfere(scenario: Scenario, stage: Stage) -> None:
    """Do what the story wants done to each of its runs."""
    await asyncio.gather(*(scenario.interfere(stage, run) for run in scenario.runs))
