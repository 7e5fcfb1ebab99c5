"""A pool whose nodes are drained, cordoned, tainted or gone: the run says so, and goes on afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from dev.cluster.node import layout
from dev.waiting import wait_for
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import (
    SAID_S,
    DeployedGather,
    is_iterating,
    is_succeeded,
    new_project,
    run_of,
    wait_reason,
)
from tests.support.nodes import second_node
from tests.support.nodes.second_node import NAME, TOLERATED

ANSWER_S: Final = 2.0
ITERATIONS: Final = 30
ONLY_THERE: Final[dict[str, Any]] = {"nodeSelector": {second_node.HOST: NAME}}
AND_TOLERATED: Final[dict[str, Any]] = {**ONLY_THERE, "tolerations": TOLERATED}
DRAIN: Final = ("drain", NAME, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=55s")


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What keeps a run's pods from the pool, what takes it away, and the scheduler's words for it."""

    worker: dict[str, Any]
    words: str
    hinder: tuple[str, ...] | None
    free: tuple[str, ...]


HINDRANCES: Final = {
    "cordoned": Hindrance(AND_TOLERATED, "were unschedulable", ("cordon", NAME), ("uncordon", NAME)),
    "tainted": Hindrance(ONLY_THERE, "had untolerated taint(s)", None, ("taint", "nodes", NAME, "pool-")),
    "a pool without nodes": Hindrance(
        {},
        "didn't match Pod's node affinity/selector",
        ("label", "nodes", "--all", "pool-"),
        ("label", "nodes", NAME, layout.FIRST.name, "pool=cpu_intensive"),
    ),
}


@pytest.fixture
def slow_answers(gather: DeployedGather) -> Iterator[None]:
    """Let a worker still be at work when its node is to be left."""
    gather.slow_down_model(ANSWER_S)
    yield
    gather.slow_down_model(0)


@pytest.mark.parametrize("hindrance", HINDRANCES.values(), ids=HINDRANCES.keys())
def test_a_pool_that_takes_no_pod_is_said_and_waited_for(
    gather: DeployedGather, hindrance: Hindrance
) -> None:
    """In the scheduler's own words."""
    if hindrance.hinder:
        gather.kubectl(*hindrance.hinder)
    spec: dict[str, Any] = {"departments": ["story"], "maxIterations": 2}
    if hindrance.worker:
        spec["worker"] = hindrance.worker
    with run_of(gather, "pool-waits", new_project(), **spec):
        said = wait_reason(gather, "pool-waits", "Unschedulable", hindrance.words)
        print(said.message)
        gather.kubectl(*hindrance.free)
        assert is_succeeded(gather.wait_end("pool-waits", 240))


@pytest.mark.usefixtures("slow_answers")
def test_a_drained_pool_is_waited_for_and_nothing_is_lost(
    gather: DeployedGather, undisturbed: list[str]
) -> None:
    """The worker saves and ends; its successor waits for the only node that it may go to."""
    name, project = "pool-drained", new_project()
    spec = {"departments": ["story"], "maxIterations": ITERATIONS, "worker": AND_TOLERATED}
    with run_of(gather, name, project, **spec):
        before = gather.wait_run(name, "to iterate", is_iterating, 120)
        gather.kubectl(*DRAIN)
        said = wait_reason(gather, name, "Unschedulable", "were unschedulable")
        print(said.message)
        gather.kubectl("uncordon", NAME)
        goes_on(gather, before, project, undisturbed)


@pytest.mark.usefixtures("slow_answers")
def test_a_taint_that_evicts_costs_nothing_where_another_node_is(
    gather: DeployedGather, undisturbed: list[str]
) -> None:
    """The worker saves and ends, its successor goes to the other node, and the run says how it ended."""
    name, project = "pool-evicted", new_project()
    spec = {"departments": ["story"], "maxIterations": ITERATIONS, "worker": second_node.PREFERRED}
    with run_of(gather, name, project, **spec):
        before = gather.wait_run(name, "to iterate", is_iterating, 120)
        assert second_node.node_of(gather.pods_of(before)[0]) == NAME
        gather.kubectl("taint", "nodes", NAME, "maintenance=now:NoExecute")
        wait_for(
            "a pod on the other node",
            lambda: layout.FIRST.name in map(second_node.node_of, gather.pods_of(before)),
            SAID_S,
        )
        run = gather.wait_run(
            name, "to say so", lambda r: r.status.departments[0].reason == "Terminated", SAID_S
        )
        print(run.status.departments[0].message)
        goes_on(gather, before, project, undisturbed)


def goes_on(gather: DeployedGather, before: GatherRun, project: str, undisturbed: list[str]) -> None:
    """The run ends well with the notes of an undisturbed one, from where it was."""
    gather.slow_down_model(0)
    run = gather.wait_end(before.metadata.name, 240)
    assert is_succeeded(run), run.status
    assert run.status.iterations > before.status.iterations
    assert sorted(item["content"] for item in gather.items(project)) == undisturbed
