"""A node is lost with workers at work on it: frozen with all that runs there, or suddenly without power.

Another node of the pool is there, so that a successor takes over while the lost node is still lost.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import pytest
from pymongo import MongoClient

from dev.cluster.node import layout
from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.reasons import RunPhase, WaitReason
from gather_contracts.resource import GatherRun
from gather_contracts.result import ExitCode, StopReason
from tests.support.deployed_gather import (
    DeployedGather,
    is_iterating,
    is_succeeded,
    new_project,
    run_of,
    total_items,
)
from tests.support.nodes import second_node

ANSWER_S: Final = 8.0
"""The workers must not end before their node is lost, nor the successor before the old worker wakes up."""
GOES_ON_S: Final = 150
"""From the node's loss until a successor is at work: the 120 s of `GATHER_NODE_LOST_S`, and its start."""
NOTICED_S: Final = 110
"""Kubernetes calls a node unreachable 50 s after its last sign of life."""
STOPPED_S: Final = 75
"""A run that is cancelled or deleted tries for 30 s to end its pod."""
REFUSED_S: Final = 90
"""The woken worker has its answer at once; what else it asks for first takes `ANSWER_S` each."""
LONG_ANSWER_S: Final = 100.0
"""Less than `GATHER_LLM_TIMEOUT_S`, 120 s. A department needs three: the second ends beside a successor."""
ITERATIONS: Final = 30
GOES_ON, CANCELLED, DELETED = "lost-goes-on", "lost-cancelled", "lost-deleted"


@dataclass(frozen=True, slots=True)
class AtWork:
    """A run with its worker on the second node, in the middle of an iteration."""

    run: GatherRun
    project: str
    pod: dict[str, Any]

    @property
    def name(self) -> str:
        return self.run.metadata.name


@pytest.fixture
def patient_model(gather: DeployedGather) -> Iterator[None]:
    """Let each answer take so long that workers outlast the loss of their node."""
    gather.slow_down_model(ANSWER_S)
    yield
    gather.slow_down_model(0)


@contextmanager
def at_work(gather: DeployedGather, *names_: str) -> Iterator[dict[str, AtWork]]:
    """Yield runs of these names, all at work on the second node."""
    projects = {name: new_project() for name in names_}
    with ExitStack() as stack:
        for name, project in projects.items():
            spec = {"departments": ["story"], "maxIterations": ITERATIONS, "worker": second_node.PREFERRED}
            stack.enter_context(run_of(gather, name, project, **spec))
        found = {}
        for name, project in projects.items():
            run = gather.wait_run(name, "to iterate", is_iterating, 180)
            (pod,) = gather.pods_of(run)
            assert second_node.node_of(pod) == second_node.NAME
            found[name] = AtWork(run, project, pod)
        yield found


def say_lost(run: GatherRun) -> bool:
    """Return whether the run says that it waits for a lost node."""
    return run.status.reason == WaitReason.NODE_LOST


def others_can_be_stopped(gather: DeployedGather) -> None:
    """Cancelling and deleting end while the node is lost."""
    since_s = time.monotonic()
    gather.kubectl("patch", "gatherrun", CANCELLED, "--type=merge", "-p", '{"spec":{"cancel":true}}')
    gather.delete_run(DELETED)
    run = gather.wait_end(CANCELLED, STOPPED_S)
    assert run.status.phase is RunPhase.CANCELLED
    print(f"cancelled after {time.monotonic() - since_s:.0f} s of trying")
    gather.wait_gone(DELETED, STOPPED_S)
    print(f"deleted after {time.monotonic() - since_s:.0f} s of trying")


def wait_successor(gather: DeployedGather, lost: AtWork, since_s: float) -> None:
    """Wait until another worker has taken the department up, on the first node."""

    def is_at_work() -> bool:
        nodes = {second_node.node_of(p) for p in gather.pods_of(lost.run)}
        return layout.FIRST.name in nodes and epoch_of(gather, lost) == 2

    wait_for("a successor at work", is_at_work, GOES_ON_S - (time.monotonic() - since_s))
    print(f"a successor at work {time.monotonic() - since_s:.0f} s after the node's loss")


def epoch_of(gather: DeployedGather, lost: AtWork) -> int:
    """Return how many workers have taken the department up."""
    with (
        gather.forward("gather-backing-mongodb", 27017) as port,
        MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{port}/?directConnection=true") as client,
    ):
        checkpoints = client[names.gather_database(lost.project)][names.CHECKPOINTS_COLLECTION]
        found = checkpoints.find_one({"_id": names.checkpoint_id(lost.run.metadata.uid, "story")})
        return int(found["epoch"]) if found else 0


def lose_and_go_on(gather: DeployedGather, runs: dict[str, AtWork], since_s: float) -> None:
    """See a lost node through: it is said, runs can be stopped, and the department goes on elsewhere."""
    wait_for("the node to be lost", lambda: not second_node.is_ready(gather), NOTICED_S)
    print(f"Kubernetes says so {time.monotonic() - since_s:.0f} s after the node's loss")
    gather.wait_run(GOES_ON, "to say that its node is lost", say_lost, 60)
    others_can_be_stopped(gather)
    wait_successor(gather, runs[GOES_ON], since_s)


