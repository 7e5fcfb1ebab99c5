"""The worker's benchmark runs from end to end; how fast the worker is, is no test's business."""

from collections.abc import Iterator

import pytest

from dev.progress import Reporter
from tests.bench.worker.benchmark import Bench, Part, notes_text, rows_table
from tests.bench.worker.stage import Stage, stage
from tests.bench.worker.sync_benchmark import SyncBench
from tests.support.worker_harness import Services

SLOW = 1.0
"""Seconds that the demo model takes; own time must not hold them."""


@pytest.fixture
def theatre(services: Services) -> Iterator[Stage]:
    """The session's services as a stage."""
    with stage(Reporter(), services) as found:
        yield found


@pytest.mark.long
def test_each_part_measures_and_no_worker_fails(theatre: Stage) -> None:
    """Starts with their floor, iterations with their own time, several projects against one, memory."""
    bench = Bench(theatre, Reporter(), items=14, iterations=1, latency_s=SLOW)
    rows, failures = bench.measure([Part.START, Part.SLOW, Part.PROJECTS], repeats=1, projects_iterations=1)
    assert failures == []
    found = {row.key: row for row in rows}
    assert set(found) == {"start", "slow-own", "slow-wall", "slow-run", "projects", "memory"}
    assert all(value > 0 for row in rows for value in row.values)
    (own_ms,), (wall_ms,) = found["slow-own"].values, found["slow-wall"].values
    (model_ms,) = found["slow-wall"].floors
    assert model_ms >= 2 * 1000 * SLOW
    assert own_ms == pytest.approx(wall_ms - model_ms, abs=2)
    assert len(rows_table(rows).splitlines()) == len(rows) + 2
    assert "floor" in notes_text(rows)


@pytest.mark.long
def test_the_sync_is_measured_with_its_floors(theatre: Stage) -> None:
    """All new, none new, some changed; each repeat checks what the command reports."""
    rows = SyncBench(theatre, Reporter(), notes=120, words=75).measure(1, 2)
    found = {row.key: row for row in rows}
    assert set(found) == {"sync-new", "sync-none", "sync-some", "sync-memory"}
    assert [len(row.values) for row in rows] == [1, 2, 2, 5]
    assert all(value > 0 for row in rows for value in (*row.values, *row.floors))
