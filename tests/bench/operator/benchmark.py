"""The operator's benchmark: floor, sketch and operator in turn, at several sizes, with a gate."""

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Final

import typer

from dev.progress import Reporter
from tests.bench.measure import Machine, this_machine
from tests.bench.operator.arms import Arm, Outcome, measure
from tests.bench.operator.handover import measure_handovers
from tests.bench.operator.job_parts import measure_parts
from tests.bench.operator.jobs import STEPS
from tests.bench.operator.memory import measure_memory
from tests.bench.operator.tables import handovers_table, held_text, outcomes_table, parts_table, writes_text

SIZES: Final = (1, 20, 100, 500)
WRITES_RUNS: Final = 5
WRITES_STEPS: Final = 3
WRITES_DELAY_MS: Final = 3000
ALL_MORE: Final = (
    (Arm.OPERATOR, 1000, STEPS, 1),
    (Arm.OPERATOR, 20, 32, 1),
    (Arm.OPERATOR, 100, STEPS, 2),
    (Arm.OPERATOR, 500, STEPS, 2),
)
"""With --all: what is measured besides: runs at once, departments of each, shards."""
ALL_HELD: Final = (5000, 1000, STEPS, 300.0)
"""Ended runs, runs at work, their departments, seconds of quiet."""
ALL_HANDOVERS: Final = 5
ALL_ROUNDS: Final = 3
RECORDED: Final = Path(__file__).with_name("recorded.json")
TOLERANCE: Final = 1.2
"""A mean that is so many times the recorded one fails."""

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def operator(  # noqa: PLR0917 - options, given by name
    runs: Annotated[list[int] | None, typer.Option(min=1, help="Runs at once; several times.")] = None,
    arm: Annotated[list[Arm] | None, typer.Option(help="Measure this alone; several times.")] = None,
    shards: Annotated[
        list[int] | None, typer.Option(min=1, max=8, help="Shards of the operator; several times.")
    ] = None,
    cpu_limit: Annotated[
        float | None, typer.Option(min=0.01, help="Cores that each process of the operator has at most.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Measure each size so often.")] = 1,
    writes: Annotated[bool, typer.Option(help="Count the API writes of runs of three departments.")] = True,
    finished: Annotated[int, typer.Option(min=0, help="Ended runs beside which memory is measured.")] = 0,
    live: Annotated[int, typer.Option(min=1, help="Runs at work beside them.")] = 100,
    departments: Annotated[int, typer.Option(min=1, max=32, help="Of each ended run.")] = 7,
    quiet_s: Annotated[float, typer.Option(min=0, help="Leave that cluster alone so long.")] = 60,
    steps: Annotated[int, typer.Option(min=1, max=32, help="Departments of each measured run.")] = STEPS,
    handovers: Annotated[int, typer.Option(min=0, help="Hand-overs of each kind between two replicas.")] = 0,
    job_parts: Annotated[int, typer.Option(min=0, help="Rounds to weigh each part of a Job.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="All of it, in about 45 minutes.")] = False,
    profile: Annotated[Path | None, typer.Option(help="Write the operator's profile here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every measured value here.")] = None,
    record: Annotated[bool, typer.Option(help="Make these the recorded figures.")] = False,
) -> None:
    """Measure the operator with runs of seven departments whose pods end at once.

    Fails if a run does not end, or if what does not depend on the machine's load (processor time and API
    writes of a run) is a fifth above the recorded figures.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reporter, machine = Reporter(), this_machine()
    reporter.say(machine.as_line())
    if everything:
        finished, live, departments, quiet_s = ALL_HELD
        handovers, job_parts = ALL_HANDOVERS, ALL_ROUNDS
    plan = [
        (each, size, steps, parts)
        for size in runs or SIZES
        for _ in range(repeats)
        for each in arm or list(Arm)
        for parts in (shards or [1] if each is Arm.OPERATOR else [1])
    ]
    found = [
        measure(
            each,
            size,
            reporter,
            of,
            profile=profile,
            shards=parts,
            cpu_limit=cpu_limit if each is Arm.OPERATOR else None,
        )
        for each, size, of, parts in (*plan, *(ALL_MORE if everything else ()))
    ]
    reporter.say(f"\n{outcomes_table(found)}\n")
    counted = measure_writes(reporter) if writes else None
    if counted is not None:
        reporter.say(writes_text(counted))
    if finished:
        reporter.say(held_text(measure_memory(finished, live, departments, quiet_s, reporter)))
    if handovers:
        reporter.say(f"\n{handovers_table(measure_handovers(handovers, reporter))}\n")
    if job_parts:
        reporter.say(f"\n{parts_table(measure_parts(job_parts, reporter))}\n")
    all_failures = judge(found, counted, machine, json_file, is_recorded=record)
    for failure in all_failures:
        reporter.say(failure)
    if all_failures:
        raise typer.Exit(1)


def judge(
    found: Sequence[Outcome],
    counted: Outcome | None,
    machine: Machine,
    json_file: Path | None,
    *,
    is_recorded: bool,
) -> list[str]:
    """Write the figures where they are wanted; return what failed, and what costs too much."""
    figures = costs(found, counted)
    if is_recorded:
        RECORDED.write_text(f"{json.dumps(figures, indent=1, sort_keys=True)}\n", encoding="utf-8")
    if json_file is not None:
        all_found = {
            "machine": machine.as_json(),
            "arms": [as_json(each) for each in found],
            "costs": figures,
        }
        json_file.write_text(json.dumps(all_found), encoding="utf-8")
    failures = [failure for each in (*found, *([counted] if counted else [])) for failure in each.failures]
    return failures + above(figures, json.loads(RECORDED.read_text(encoding="utf-8")))


def measure_writes(reporter: Reporter) -> Outcome:
    """Count the writes of a few runs of three departments whose pods take three seconds each."""
    return measure(Arm.OPERATOR, WRITES_RUNS, reporter, WRITES_STEPS, WRITES_DELAY_MS)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return every measured value; `asdict` alone would count a Counter's pairs."""
    return {**asdict(outcome), "writes": dict(outcome.writes)}


def costs(found: Sequence[Outcome], counted: Outcome | None) -> dict[str, float]:
    """Return what does not depend on what else the machine does."""
    figures: dict[str, float] = {}
    usual = [
        o
        for o in found
        if o.arm is Arm.OPERATOR and o.steps == STEPS and o.shards == 1 and o.cpu_limit is None
    ]
    for size in sorted({o.runs for o in usual}):
        group = [o for o in usual if o.runs == size]
        figures[f"cpu ms a run, {size} runs"] = mean(1000 * o.cpu_s / o.runs for o in group)
        figures[f"writes a run, {size} runs"] = mean(sum(o.writes.values()) / o.runs for o in group)
    if counted is not None:
        figures[f"writes a run of {WRITES_STEPS} departments"] = sum(counted.writes.values()) / counted.runs
    return {name: round(value, 1) for name, value in figures.items()}


def above(figures: dict[str, float], recorded: dict[str, Any]) -> list[str]:
    """Return what is too far above its recorded figure."""
    return [
        f"{name}: {value:g}, recorded {recorded[name]:g}: more than a fifth above"
        for name, value in figures.items()
        if name in recorded and value > TOLERANCE * recorded[name]
    ]


if __name__ == "__main__":
    command()
