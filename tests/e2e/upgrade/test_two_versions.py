"""Two versions of Gather, images and CRD included: an upgrade in the middle of a run, and the way back.

`make upgrade FROM=<commit>` names the older one; it is built and deployed by its own tools.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.paths import ROOT
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, is_iterating, is_succeeded, new_project, run_of

pytestmark = pytest.mark.long

OLDER = os.environ.get("GATHER_UPGRADE_FROM", "")
NAMESPACE = "gather-upgrade"
DEPARTMENTS = ["story", "production", "character"]
DEPLOY_TIMEOUT_S = 1800
"""Images of a commit that was never built here take minutes."""
ROOMS = ("contracts", "clients", "operator", "worker", "brain", "bridge", "demo")


def deploy(tree: Path) -> None:
    """Deploy the Gather of a working tree as its own `python -m dev deploy` does."""
    path = os.pathsep.join(str(tree / room) for room in ROOMS)
    command = [sys.executable, "-m", "dev", "deploy", "--namespace", NAMESPACE]
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        timeout=DEPLOY_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working tree of the older version."""
    if not OLDER:
        pytest.fail("name the older version: make upgrade FROM=<commit>")
    tree = tmp_path_factory.mktemp("older") / "tree"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(tree), OLDER], check=True, capture_output=True)
    yield tree
    subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def gather(older: Path) -> Iterator[DeployedGather]:
    """The older version, deployed; whatever happened, the newer one stands at the end, with its CRD."""
    try:
        deploy(older)
        yield DeployedGather([str(ROOT / "dev" / "kubectl")], NAMESPACE)
    finally:
        deploy(ROOT)


def images(gather: DeployedGather) -> set[str]:
    """Return the images of all that is deployed."""
    path = "jsonpath={.items[*].spec.template.spec.containers[*].image}"
    return set(gather.kubectl("get", "deployments", "-o", path).split())


@pytest.mark.usefixtures("slow_model")
@pytest.mark.parametrize("direction", ["upgrade", "rollback"])
def test_a_run_goes_on_across_a_change_of_version(
    gather: DeployedGather, older: Path, direction: str
) -> None:
    """One Job a department, no note twice, one start and one end; and the next run is as any other."""
    project, before = new_project(), images(gather)
    with (
        gather.recorded_events(project) as events,
        run_of(gather, direction, project, departments=DEPARTMENTS, maxIterations=15),
    ):
        gather.wait_run(direction, "to iterate", is_iterating, 180)
        deploy(ROOT if direction == "upgrade" else older)
        assert images(gather) != before
        gather.slow_down_model(0)
        run = gather.wait_end(direction, 300)
        assert is_succeeded(run), run.status
        assert len(gather.jobs_of(run)) == len(DEPARTMENTS)
        assert max(Counter(item["content"] for item in gather.items(project)).values()) == 1
    kinds = Counter(event.type for event in events)
    assert (kinds["automation_started"], kinds["automation_complete"]) == (1, 1)
    with run_of(gather, f"after-{direction}", new_project(), departments=DEPARTMENTS[:1], maxIterations=2):
        assert is_succeeded(gather.wait_end(f"after-{direction}", 180))
    wait_for("its Jobs to go", lambda: not gather.objects("jobs", names.LABEL_RUN_UID), 120)
