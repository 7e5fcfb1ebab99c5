"""The operator's figures as tables and sentences."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final

from tests.bench.measure import MS_PER_S
from tests.bench.operator.arms import FLOORS, Arm, Outcome
from tests.bench.operator.handover import GOAL_S, SIGNALS, Handover
from tests.bench.operator.job_parts import Cost
from tests.bench.operator.jobs import STEPS
from tests.bench.operator.memory import Held
from tests.bench.report import table

WRITES_GOAL: Final = 12


def outcomes_table(found: Sequence[Outcome]) -> str:
    """Return one line for each arm and size; where a size was measured several times, min/median/max."""
    head = ("", "runs", "runs/min", "x floor", "gap p50 ms", "gap p99 ms", "x floor", "lag p99 s",
            "CPU ms/run", "API server", "cluster", "MiB", "writes/run")  # fmt: skip
    groups: dict[tuple[int, int, Arm, int, float | None], list[Outcome]] = {}
    for each in found:
        groups.setdefault((each.runs, each.steps, each.arm, each.shards, each.cpu_limit), []).append(each)
    rows = [
        _cells(group, groups.get((runs, steps, Arm.FLOOR, 1, None)))
        for (runs, steps, *_), group in groups.items()
    ]
    return table(head, rows)


def _cells(group: Sequence[Outcome], floor: Sequence[Outcome] | None) -> tuple[str, ...]:
    rates, p99 = [o.runs_per_minute for o in group], [o.gap_ms(0.99) for o in group]
    is_floor = group[0].arm is Arm.FLOOR or not floor
    floors = floor or group
    rate = "-" if is_floor else f"{mean(rates) / mean(o.runs_per_minute for o in floors):.2f}"
    gap = "-" if is_floor else f"{mean(p99) / mean(o.gap_ms(0.99) for o in floors):.2f}"
    lag, cpu, memory = ("-",) * 3 if group[0].arm in FLOORS else (
        _range([o.lag_s(0.99) for o in group], 1),
        _range([MS_PER_S * o.cpu_s / o.runs for o in group]),
        _range([o.memory_mib for o in group]),
    )  # fmt: skip
    server = _range([MS_PER_S * o.cluster_cpu_s["API server"] / o.runs for o in group])
    cluster = _range([MS_PER_S * sum(o.cluster_cpu_s.values()) / o.runs for o in group])
    runs = str(group[0].runs) if group[0].steps == STEPS else f"{group[0].runs} of {group[0].steps}"
    parts = f", {group[0].shards} shards" if group[0].shards > 1 else ""
    if group[0].cpu_limit:
        parts += f", {group[0].cpu_limit:g} cores each"
    return (
        f"{group[0].arm}{parts}", runs, _range(rates), rate, _range([o.gap_ms(0.5) for o in group]),
        _range(p99), gap, lag, cpu, server, cluster, memory,
        _range([sum(o.writes.values()) / o.runs for o in group], 1),
    )  # fmt: skip


def _range(values: Sequence[float], digits: int = 0) -> str:
    ordered = sorted(values)
    shown = dict.fromkeys(f"{v:.{digits}f}" for v in (ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return "/".join(shown)


def writes_text(counted: Outcome) -> str:
    """Say what a run of three departments writes."""
    each = ", ".join(f"{what} {count / counted.runs:g}" for what, count in sorted(counted.writes.items()))
    of_all = sum(count for what, count in counted.writes.items() if what.endswith(" leases"))
    own = (sum(counted.writes.values()) - of_all) / counted.runs
    return (
        f"API writes of a run of {counted.steps} departments (goal {WRITES_GOAL}): {own:g}, "
        f"beside the Lease of all runs together ({each})"
    )


def held_text(held: Held) -> str:
    """Say what ended runs and a quiet cluster cost."""
    calls = ", ".join(f"{what} {count}" for what, count in held.quiet_calls.most_common())
    return (
        f"{held.finished} ended runs of {held.departments} departments: {held.start_mib:.0f} MiB; with "
        f"{held.live} at work: {held.peak_mib:.0f} MiB; in {held.quiet_s:g} s of quiet: "
        f"{held.quiet_cpu_s:.1f} s of processor time, calls: {calls or 'none'}"
    )


def handovers_table(found: Sequence[Handover]) -> str:
    """Return how long no operator acted, by what became of the one that did."""
    head = (f"the acting replica was (goal {GOAL_S:g} s)", "times", "Lease taken after s", "next Job after s")
    rows = []
    for how in SIGNALS:
        those = [each for each in found if each.how == how]
        taken, acting = ([getattr(e, name) for e in those] for name in ("taken_s", "acting_s"))
        rows.append((how, str(len(those)), _range(taken, 1), _range(acting, 1)))
    return table(head, rows)


def parts_table(found: Mapping[str, Cost]) -> str:
    """Return what a Job costs the cluster in processor time, without one part after the other."""
    programs = list(next(iter(found.values())).cpu_ms)
    head = ("ms of processor time a Job", *programs, "all", "requests")
    return table(head, [
        (
            variant if variant in {"floor's", "ours"} else f"ours without {variant}",
            *(f"{cost.cpu_ms[program]:.1f}" for program in programs),
            f"{sum(cost.cpu_ms.values()):.1f}",
            f"{sum(cost.requests.values()):.1f}",
        )
        for variant, cost in found.items()
    ])  # fmt: skip
