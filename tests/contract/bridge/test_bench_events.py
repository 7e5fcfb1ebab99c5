"""The benchmark runs from end to end and nothing is lost; how fast the bridge is, is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

from dev.paths import ROOT

TIMEOUT_S = 300


def test_no_event_is_lost_and_no_client_refused(tmp_path: Path) -> None:
    """In an update, a killed or hung Redis or bridge, herds, a burst, and beside idle connections."""
    found = tmp_path / "found.json"
    command = [sys.executable, "-m", "tests.bench.events.benchmark", "--small", "--json", str(found)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    measured = json.loads(found.read_text("utf-8"))
    assert [len(row["ms"]) > 0 for row in measured["timings"]] == [True] * 5
    assert [row["title"].split(",")[0] for row in measured["faults"]] == [
        "rolling update",
        "Redis killed",
        "bridge killed",
        "Redis hung for 1 s",
        "bridge hung for 1 s",
    ]
    for row in measured["faults"]:
        assert row["errors"] == {"lost": 0, "doubled": 0, "wrong": 0, "reloads": 0}
    update, redis_killed, bridge_killed, *hung = measured["faults"]
    assert list(update["closed"]) == ["1012"]
    assert list(bridge_killed["closed"]) == ["1006"]
    assert [row["connections"] for row in (redis_killed, *hung)] == [1, 1, 1]
