"""A store of the cluster whose processes are stopped for moments (SIGSTOP), as one that hangs is."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from dev.cluster.node import cgroups, layout, tree
from tests.support.deployed_gather import DeployedGather

PROGRAMS: Final = {"neo4j": "java", "mongodb": "mongod"}
"""The store's process, by the last word of its Deployment's name."""


def processes_of(gather: DeployedGather, store: str) -> list[psutil.Process]:
    """Return the processes of a store's pod, as this machine sees those of its node."""
    pods = gather.objects("pods", f"app.kubernetes.io/component={store}")
    uids = [pod["metadata"]["uid"] for pod in pods]
    found = []
    for pid in cgroups.processes_in(tree.groups_of(layout.FIRST)):
        with suppress(psutil.NoSuchProcess, OSError):
            process, groups = psutil.Process(pid), Path(f"/proc/{pid}/cgroup").read_text("ascii")
            if process.name() == PROGRAMS[store] and any(uid in groups for uid in uids):
                found.append(process)
    assert found, f"no process of {store}"
    return found


@contextmanager
def stopped(gather: DeployedGather, store: str) -> Iterator[None]:
    """Stop a store where it is, for the time of the block."""
    processes = processes_of(gather, store)
    _send(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(processes, signal.SIGCONT)


@contextmanager
def stopped_for(gather: DeployedGather, store: str, seconds: float) -> Iterator[None]:
    """Stop a store and let it go on after so long, whether the block has ended or not."""
    processes = processes_of(gather, store)
    timer = threading.Timer(seconds, _send, (processes, signal.SIGCONT))
    _send(processes, signal.SIGSTOP)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _send(processes, signal.SIGCONT)


@contextmanager
def halting(gather: DeployedGather, store: str, stopped_s: float, works_s: float) -> Iterator[None]:
    """Let a store stop and go on by turns, for the time of the block."""
    # Once: looking for them takes a tenth of a second, in which a hundred calls are answered.
    processes = processes_of(gather, store)

    def halt(ended: threading.Event) -> None:
        _send(processes, signal.SIGSTOP)
        ended.wait(stopped_s)
        _send(processes, signal.SIGCONT)

    with again_and_again(halt, works_s):
        yield


@contextmanager
def again_and_again(act: Callable[[threading.Event], object], every_s: float) -> Iterator[None]:
    """Do something every so often while the block lasts; it gets what is set when the block ends."""
    ended = threading.Event()

    def turns() -> None:
        while not ended.wait(every_s):
            act(ended)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
