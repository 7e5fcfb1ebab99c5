"""The benchmark runs from end to end; how fast the brain is, is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dev.paths import ROOT

TIMEOUT_S = 300
SIZES = ["--nodes", "200", "--others", "200", "--other-projects", "3", "--repeats", "1", "--no-warm-up"]
LOAD = ["--sustained-s", "6", "--rate", "0.1", "--departments", "1"]
"""A tenth of the required rates, which the busiest machine can do without an error."""
ROWS = {
    "duplicates",
    "context",
    "coverage-unseen",
    "coverage-seen",
    "coverage-worker",
    "batch-10",
    "batch-50",
    "list-500",
    "delete-100",
}


def run(neo4j_uri: str, *options: str) -> str:
    """Run the benchmark on this Neo4j and return what it printed."""
    command = [sys.executable, "-m", "tests.bench.brain.benchmark", "--neo4j", neo4j_uri, *SIZES, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_benchmark_prints_every_row_and_meets_no_error(neo4j_uri: str, tmp_path: Path) -> None:
    """Each row and each kind of the sustained load has values, and no request failed."""
    found = tmp_path / "found.json"
    printed = run(neo4j_uri, "--json", str(found), *LOAD)
    measured = json.loads(found.read_text(encoding="utf-8"))
    assert {row["key"] for row in measured["rows"]} == ROWS
    assert all(len(row["wallMs"]) == len(row["floorMs"]) == 1 for row in measured["rows"])
    assert len(measured["sustained"]["kinds"]) == 4
    assert all(kind["latencyMs"] and not kind["errors"] for kind in measured["sustained"]["kinds"])
    tables = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(tables) == len(ROWS) + len(measured["sustained"]["kinds"]) + 4


@pytest.mark.long
def test_two_replicas_are_measured_beside_one(neo4j_uri: str, tmp_path: Path) -> None:
    """Each kind with one and with two, each brain slowed down, and no request failed."""
    found = tmp_path / "found.json"
    printed = run(neo4j_uri, "--replicas", "2", "--replicas-s", "1", "--json", str(found))
    measured = json.loads(found.read_text(encoding="utf-8"))
    assert [each["replicas"] for each in measured] == [1, 2] * 4
    assert all(each["answersPerSecond"] > 0 and not each["errors"] for each in measured)
    assert len([line for line in printed.splitlines() if line.startswith("| ")]) == len(measured) + 2
