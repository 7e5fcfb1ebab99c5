"""What was measured as tables that read well in a terminal and in a document."""

from collections.abc import Sequence
from typing import Any

from tests.bench.brain.rows import Measured
from tests.bench.brain.sustained import Sustained
from tests.bench.measure import Memory, spread

MEMORY_GOAL_MIB = 400


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned in plain text too; all but the first to the right."""
    widths = [max(2, *map(len, column)) for column in zip(head, *body, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(aligned)} |"

    first, *others = widths
    rule = f"| {'-' * first} | {' | '.join('-' * (width - 1) + ':' for width in others)} |"
    return "\n".join([line(head), rule, *map(line, body)])


def rows_table(rows: Sequence[Measured]) -> str:
    """Return the requests one at a time."""
    head = ("ms", "required p95", "our goal", "p95", "median", "min", "max", "n", "errors",
            "floor", "x floor", "embedding", "CPU brain", "CPU Neo4j")  # fmt: skip
    return table(head, [_row(each) for each in rows])


def floors_text(rows: Sequence[Measured]) -> str:
    """Say what each row's floor is."""
    return "\n".join(f"floor of {each.row.title}: {each.row.floor}" for each in rows)


def sustained_table(found: Sustained) -> str:
    """Return all kinds at once."""
    head = ("ms", "a minute", "required p95", "p95", "median", "min", "max", "n", "errors")
    body = []
    for kind in found.kinds:
        wall = spread(kind.walls)
        times = (wall.p95, wall.median, wall.least, wall.most)
        body.append((kind.title, f"{kind.per_minute:g}", _ms(kind.required_ms), *map(_ms, times), str(wall.n),
                     str(len(kind.errors))))  # fmt: skip
    return table(head, body)


def sustained_text(found: Sustained) -> str:
    """Say what it took."""
    return (
        f"{found.seconds:.0f} s; cores in use: brain {found.brain_cores:.2f}, Neo4j {found.neo4j_cores:.2f}; "
        f"brain's memory before {_mib(found.before)}, after {_mib(found.after)}, "
        f"highest PSS {found.peak_pss:.0f} MiB"
    )


def memory_text(memory: Memory) -> str:
    """Say what the brain's process holds, next to what it may."""
    return f"{_mib(memory)}, highest RSS {memory.peak_rss:.0f} MiB (goal: {MEMORY_GOAL_MIB})"


def sustained_json(found: Sustained) -> dict[str, Any]:
    """Return it for a file."""
    return {
        "seconds": found.seconds,
        "kinds": [kind.as_json() for kind in found.kinds],
        "brainCores": found.brain_cores,
        "neo4jCores": found.neo4j_cores,
        "peakPssMib": found.peak_pss,
    }


def _row(measured: Measured) -> tuple[str, ...]:
    row, wall, floor = measured.row, measured.wall(), spread(measured.floors)
    embedding = spread(measured.embeddings).median if measured.embeddings else None
    goal = "-" if row.goal_ms is None else _ms(row.goal_ms)
    times = map(_ms, (wall.p95, wall.median, wall.least, wall.most))
    return (
        row.title, _ms(row.required_ms), goal, *times, str(wall.n), str(len(measured.errors)),
        _ms(floor.median), f"{wall.median / floor.median:.1f}", "-" if embedding is None else _ms(embedding),
        _ms(measured.brain_cpu_ms), _ms(measured.neo4j_cpu_ms),
    )  # fmt: skip


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _mib(memory: Memory) -> str:
    return f"RSS {memory.rss:.0f} / PSS {memory.pss:.0f} MiB"
