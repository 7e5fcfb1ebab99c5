"""What a run survives: its operator, its worker, Redis and the brain becoming unavailable."""

from collections import Counter

import pytest

from dev.waiting import wait_for
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import (
    DeployedGather,
    is_iterating,
    is_succeeded,
    new_project,
    run_of,
    total_items,
)

DEPARTMENTS = ["story", "character"]
"""Two departments are enough to see that the second still comes after the fault."""


def assert_whole(gather: DeployedGather, run: GatherRun, project_id: str) -> None:
    """The run ended well, one Job a department, no item twice, both stores equal, the status true."""
    assert is_succeeded(run), run.status
    assert len(gather.jobs_of(run)) == len(run.status.departments) == len(DEPARTMENTS)
    items = gather.items(project_id)
    assert max(Counter(item["content"] for item in items).values()) == 1
    assert {item["_id"] for item in items} == gather.node_ids(project_id)
    own = gather.items(project_id, run.metadata.uid)
    assert run.status.items_created == total_items(run) == len(own)


def survive_a_kill(gather: DeployedGather, component: str, project: str) -> None:
    """Kill a component while a run is at work: the run ends as if nothing had happened."""
    name = f"{component}-killed"
    with run_of(gather, name, project, departments=DEPARTMENTS, maxIterations=12):
        gather.wait_run(name, "to iterate", is_iterating, 120)
        gather.kill_pods(f"app.kubernetes.io/component={component}")
        assert_whole(gather, gather.wait_end(name, 300), project)


@pytest.mark.usefixtures("slow_model")
def test_an_operator_killed_in_the_middle_goes_on_with_one_job_a_department(gather: DeployedGather) -> None:
    """The new operator finds the Jobs by their names."""
    survive_a_kill(gather, "operator", new_project())


@pytest.mark.usefixtures("slow_model")
def test_a_worker_killed_in_an_iteration_goes_on_from_its_checkpoint(gather: DeployedGather) -> None:
    """The Job's next pod takes the next epoch; no item is written twice and no iteration is lost."""
    project = new_project()
    with run_of(gather, "worker-killed", project, departments=DEPARTMENTS, maxIterations=12) as created:
        before = gather.wait_run("worker-killed", "to iterate", is_iterating, 120)
        pod = gather.wait_running_pod(created, 30)
        gather.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
        run = gather.wait_end("worker-killed", 300)
        assert_whole(gather, run, project)
        assert run.status.departments[0].attempt >= 2
        assert run.status.departments[0].iterations >= before.status.departments[0].iterations


@pytest.mark.usefixtures("slow_model")
def test_redis_killed_and_back_does_not_disturb_the_run(gather: DeployedGather) -> None:
    """Live progress pauses; the resource and MongoDB hold the truth."""
    survive_a_kill(gather, "redis", new_project())


@pytest.mark.usefixtures("slow_model")
def test_items_land_in_the_brain_after_it_comes_back(gather: DeployedGather) -> None:
    """Accepted items wait in the checkpoint; MongoDB has them at once, the brain later."""
    project = new_project()
    with run_of(gather, "brain-unavailable", project, departments=DEPARTMENTS, maxIterations=12):
        gather.wait_run("brain-unavailable", "to iterate", is_iterating, 120)
        gather.scale("gather-brain", 0)
        try:
            indexed = len(gather.node_ids(project))
            wait_for(
                "items in MongoDB that the brain does not have",
                lambda: len(gather.items(project)) > indexed,
                120,
            )
            assert len(gather.node_ids(project)) == indexed
        finally:
            gather.scale("gather-brain", 1)
            gather.wait_ready("gather-brain")
        run = gather.wait_end("brain-unavailable", 400)
        assert_whole(gather, run, project)
