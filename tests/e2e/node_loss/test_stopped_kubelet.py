"""A node that nobody hears of: its kubelet is stopped while a department is at work, and goes on later.

The only node here runs everything, so its worker works on and the successor waits for the node's return; that
the successor takes over meanwhile is a matter of a second node.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil
import pytest

from dev.cluster.node import tree
from dev.waiting import wait_for
from gather_contracts.reasons import RunPhase
from tests.support.deployed_gather import (
    DeployedGather,
    is_iterating,
    is_succeeded,
    new_project,
    run_of,
    total_items,
)

ANSWER_S: Final = 15.0
"""The worker must not end before its node is lost."""
KUBERNETES_S: Final = 50
"""Until a node is called unreachable, from its last sign of life."""
NODE_LOST_S: Final = 120
"""The operator's default: until its pod is given up."""
SLACK_S: Final = 60
KIND_NODE: Final = "gather-dev-control-plane"


def _kubelets() -> list[psutil.Process]:
    found = tree.find()
    if found is None:
        return []
    return [p for p in psutil.Process(found.init_pid).children(recursive=True) if p.name() == "kubelet"]


def _signal_kubelet(number: signal.Signals) -> None:
    if kubelets := _kubelets():
        os.kill(kubelets[0].pid, number)
        return
    command = ["docker", "exec", KIND_NODE, "pkill", f"-{number.name.removeprefix('SIG')}", "kubelet"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextmanager
def stopped_kubelet() -> Iterator[None]:
    """Stop the node's kubelet for the time of the block: its containers run on, and nobody hears of it."""
    _signal_kubelet(signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_kubelet(signal.SIGCONT)


@pytest.fixture
def patient_model(gather: DeployedGather) -> Iterator[None]:
    """Let each answer take so long that a worker outlasts the loss of its node."""
    gather.slow_down_model(ANSWER_S)
    yield
    gather.wait_ready("gather-backing-demo-llm")
    gather.slow_down_model(0)


@pytest.mark.usefixtures("patient_model")
def test_a_pod_on_a_lost_node_is_given_up_and_the_run_ends_well(gather: DeployedGather) -> None:
    """After `GATHER_NODE_LOST_S` another Job stands for the department; no note is written twice."""
    name, project = "node-lost", new_project()
    with run_of(gather, name, project, departments=["story"], maxIterations=30):
        run = gather.wait_run(name, "to iterate", is_iterating, 180)
        first = run.status.departments[0].job_name
        with stopped_kubelet():
            since_s = time.monotonic()
            gather.wait_run(
                name,
                "to have another Job",
                lambda r: r.status.departments[0].job_name != first,
                NODE_LOST_S + SLACK_S,
            )
            print(f"another Job {time.monotonic() - since_s:.0f} s after the node's last sign of life")
        gather.wait_ready("gather-backing-demo-llm")
        gather.slow_down_model(0)
        run = gather.wait_end(name, 400)
        assert is_succeeded(run), run.status
        items = gather.items(project)
        assert run.status.items_created == total_items(run) == len(items)
        assert len({item["content"] for item in items}) == len(items)


@pytest.mark.usefixtures("patient_model")
@pytest.mark.parametrize("is_deleted", [False, True], ids=["cancelled", "deleted"])
def test_stopping_a_run_does_not_wait_for_a_lost_node(gather: DeployedGather, *, is_deleted: bool) -> None:
    """Its pod is given up after 30 s of trying, and what was made is kept."""
    name, project = f"node-lost-{'deleted' if is_deleted else 'cancelled'}", new_project()
    with run_of(gather, name, project, departments=["story"], maxIterations=30):
        gather.wait_run(name, "to iterate", is_iterating, 180)
        with stopped_kubelet():
            wait_for("the node to be lost", lambda: not _is_node_ready(gather), KUBERNETES_S + SLACK_S)
            since_s = time.monotonic()
            if is_deleted:
                gather.delete_run(name)
                gather.wait_gone(name, SLACK_S + 15)
            else:
                gather.kubectl("patch", "gatherrun", name, "--type=merge", "-p", '{"spec":{"cancel":true}}')
                run = gather.wait_end(name, SLACK_S)
                assert run.status.phase is RunPhase.CANCELLED
            print(f"over after {time.monotonic() - since_s:.0f} s of trying")
        wait_for("the node to be back", lambda: _is_node_ready(gather), KUBERNETES_S + SLACK_S)
        assert gather.items(project) != []


def _is_node_ready(gather: DeployedGather) -> bool:
    path = '{.items[0].status.conditions[?(@.type=="Ready")].status}'
    return gather.kubectl("get", "nodes", "-o", f"jsonpath={path}") == "True"
