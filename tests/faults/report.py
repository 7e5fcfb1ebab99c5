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


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table, and below it the plans that were not survived."""
    rows: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        rows[result.plan.row].append(result)
    lines = ["| fault | survived | extra time: least | median | most |", "| --- | --- | --- | --- | --- |"]
    lines += [_line(row, rows[row]) for row in sorted(rows)]
    lines.append(_line("all", results))
    failed = [r for r in results if r.breaches]
    lines += [f'{"; ".join(r.breaches)}\n    make faults ARGS="--only {r.plan.name}"' for r in failed]
    return "\n".join(lines)


def _line(row: str, results: Sequence[Result]) -> str:
    survived = sum(not r.breaches for r in results)
    extra_s = [r.extra_s for r in results]
    times = f"{min(extra_s):.1f} s | {median(extra_s):.1f} s | {max(extra_s):.1f} s"
    return f"| {row} | {survived}/{len(results)} | {times} |"
