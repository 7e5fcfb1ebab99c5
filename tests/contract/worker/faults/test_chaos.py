"""Two sizes of `make chaos`: runs among services that are killed, stopped, cut off, given new passwords."""

import subprocess
import sys
from pathlib import Path

import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.service_process import ServiceProcess
from gather_contracts.reasons import RunPhase
from tests.chaos.campaign import SMALL_SHAPE, Campaign, Options
from tests.chaos.played_operator import PlayedOperator
from tests.chaos.world import BRAIN, NEO4J, world
from tests.support.workers.process_forks import ProcessForks

TIMEOUT_S = 1800
"""It starts services of its own, Neo4j among them, and ends two or three of them once."""
OFTEN = ("kill/mongodb", "cut/brain", "stop/redis", "kill/model", "kill/bridge")
"""What costs neither a brain's start nor Neo4j's."""


def test_runs_among_services_that_come_and_go_lose_and_double_nothing(
    store_artefacts: StoreArtefacts, neo4j_store: ServiceProcess, brain_store: ServiceProcess,
    forks: ProcessForks, tmp_path: Path,
) -> None:  # fmt: skip
    """Each once, under two runs at a time; Neo4j and brain are the session's."""
    shared = {NEO4J: neo4j_store, BRAIN: brain_store}
    with world(tmp_path / "world", store_artefacts, has_small_disks=False, running=shared) as made:
        operator = PlayedOperator(made, forks, SMALL_SHAPE, seed=1)
        campaign = Campaign(made, operator, Options(runs=2, only=OFTEN, is_small=True), print)
        assert campaign.run() == {}
    assert sorted(one.what.name for one in campaign.done) == sorted(OFTEN)
    assert campaign.counts.runs >= 2
    assert campaign.counts.notes
    assert {run.phase for run in operator.runs} <= {RunPhase.SUCCEEDED, RunPhase.FAILED}


@pytest.mark.long
def test_runs_among_services_that_fail_lose_and_double_nothing() -> None:
    """Every run ends with a reason, and MongoDB, brain, ledger, events and queue agree."""
    command = [sys.executable, "-m", "tests.chaos.campaign", "--small"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "0 breaches" in done.stdout
