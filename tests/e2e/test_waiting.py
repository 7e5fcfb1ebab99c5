"""What a run says while it waits: `kubectl describe gatherrun` alone is enough to see what helps."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev.waiting import wait_for
from gather_contracts.reasons import RunPhase
from tests.support.deployed_gather import SAID_S, DeployedGather, is_succeeded, run_of, wait_reason

OPERATOR = "gather-operator"
NOBODY_S_IMAGE = "127.0.0.1:1/gather/worker:none"
"""Nothing listens there, so no registry is asked."""
PATIENCE_S = 20
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-pods"},
    "spec": {"hard": {"pods": "0"}},
}
LABEL = "gather-e2e-waiting"


def assert_described(gather: DeployedGather, name: str, reason: str, words: str) -> None:
    """Conditions, department and Event: the Event is posted just after the status."""

    def has_event() -> bool:
        events = gather.objects("events")
        own = (
            e
            for e in events
            if e["involvedObject"]["kind"] == "GatherRun" and e["involvedObject"]["name"] == name
        )
        return any(e["reason"] == reason and words in e["message"] and e["type"] == "Warning" for e in own)

    wait_for(f"an Event {reason} of {name}", has_event, 30)
    text = gather.kubectl("describe", "gatherrun", name)
    assert reason in text
    assert words in " ".join(text.split())


@contextmanager
def operator_with(gather: DeployedGather, **settings: str) -> Iterator[None]:
    """Let the operator have other settings, and its own again afterwards."""
    deployment = json.loads(gather.kubectl("get", "deployment", OPERATOR, "-o", "json"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    before = {e["name"]: e.get("value", "") for e in container["env"]}
    restored = [f"{name}={before[name]}" if name in before else f"{name}-" for name in settings]
    gather.kubectl("set", "env", f"deployment/{OPERATOR}", *(f"{n}={v}" for n, v in settings.items()))
    try:
        gather.wait_ready(OPERATOR)
        yield
    finally:
        gather.kubectl("set", "env", f"deployment/{OPERATOR}", *restored)
        gather.wait_ready(OPERATOR)


@contextmanager
def full_quota(gather: DeployedGather) -> Iterator[None]:
    """Allow no further pod in the namespace."""
    gather.kubectl("create", "-f", "-", stdin=json.dumps(QUOTA))
    try:
        wait_for(
            "the quota to count",
            lambda: (
                gather.kubectl("get", "resourcequota", "no-pods", "-o", "jsonpath={.status.hard.pods}") == "0"
            ),
            30,
        )
        yield
    finally:
        gather.kubectl("delete", "resourcequota", "no-pods", "--ignore-not-found")


def test_a_full_quota_is_said_and_waited_for(gather: DeployedGather) -> None:
    """In the quota's own words; with room again the run goes on, and says so."""
    name, project = "quota-full", "e20000000000000000000001"
    with full_quota(gather), run_of(gather, name, project, departments=["story"], maxIterations=2):
        said = wait_reason(gather, name, "FailedCreate", "exceeded quota: no-pods")
        assert "requested: pods=1" in said.message
        assert_described(gather, name, "FailedCreate", "exceeded quota: no-pods")
        gather.kubectl("delete", "resourcequota", "no-pods")
        run = gather.wait_end(name, 240)
        assert is_succeeded(run), run.status
        assert run.status.departments[0].reason != "FailedCreate"
        assert "quota" not in run.status.departments[0].message


@pytest.mark.long
def test_an_image_that_does_not_exist_fails_the_department(gather: DeployedGather) -> None:
    """After the patience, with the registry's words; its Job and its pod go."""
    name, project = "image-missing", "e20000000000000000000002"
    settings = {"GATHER_WORKER_IMAGE": NOBODY_S_IMAGE, "GATHER_START_PATIENCE_S": str(PATIENCE_S)}
    with operator_with(gather, **settings), run_of(gather, name, project, departments=["story"]) as created:
        wait_reason(gather, name, "ImagePullBackOff", NOBODY_S_IMAGE)
        assert_described(gather, name, "ImagePullBackOff", NOBODY_S_IMAGE)
        run = gather.wait_end(name, PATIENCE_S + SAID_S)
        assert (run.status.phase, run.status.reason) == (RunPhase.FAILED, "ImagePullBackOff")
        assert NOBODY_S_IMAGE in run.status.departments[0].message
        assert run.status.departments[0].attempt == 1
        wait_for("no Job", lambda: not gather.jobs_of(created), 30)
        wait_for("no pod", lambda: not gather.pods_of(created), 60)
        assert_described(gather, name, "DepartmentFailed", "ImagePullBackOff")


@pytest.mark.long
@pytest.mark.usefixtures("slow_model")
def test_a_suspended_job_is_said_and_goes_on(gather: DeployedGather) -> None:
    """As a queue suspends it; the worker saves first, and goes on from its checkpoint."""
    name, project = "job-suspended", "e20000000000000000000003"
    with run_of(gather, name, project, departments=["story"], maxIterations=4) as created:
        gather.wait_run(name, "to iterate", lambda r: r.status.iterations >= 1, 120)
        job = str(gather.jobs_of(created)[0]["metadata"]["name"])
        gather.kubectl("patch", "job", job, "--type=merge", "-p", '{"spec":{"suspend":true}}')
        said = wait_reason(gather, name, "Suspended", job)
        assert "Kueue" in said.message
        assert_described(gather, name, "Suspended", "is suspended")
        gather.kubectl("patch", "job", job, "--type=merge", "-p", '{"spec":{"suspend":false}}')
        run = gather.wait_end(name, 240)
        assert is_succeeded(run), run.status
        assert len(gather.jobs_of(created)) == 1


@pytest.mark.long
def test_a_selector_that_fits_no_node_is_said_and_waited_for(gather: DeployedGather) -> None:
    """In the scheduler's own words; a node with the label is enough."""
    name, project = "node-missing", "e20000000000000000000004"
    selector = json.dumps({LABEL: "here"})
    with (
        operator_with(gather, GATHER_WORKER_NODE_SELECTOR=selector),
        run_of(gather, name, project, departments=["story"], maxIterations=2),
    ):
        wait_reason(gather, name, "Unschedulable", "didn't match Pod's node affinity/selector")
        assert_described(gather, name, "Unschedulable", "nodes are available")
        gather.kubectl("label", "nodes", "--all", f"{LABEL}=here")
        try:
            run = gather.wait_end(name, 240)
        finally:
            gather.kubectl("label", "nodes", "--all", f"{LABEL}-")
        assert is_succeeded(run), run.status
