"""Deleting the resource cancels the run within 30 seconds and keeps what was made."""

import time

import pytest

from dev.waiting import wait_for
from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import DeployedGather, new_project, run_of

POD_LIMIT_S = 30
"""Promised in the design: from the deletion to no pod left."""


def saved_something(run: GatherRun) -> bool:
    """Return whether the run has items that a cancellation could lose."""
    return run.status.items_created > 0


@pytest.mark.usefixtures("slow_model")
def test_deleting_a_run_stops_its_pods_and_keeps_its_items(gather: DeployedGather) -> None:
    """Pods gone in time, no Job left, finalizer released, automation_cancelled sent, items readable."""
    project = new_project()
    with gather.recorded_events(project) as events:
        created = gather.apply_run("deleted", project, departments=["story", "character"])
        gather.wait_run("deleted", "to save items", saved_something, 120)
        gather.wait_running_pod(created, 60)
        started = time.monotonic()
        gather.delete_run("deleted")
        wait_for("all pods to be gone", lambda: not gather.pods_of(created), POD_LIMIT_S + 5)
        pods_gone_s = time.monotonic() - started
        gather.wait_gone("deleted", 30)
        wait_for("automation_cancelled", lambda: events[-1].type == "automation_cancelled", 30)
        wait_for("no Job", lambda: not gather.jobs_of(created), 30)
    items = gather.items(project, created.metadata.uid)
    assert pods_gone_s <= POD_LIMIT_S
    assert items
    assert events[-1].items_created_so_far == len(items)
    assert sum(e.type == "automation_cancelled" for e in events) == 1


@pytest.mark.usefixtures("slow_model")
def test_cancel_keeps_the_resource_and_its_items(gather: DeployedGather) -> None:
    """spec.cancel is the other way to stop: the resource stays and says how far it came."""
    project = new_project()
    with run_of(gather, "cancelled", project, departments=["story", "character"]) as created:
        gather.wait_run("cancelled", "to save items", saved_something, 120)
        gather.kubectl("patch", "gatherrun", "cancelled", "--type=merge", "-p", '{"spec":{"cancel":true}}')
        run = gather.wait_end("cancelled", 60)
        assert run.status.phase is RunPhase.CANCELLED
        assert not gather.pods_of(created)
        assert run.status.items_created == len(gather.items(project, created.metadata.uid)) > 0


@pytest.mark.usefixtures("slow_model")
def test_a_recreated_run_starts_afresh(gather: DeployedGather) -> None:
    """The same name with another UID meets neither the old Jobs nor the old checkpoints."""
    project = new_project()
    with run_of(gather, "again", project, departments=["story"], maxIterations=1) as first:
        gather.wait_end("again", 120)
    with run_of(gather, "again", project, departments=["story"], maxIterations=1) as second:
        run = gather.wait_end("again", 120)
    assert first.metadata.uid != second.metadata.uid
    assert run.status.departments[0].iterations == 1
    assert {i["automationMetadata"]["runUid"] for i in gather.items(project)} == {
        first.metadata.uid,
        second.metadata.uid,
    }
