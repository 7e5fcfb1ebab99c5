"""A run is held by suspending its Job, which saves first, and goes on with it from its checkpoint."""

import json

import pytest

from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of, total_items

HELD_S = 30
"""From the change to the last pod gone: the worker's grace period and what Kubernetes needs around it."""
LOOKS = 5
"""Passes of the operator over a held run, in which nothing may start."""


def set_suspend(gather: DeployedGather, name: str, suspend: bool) -> None:
    """Do what a user does."""
    body = json.dumps({"spec": {"suspend": suspend}})
    gather.kubectl("patch", names.PLURAL, name, "--type=merge", "-p", body)


def hold(gather: DeployedGather, created: GatherRun) -> GatherRun:
    """Suspend a run and return it once none of its pods is left."""
    name = created.metadata.name
    set_suspend(gather, name, True)
    wait_for("no pods of a suspended run", lambda: not gather.pods_of(created), HELD_S)
    return gather.wait_run(name, "to be suspended", lambda r: r.status.phase is RunPhase.SUSPENDED, 30)


def look_at(gather: DeployedGather, name: str, ttl_s: int) -> GatherRun:
    """Change what may be changed of a held run; return it once the operator has looked at the change."""
    body = json.dumps({"spec": {"ttlSecondsAfterFinished": ttl_s}})
    gather.kubectl("patch", names.PLURAL, name, "--type=merge", "-p", body)
    return gather.wait_run(
        name, "to be looked at", lambda r: r.status.observed_generation == r.metadata.generation, 30
    )


@pytest.mark.usefixtures("slow_model")
def test_a_suspended_run_saves_first_and_goes_on_where_it_was(gather: DeployedGather) -> None:
    """The same Job, no attempt used up, no iteration and no item twice."""
    project = new_project()
    with run_of(
        gather, "held", project, departments=["story", "character"], maxIterations=12, departmentRetries=0
    ) as created:
        gather.wait_run("held", "to save items", lambda r: r.status.items_created > 0, 120)
        held = hold(gather, created)
        (job,) = gather.jobs_of(created)
        saved = len(gather.items(project, created.metadata.uid))
        assert job["spec"]["suspend"] is True
        assert job["status"].get("failed", 0) == 0
        assert held.status.items_created == saved > 0
        assert held.status.reason == "Suspended"
        for look in range(LOOKS):
            looked = look_at(gather, "held", 1_000 + look)
            assert (looked.status.phase, looked.status.reason) == (RunPhase.SUSPENDED, "Suspended")
            assert len(gather.items(project, created.metadata.uid)) == saved
            assert not gather.pods_of(created)
        set_suspend(gather, "held", False)
        run = gather.wait_end("held", 300)
        assert is_succeeded(run), run.status
        assert run.status.departments[0].job_name == job["metadata"]["name"]
        assert run.status.departments[0].iterations >= held.status.departments[0].iterations
        assert len(gather.jobs_of(created)) == len(run.status.departments)
        assert total_items(run) == len(gather.items(project, created.metadata.uid))


@pytest.mark.long
def test_a_run_suspended_from_the_start_starts_nothing_until_it_is_let_go(gather: DeployedGather) -> None:
    """Not even its departments are fixed."""
    project = new_project()
    with run_of(
        gather, "held-first", project, departments=["story"], maxIterations=1, suspend=True
    ) as created:
        run = gather.wait_run("held-first", "to be held", lambda r: r.status.phase is RunPhase.SUSPENDED, 30)
        assert run.status.departments == []
        assert gather.jobs_of(created) == []
        set_suspend(gather, "held-first", False)
        assert is_succeeded(gather.wait_end("held-first", 120))


@pytest.mark.usefixtures("slow_model")
@pytest.mark.parametrize("stop", ["cancel", pytest.param("delete", marks=pytest.mark.long)])
def test_a_suspended_run_can_be_stopped(gather: DeployedGather, stop: str) -> None:
    """What it saved stays."""
    project, name = new_project(), f"held-then-{stop}"
    with run_of(gather, name, project, departments=["story", "character"], maxIterations=12) as created:
        gather.wait_run(name, "to save items", lambda r: r.status.items_created > 0, 120)
        hold(gather, created)
        saved = len(gather.items(project, created.metadata.uid))
        if stop == "delete":
            gather.delete_run(name)
            gather.wait_gone(name, 30)
        else:
            gather.kubectl("patch", names.PLURAL, name, "--type=merge", "-p", '{"spec":{"cancel":true}}')
            assert gather.wait_end(name, 30).status.phase is RunPhase.CANCELLED
        assert len(gather.items(project, created.metadata.uid)) == saved > 0


@pytest.mark.long
@pytest.mark.usefixtures("slow_model")
def test_a_job_that_somebody_else_suspended_is_theirs(gather: DeployedGather) -> None:
    """Only who suspended it resumes it."""
    project = new_project()
    with run_of(gather, "foreign-hold", project, departments=["story"], maxIterations=2) as created:
        gather.wait_running_pod(created, 120)
        (job,) = gather.jobs_of(created)
        name = job["metadata"]["name"]
        gather.kubectl("patch", "job", name, "--type=merge", "-p", '{"spec":{"suspend":true}}')
        wait_for("no pods", lambda: not gather.pods_of(created), HELD_S)
        set_suspend(gather, "foreign-hold", True)
        gather.wait_run("foreign-hold", "to be held", lambda r: r.status.phase is RunPhase.SUSPENDED, 30)
        set_suspend(gather, "foreign-hold", False)
        gather.wait_run("foreign-hold", "to go on", lambda r: r.status.phase is RunPhase.RUNNING, 30)
        for _ in range(LOOKS):
            (job,) = gather.jobs_of(created)
            assert job["spec"]["suspend"] is True
        gather.kubectl("patch", "job", name, "--type=merge", "-p", '{"spec":{"suspend":false}}')
        assert is_succeeded(gather.wait_end("foreign-hold", 200))
