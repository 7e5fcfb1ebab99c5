"""The small size of `make chaos`: runs among services that are killed, stopped and given new passwords."""

import subprocess
import sys

import pytest

from dev.paths import ROOT

pytestmark = pytest.mark.long
TIMEOUT_S = 1800
"""It starts services of its own, Neo4j among them, and ends two or three of them once."""


def test_runs_among_services_that_fail_lose_and_double_nothing() -> None:
    """Every run ends with a reason, and MongoDB, brain, ledger, events and queue agree."""
    command = [sys.executable, "-m", "tests.chaos.campaign", "--small"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "0 breaches" in done.stdout
