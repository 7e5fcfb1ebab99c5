"""Two operators: one acts, the other takes over when it dies or goes; an upgrade in the middle of a run."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from dev.paths import ROOT
from dev.waiting import wait_for
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import DeployedGather, is_iterating, is_succeeded, new_project, run_of

DEPARTMENTS = ["story", "character"]
OPERATOR = "app.kubernetes.io/component=operator"
HAND_OVER_S = 15
CLEAN_HAND_OVER_S = 8
"""About 2 s, and the time in which a pod is told to end."""


@pytest.fixture
def two_operators(gather: DeployedGather) -> Iterator[None]:
    """Two replicas for a test; afterwards as many as before."""
    spec = json.loads(gather.kubectl("get", "deployment", "gather-operator", "-o", "json"))["spec"]
    gather.scale("gather-operator", 2)
    gather.wait_ready("gather-operator")
    yield
    gather.scale("gather-operator", spec["replicas"])
    gather.wait_ready("gather-operator")


def holder(gather: DeployedGather) -> str:
    """Return the pod that acts, "" if none does."""
    lease = json.loads(gather.kubectl("get", "lease", "gather-operator", "-o", "json"))
    return str(lease["spec"].get("holderIdentity") or "")


def assert_whole(gather: DeployedGather, run: GatherRun, project_id: str) -> None:
    """The run ended well, with one Job a department and no note twice."""
    assert is_succeeded(run), run.status
    assert len(gather.jobs_of(run)) == len(DEPARTMENTS)
    assert all(department.attempt == 1 for department in run.status.departments), run.status
    assert max(Counter(item["content"] for item in gather.items(project_id)).values()) == 1


@pytest.mark.usefixtures("slow_model", "two_operators")
@pytest.mark.parametrize(
    ("grace", "within_s"),
    [
        pytest.param("0", HAND_OVER_S, id="killed"),
        pytest.param("30", CLEAN_HAND_OVER_S, id="ended", marks=pytest.mark.long),
    ],
)
def test_the_other_operator_takes_over(gather: DeployedGather, grace: str, within_s: float) -> None:
    """In time, and the run ends as if nothing had happened."""
    name, project = f"handed-over-{grace}", new_project()
    with run_of(gather, name, project, departments=DEPARTMENTS, maxIterations=12):
        gather.wait_run(name, "to iterate", is_iterating, 120)
        acting = holder(gather)
        force = ["--force"] if grace == "0" else []
        begun = time.monotonic()
        gather.kubectl("delete", "pod", acting, f"--grace-period={grace}", "--wait=false", *force)
        wait_for("another operator to act", lambda: holder(gather) not in {"", acting}, within_s + 5)
        assert time.monotonic() - begun <= within_s
        assert_whole(gather, gather.wait_end(name, 300), project)


@pytest.mark.usefixtures("slow_model")
def test_an_upgrade_in_the_middle_of_a_run_changes_nothing_about_it(gather: DeployedGather) -> None:
    """Another operator with other settings, for itself and for workers to come, takes the run over."""
    name, project = "upgraded", new_project()
    helm = [str(ROOT / "dev" / "helm"), "-n", gather.namespace]
    chart = str(ROOT / "charts" / "gather")

    def upgrade(*settings: str) -> None:
        command = [*helm, "upgrade", "gather", chart, "--reuse-values", "--wait", "--timeout", "240s"]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    with (
        gather.recorded_events(project) as events,
        run_of(gather, name, project, departments=DEPARTMENTS, maxIterations=12),
    ):
        gather.wait_run(name, "to iterate", is_iterating, 120)
        before = holder(gather)
        upgrade("operator.logLevel=DEBUG", "worker.resources.requests.cpu=25m")
        try:
            wait_for("the new operator to act", lambda: holder(gather) not in {"", before}, 30)
            run = gather.wait_end(name, 300)
            assert_whole(gather, run, project)
        finally:
            upgrade("operator.logLevel=INFO", "worker.resources.requests.cpu=20m")
    kinds = Counter(event.type for event in events)
    assert (kinds["automation_started"], kinds["automation_complete"]) == (1, 1)
    assert kinds["department_complete"] <= len(DEPARTMENTS)
