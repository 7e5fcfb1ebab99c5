"""The cluster's second node as tests break it, frozen or without power; and what a worker logs on it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import psutil

from dev.cluster.node import cgroups, layout, tree
from dev.commands import output_of
from dev.waiting import wait_for
from tests.support.deployed_gather import DeployedGather

NAME: Final = layout.SECOND.name
HOST: Final = "kubernetes.io/hostname"
TOLERATED: Final[list[dict[str, Any]]] = [
    {"key": "pool", "operator": "Equal", "value": "cpu_intensive", "effect": "NoSchedule"}
]
"""Of `spec.worker`: what lets a run's pods onto the second node."""
PREFERRED: Final[dict[str, Any]] = {
    "tolerations": TOLERATED,
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "preference": {"matchExpressions": [{"key": HOST, "operator": "In", "values": [NAME]}]},
                }
            ]
        }
    },
}
"""`spec.worker` of a run that works on the second node, and on the first one where there is no other."""
FREEZE_S: Final = 30
BACK_S: Final = 300
"""As `up` waits for a node."""


def is_ready(gather: DeployedGather) -> bool:
    """Return whether Kubernetes calls the node Ready."""
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return gather.kubectl("get", "node", NAME, "-o", f"jsonpath={path}") == "True"


def node_of(pod: dict[str, Any]) -> str:
    """Return the name of a pod's node, empty if it has none."""
    return str(pod["spec"].get("nodeName", ""))


def power_off() -> None:
    """Kill everything on the node at once; nothing of it says goodbye."""
    found = tree.find(layout.SECOND)
    assert found, f"{NAME} does not run"
    os.kill(found.init_pid, signal.SIGKILL)
    wait_for("the end of the node", lambda: not _processes(), FREEZE_S)


def power_on() -> None:
    """Start the node again, as a user does."""
    output_of([sys.executable, "-m", "dev", "up", "--nodes", "2"], timeout_s=BACK_S)


@contextmanager
def frozen(gather: DeployedGather) -> Iterator[None]:
    """Stop every process of the node where it is, for the time of the block.

    Afterwards all go on but the kubelet, which is the last to wake up: `wake_kubelet`.
    """
    groups = tree.groups_of(layout.SECOND)
    cgroups.set_frozen(groups, frozen=True)
    try:
        wait_for("the node to stand still", lambda: _stands_still(groups), FREEZE_S)
        yield
        stop_kubelet()
    finally:
        cgroups.set_frozen(groups, frozen=False)


def stop_kubelet() -> None:
    """Stop the kubelet alone where it is: what runs on the node goes on, and nobody hears of it."""
    _signal_kubelet(signal.SIGSTOP)


def wake_kubelet() -> None:
    """Let the kubelet go on, if it stands still."""
    _signal_kubelet(signal.SIGCONT)


@contextmanager
def worker_log(pod: dict[str, Any]) -> Iterator[IO[str]]:
    """Yield the log of a worker on the node, held open: with its pod the kubelet removes the file."""
    found = tree.find(layout.SECOND)
    assert found, f"{NAME} does not run"
    meta = pod["metadata"]
    folder = found.folder / "pod-logs" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
    with Path(folder / "worker" / "0.log").open(encoding="utf-8") as log:
        yield log


def _stands_still(groups: list[Path]) -> bool:
    states = [g / "freezer.state" for g in groups] + [g / "cgroup.events" for g in groups]
    words = [state.read_text(encoding="ascii") for state in states if state.exists()]
    return any(word.strip() == "FROZEN" or "frozen 1" in word for word in words)


def _processes() -> set[int]:
    return cgroups.processes_in(tree.groups_of(layout.SECOND))


def _signal_kubelet(number: signal.Signals) -> None:
    found = tree.find(layout.SECOND)
    assert found, f"{NAME} does not run"
    (kubelet,) = (p for p in psutil.Process(found.init_pid).children() if p.name() == "kubelet")
    kubelet.send_signal(number)
