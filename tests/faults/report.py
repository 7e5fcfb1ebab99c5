"""How many plans of each row were survived, and what they cost in time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.faults.plans import Plan


@dataclass(frozen=True, slots=True)
class Result:
    """How one plan ended."""

    plan: Plan
    breaches: tuple[str, ...]
    """What was broken, in words; none: it was survived."""
    extra_s: float
    """How much longer than without a fault it took."""
    is_late: bool = False
    """Nothing was broken, but it took too long."""
    is_reached: bool = True
    """Its point was passed; else nothing was injected, and it counts in no row."""


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table; below it the plans without an injection, and those that were not survived."""
    rows: dict[str, list[Result]] = defaultdict(list)
    counted = [result for result in results if result.is_reached or result.breaches]
    for result in counted:
        rows[result.plan.row].append(result)
    lines = ["| fault | survived | extra time: least | median | most |", "| --- | --- | --- | --- | --- |"]
    lines += [_line(row, rows[row]) for row in sorted(rows)]
    lines += [_line("all", counted)] if counted else []
    lines += [f"not passed: {r.plan.name}" for r in results if r not in counted]
    failed = [r for r in results if r.breaches]
    lines += [f'{"; ".join(r.breaches)}\n    make faults ARGS="--only {r.plan.name}"' for r in failed]
    return "\n".join(lines)


def _line(row: str, results: Sequence[Result]) -> str:
    survived = sum(not r.breaches for r in results)
    extra_s = [r.extra_s for r in results]
    times = f"{min(extra_s):.1f} s | {median(extra_s):.1f} s | {max(extra_s):.1f} s"
    return f"| {row} | {survived}/{len(results)} | {times} |"
