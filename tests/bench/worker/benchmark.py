"""The worker's benchmark: prepare, measure, show."""

import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from dev.progress import Reporter
from tests.bench.measure import Machine, spread, this_machine
from tests.bench.report import table
from tests.bench.worker.cluster import cluster_rows
from tests.bench.worker.rows import (
    GOALS_S,
    PROJECTS,
    Row,
    Runs,
    libraries_s,
    projects_row,
    run_at_once,
    run_iterations,
    start_s,
)
from tests.bench.worker.stage import Stage, stage

OWN_GOAL_MS: Final = 400
START_GOAL_MS: Final = 1500
MEMORY_GOAL_MIB: Final = 200
"""The goals of docs/bench.md, with those of `worker_rows.py`."""
SEED: Final = 7


class Part(StrEnum):
    """What can be measured alone."""

    START = "start"
    FAST = "fast"
    SLOW = "slow"
    PROJECTS = "projects"


command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def worker(  # noqa: PLR0917 - options, given by name
    items: Annotated[int, typer.Option(min=0, help="Notes that the project has before.")] = 500,
    iterations: Annotated[int, typer.Option(min=1, max=500, help="Of a run (fast, slow).")] = 50,
    latency_s: Annotated[float, typer.Option(min=0, help="Of the demo model (slow, projects).")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="Starts that are timed.")] = 15,
    projects_iterations: Annotated[int, typer.Option(min=1, help="Of each project (projects).")] = 4,
    only: Annotated[
        list[Part] | None, typer.Option(help="Measure this alone; may be given several times.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Measure GatherRuns in this namespace of the running cluster, pods included."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
) -> None:
    """Measure the worker against its goals on this machine; all that it needs is started here.

    Fails only if a worker does: whether a time is good is for the reader, who knows what else ran.
    """
    # An end from outside also ends what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reporter, machine = Reporter(), this_machine()
    reporter.say(machine.as_line())
    parts = only or list(Part)
    if cluster is not None:
        rows, failures = cluster_rows(cluster, parts, iterations, latency_s, reporter)
    else:
        with stage(reporter) as theatre:
            bench = Bench(theatre, reporter, items, iterations, latency_s)
            rows, failures = bench.measure(parts, repeats, projects_iterations)
    reporter.say(f"\n{rows_table(rows)}\n\n{notes_text(rows)}")
    if json_file is not None:
        json_file.write_text(json.dumps(_as_json(machine, rows, failures)), encoding="utf-8")
    for failure in failures:
        reporter.say(failure)
    if failures:
        raise typer.Exit(1)


class Bench:
    """One series of measurements on one stage."""

    def __init__(
        self, theatre: Stage, reporter: Reporter, items: int, iterations: int, latency_s: float
    ) -> None:
        self._stage = theatre
        self._reporter = reporter
        self._items = items
        self._iterations = iterations
        self._latency_s = latency_s
        self._seeds = 0
        self._memory_mib: list[float] = []
        self._failures: list[str] = []

    def measure(
        self, parts: Sequence[Part], repeats: int, projects_iterations: int
    ) -> tuple[list[Row], list[str]]:
        """Return the rows of these parts, and what failed."""
        measures: dict[Part, Callable[[], list[Row]]] = {
            Part.START: lambda: self._starts(repeats),
            Part.FAST: lambda: self._run("fast", 0.0),
            Part.SLOW: lambda: self._run("slow", self._latency_s),
            Part.PROJECTS: lambda: self._projects(projects_iterations),
        }
        # Whatever answers for the first time answers slowly.
        with self._reporter.step("Warming up"):
            self._noted(run_iterations(self._stage, self._project(20), 2))
        rows = [row for part in measures if part in parts for row in measures[part]()]
        title = "highest resident memory of a worker"
        memory = Row("memory", title, "MiB", MEMORY_GOAL_MIB, self._memory_mib)
        return [*rows, memory], self._failures

    def _project(self, items: int | None = None) -> str:
        self._seeds += 1
        count = self._items if items is None else items
        return self._stage.seeded_project(count, SEED + self._seeds)

    def _noted(self, runs: Runs) -> Runs:
        self._memory_mib += runs.memory_mib
        self._failures += runs.failures()
        return runs

    def _starts(self, repeats: int) -> list[Row]:
        title = "start of a worker's process to its first request to the model"
        with self._reporter.step(f"Starting {repeats} workers"):
            project = self._project()
            start_s(self._stage, project, 1)
            found = [(start_s(self._stage, project, 1), libraries_s()) for _ in range(repeats)]
        starts, floors = ([1000 * value for value in column] for column in zip(*found, strict=True))
        note = "floor: a process that imports the libraries"
        return [Row("start", title, "ms", START_GOAL_MS, starts, floors, note)]

    def _run(self, key: str, latency_s: float) -> list[Row]:
        with self._reporter.step(f"{self._iterations} iterations, the model answers in {latency_s:g} s"):
            project = self._project()
            self._stage.behave(latency_s)
            try:
                runs = self._noted(run_iterations(self._stage, project, self._iterations))
            finally:
                self._stage.behave(0)
        return run_rows(key, runs, latency_s, GOALS_S[key])

    def _projects(self, iterations: int) -> list[Row]:
        with self._reporter.step(f"One project, then {PROJECTS} at once"):
            projects = [self._project() for _ in range(1 + PROJECTS)]
            self._stage.behave(self._latency_s)
            try:
                alone = self._noted(run_at_once(self._stage, projects[:1], iterations))
                all_at_once = self._noted(run_at_once(self._stage, projects[1:], iterations))
            finally:
                self._stage.behave(0)
        return [projects_row("projects", "projects", alone.wall_s, all_at_once.wall_s, iterations)]


def run_rows(key: str, runs: Runs, latency_s: float, goal_s: float) -> list[Row]:
    """Return what a run of workers shows: an iteration's own time, and the run's."""
    model = f"model answers in {latency_s:g} s"
    each = "floor: the time in which the model was awaited, of all iterations together"
    own, wall = runs.numbers("own_ms"), runs.numbers("wall_ms")
    parts = ", ".join(
        f"{name} {spread(runs.numbers(f'{name}_ms')).median:.0f}"
        for name in ("model", "brain", "mongodb", "deduplication")
    )
    return [
        Row(f"{key}-own", f"an iteration's own time, {model}", "ms", OWN_GOAL_MS, own, (),
            f"medians in ms, some at the same time: {parts}"),
        Row(f"{key}-wall", f"an iteration, {model}", "ms", None, wall, runs.numbers("model_ms")),
        Row(f"{key}-run", f"{runs.iterations} iterations in {len(runs.ended)} workers, {model}", "s",
            goal_s, [runs.wall_s], [runs.model_s] if latency_s else [], each),
    ]  # fmt: skip


def rows_table(rows: Sequence[Row]) -> str:
    """Return the table."""
    head = ("", "unit", "goal", "p95", "median", "min", "max", "n", "floor", "x floor")
    return table(head, [_cells(row) for row in rows if row.values])


def _cells(row: Row) -> tuple[str, ...]:
    found, goal = spread(row.values), "-" if row.goal is None else f"{row.goal:g}"
    floor = spread(row.floors).median if row.floors else 0.0
    shown = (f"{floor:.4g}", f"{found.median / floor:.2f}") if floor else ("-", "-")
    times = (f"{value:.4g}" for value in (found.p95, found.median, found.least, found.most))
    return (row.title, row.unit, goal, *times, str(found.n), *shown)


def notes_text(rows: Sequence[Row]) -> str:
    """Return what belongs below the table."""
    return "\n".join(f"{row.title}: {row.note}" for row in rows if row.note and row.values)


def _as_json(machine: Machine, rows: Sequence[Row], failures: Sequence[str]) -> dict[str, object]:
    return {
        "machine": machine.as_json(),
        "rows": [asdict(row) for row in rows],
        "failures": list(failures),
    }


if __name__ == "__main__":
    command()
