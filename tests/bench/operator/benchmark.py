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
from tests.bench.measure import this_machine
from tests.bench.operator.arms import FLOORS, Arm, Outcome, measure
from tests.bench.operator.memory import Held, measure_memory
from tests.bench.report import table

SIZES: Final = (1, 20, 100, 500)
WRITES_RUNS: Final = 5
WRITES_STEPS: Final = 3
WRITES_DELAY_MS: Final = 3000
WRITES_GOAL: Final = 12
RECORDED: Final = Path(__file__).with_name("recorded.json")
TOLERANCE: Final = 1.2
"""A mean that is so many times the recorded one fails."""

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def operator(  # noqa: PLR0917 - options, given by name
    runs: Annotated[list[int] | None, typer.Option(min=1, help="Runs at once; several times.")] = None,
    arm: Annotated[list[Arm] | None, typer.Option(help="Measure this alone; several times.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Measure each size so often.")] = 1,
    writes: Annotated[bool, typer.Option(help="Count the API writes of runs of three departments.")] = True,
    finished: Annotated[int, typer.Option(min=0, help="Ended runs beside which memory is measured.")] = 0,
    live: Annotated[int, typer.Option(min=1, help="Runs at work beside them.")] = 100,
    departments: Annotated[int, typer.Option(min=1, max=32, help="Of each ended run.")] = 7,
    quiet_s: Annotated[float, typer.Option(min=0, help="Leave that cluster alone so long.")] = 60,
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
    found = [
        measure(each, size, reporter, profile=profile)
        for size in runs or SIZES
        for _ in range(repeats)
        for each in arm or list(Arm)
    ]
    reporter.say(f"\n{outcomes_table(found)}\n")
    counted = measure_writes(reporter) if writes else None
    if counted is not None:
        reporter.say(writes_text(counted))
    if finished:
        held = measure_memory(finished, live, departments, quiet_s, reporter)
        reporter.say(held_text(held))
    figures = costs(found, counted)
    if record:
        RECORDED.write_text(f"{json.dumps(figures, indent=1, sort_keys=True)}\n", encoding="utf-8")
    if json_file is not None:
        all_found = {
            "machine": machine.as_json(),
            "arms": [as_json(each) for each in found],
            "costs": figures,
        }
        json_file.write_text(json.dumps(all_found), encoding="utf-8")
    failures = [failure for each in (*found, *([counted] if counted else [])) for failure in each.failures]
    failures += above(figures, json.loads(RECORDED.read_text(encoding="utf-8")))
    for failure in failures:
        reporter.say(failure)
    if failures:
        raise typer.Exit(1)


def measure_writes(reporter: Reporter) -> Outcome:
    """Count the writes of a few runs of three departments whose pods take three seconds each."""
    return measure(Arm.OPERATOR, WRITES_RUNS, reporter, WRITES_STEPS, WRITES_DELAY_MS)


def outcomes_table(found: Sequence[Outcome]) -> str:
    """Return one line for each arm and size; where a size was measured several times, min/median/max."""
    head = ("", "runs", "runs/min", "x floor", "gap p50 ms", "gap p99 ms", "x floor", "lag p99 s",
            "CPU ms/run", "MiB", "writes/run")  # fmt: skip
    groups: dict[tuple[int, Arm], list[Outcome]] = {}
    for each in found:
        groups.setdefault((each.runs, each.arm), []).append(each)
    return table(head, [_cells(group, groups.get((size, Arm.FLOOR))) for (size, _), group in groups.items()])


def _cells(group: Sequence[Outcome], floor: Sequence[Outcome] | None) -> tuple[str, ...]:
    rates, p99 = [o.runs_per_minute for o in group], [o.gap_ms(0.99) for o in group]
    is_floor = group[0].arm is Arm.FLOOR or not floor
    floors = floor or group
    rate = "-" if is_floor else f"{mean(rates) / mean(o.runs_per_minute for o in floors):.2f}"
    gap = "-" if is_floor else f"{mean(p99) / mean(o.gap_ms(0.99) for o in floors):.2f}"
    others = ("-",) * 3 if group[0].arm in FLOORS else (
        _range([o.lag_s(0.99) for o in group], 1),
        _range([1000 * o.cpu_s / o.runs for o in group]),
        _range([o.memory_mib for o in group]),
    )  # fmt: skip
    return (
        str(group[0].arm), str(group[0].runs), _range(rates), rate, _range([o.gap_ms(0.5) for o in group]),
        _range(p99), gap, *others, _range([sum(o.writes.values()) / o.runs for o in group], 1),
    )  # fmt: skip


def _range(values: Sequence[float], digits: int = 0) -> str:
    ordered = sorted(values)
    shown = dict.fromkeys(f"{v:.{digits}f}" for v in (ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return "/".join(shown)


def writes_text(counted: Outcome) -> str:
    """Say what a run of three departments writes."""
    each = ", ".join(f"{what} {count / counted.runs:g}" for what, count in sorted(counted.writes.items()))
    total = sum(counted.writes.values()) / counted.runs
    return f"API writes of a run of {WRITES_STEPS} departments (goal {WRITES_GOAL}): {total:g} ({each})"


def held_text(held: Held) -> str:
    """Say what ended runs and a quiet cluster cost."""
    calls = ", ".join(f"{what} {count}" for what, count in held.quiet_calls.most_common())
    return (
        f"{held.finished} ended runs of {held.departments} departments: {held.start_mib:.0f} MiB; with "
        f"{held.live} at work: {held.peak_mib:.0f} MiB; in {held.quiet_s:g} s of quiet: "
        f"{held.quiet_cpu_s:.1f} s of processor time, calls: {calls or 'none'}"
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return every measured value; `asdict` alone would count a Counter's pairs."""
    return {**asdict(outcome), "writes": dict(outcome.writes)}


def costs(found: Sequence[Outcome], counted: Outcome | None) -> dict[str, float]:
    """Return what does not depend on what else the machine does."""
    figures: dict[str, float] = {}
    for size in sorted({o.runs for o in found if o.arm is Arm.OPERATOR}):
        group = [o for o in found if o.arm is Arm.OPERATOR and o.runs == size]
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