def ends_as_undisturbed(gather: DeployedGather, lost: AtWork, undisturbed: list[str]) -> None:
    """The run ends well, with the notes of an undisturbed one, none of them twice."""
    run = gather.wait_end(lost.name, 300)
    assert is_succeeded(run), run.status
    contents = sorted(item["content"] for item in gather.items(lost.project))
    assert run.status.items_created == total_items(run) == len(contents) == len(set(contents))
    assert contents == undisturbed
    assert epoch_of(gather, lost) == 2
    print(f"{len(contents)} notes, those of an undisturbed run")


def wait_left_pods_gone(gather: DeployedGather) -> None:
    """What stood on the lost node goes once the node is back."""
    wait_for(
        "the lost pods to be gone",
        lambda: not [p for p in gather.objects("pods") if second_node.node_of(p) == second_node.NAME],
        120,
    )


@pytest.mark.usefixtures("patient_model")
def test_a_department_goes_on_elsewhere_when_its_node_loses_power(
    gather: DeployedGather, undisturbed: list[str]
) -> None:
    """Nothing of the node says goodbye: no kubelet, no worker, no connection."""
    with at_work(gather, GOES_ON, CANCELLED, DELETED) as runs:
        second_node.power_off()
        lose_and_go_on(gather, runs, time.monotonic())
        gather.slow_down_model(0)
        ends_as_undisturbed(gather, runs[GOES_ON], undisturbed)
        second_node.power_on()
        wait_left_pods_gone(gather)


@pytest.mark.usefixtures("patient_model")
def test_a_worker_that_wakes_up_with_its_node_is_refused(
    gather: DeployedGather, undisturbed: list[str]
) -> None:
    """In the middle of its successor's work, before its kubelet could end it: it says so itself and ends."""
    with (
        at_work(gather, GOES_ON, CANCELLED, DELETED) as runs,
        second_node.worker_log(runs[GOES_ON].pod) as log,
    ):
        with second_node.frozen(gather):
            lose_and_go_on(gather, runs, time.monotonic())
            before = {name: len(gather.items(lost.project)) for name, lost in runs.items()}
        try:
            is_refused(log, REFUSED_S)
            assert not gather.run(GOES_ON).status.phase.is_final
        finally:
            second_node.wake_kubelet()
        gather.slow_down_model(0)
        ends_as_undisturbed(gather, runs[GOES_ON], undisturbed)
        wait_left_pods_gone(gather)
        # Nobody has taken these departments up: nothing refuses their workers until the kubelet ends them.
        for name in (CANCELLED, DELETED):
            late = len(gather.items(runs[name].project)) - before[name]
            print(
                f"{late} notes of a run that was {name.removeprefix('lost-')}, by its worker once it woke up"
            )


@pytest.mark.usefixtures("patient_model")
def test_a_worker_that_works_on_and_is_not_heard_of_is_refused(
    gather: DeployedGather, undisturbed: list[str]
) -> None:
    """Its kubelet stands still, as behind a broken network; it runs beside its successor all the time."""
    project = new_project()
    gather.slow_down_model(LONG_ANSWER_S)
    spec = {"departments": ["story"], "maxIterations": ITERATIONS, "worker": second_node.PREFERRED}
    with run_of(gather, GOES_ON, project, **spec) as run:
        gather.wait_running_pod(run, 60)
        (pod,) = gather.pods_of(run)
        assert second_node.node_of(pod) == second_node.NAME
        lost = AtWork(run, project, pod)
        wait_for("the department to be taken up", lambda: epoch_of(gather, lost) == 1, 60)
        with second_node.worker_log(pod) as log:
            second_node.stop_kubelet()
            since_s = time.monotonic()
            try:
                wait_successor(gather, lost, since_s)
                gather.slow_down_model(0)
                is_refused(log, LONG_ANSWER_S + REFUSED_S)
            finally:
                second_node.wake_kubelet()
        ends_as_undisturbed(gather, lost, undisturbed)
        wait_left_pods_gone(gather)


def is_refused(log: IO[str], timeout_s: float) -> None:
    """The worker says that it was refused, in its last line."""
    said = wait_for("the old worker to be refused", lambda: last_words(log), timeout_s)
    print(
        f"the old worker at {said['timestamp']}: exit code {said['exit_code']}, {said['result']['message']}"
    )
    assert said["exit_code"] == ExitCode.TRY_AGAIN
    assert said["result"]["reason"] == StopReason.FENCED
    assert said["result"]["message"] == "a newer worker than epoch 1 has the department"


def last_words(log: IO[str]) -> dict[str, Any] | None:
    """Return the line with which a worker ends, once it is there: behind the container runtime's prefix."""
    log.seek(0)
    lines = log.read().split("\n")[:-1]
    said = (line[line.index("{") :] for line in lines if "the attempt ends" in line)
    return next((dict(json.loads(line)) for line in said), None)
