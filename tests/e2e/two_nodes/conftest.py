"""A second node that is whole before each test, with nothing of Gather's own on it."""

from collections.abc import Iterator

import pytest

from dev.cluster.node import layout, tree
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of
from tests.support.nodes import second_node

READY_S = 120
ITERATIONS = 30


@pytest.fixture(autouse=True)
def whole_nodes(gather: DeployedGather) -> Iterator[None]:
    """Fail at once without a second node; bring it back after each test, whatever the test did to it."""
    if tree.find(layout.SECOND) is None:
        pytest.fail("no second node runs here: run `make two-nodes`, or `python -m dev up --nodes 2` first")
    mend(gather)
    strangers = [
        pod["metadata"]["name"]
        for pod in gather.objects("pods", f"!{names.LABEL_RUN_UID}")
        if second_node.node_of(pod) == second_node.NAME
    ]
    assert not strangers, "these would go with the node"
    yield
    if tree.find(layout.SECOND) is None:
        second_node.power_on()
    mend(gather)


def mend(gather: DeployedGather) -> None:
    """Undo what a test did to the nodes' labels, taints and readiness, and wait for the second."""
    second_node.wake_kubelet()
    gather.kubectl("uncordon", second_node.NAME)
    gather.kubectl("label", "nodes", "--all", "--overwrite", "pool=cpu_intensive")
    gather.kubectl("taint", "nodes", second_node.NAME, "--overwrite", layout.POOL)
    gather.kubectl("taint", "nodes", second_node.NAME, "maintenance-", check=False)
    wait_for("the second node to be Ready", lambda: second_node.is_ready(gather), READY_S)


@pytest.fixture(scope="session")
def undisturbed(gather: DeployedGather) -> list[str]:
    """Return the notes of a run of one department that nothing happened to."""
    project = new_project()
    with run_of(gather, "undisturbed", project, departments=["story"], maxIterations=ITERATIONS):
        assert is_succeeded(gather.wait_end("undisturbed", 240))
        return sorted(item["content"] for item in gather.items(project))
