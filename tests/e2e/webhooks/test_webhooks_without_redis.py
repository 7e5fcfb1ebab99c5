"""A webhook in the cluster gets a whole run though Redis is away from before its start until its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.waiting import wait_for
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of
from tests.support.events.receiver_in_cluster import BRIDGE, received, receiver_in_cluster

DEPARTMENTS = ["story", "character"]


@pytest.fixture
def receiver(gather: DeployedGather, tmp_path: Path) -> Iterator[str]:
    """The address of a receiver that the bridge may call."""
    with receiver_in_cluster(gather, tmp_path) as address:
        yield address


@pytest.fixture
def redis_away(gather: DeployedGather, receiver: str) -> Iterator[None]:
    """Let Redis, which keeps nothing, be gone for a test."""
    gather.scale("gather-backing-redis", 0)
    wait_for("Redis to be gone", lambda: not gather.objects("pods", "app.kubernetes.io/component=redis"), 60)
    yield
    gather.scale("gather-backing-redis", 1)
    gather.wait_ready("gather-backing-redis")
    gather.wait_ready(BRIDGE)


@pytest.mark.usefixtures("redis_away")
def test_a_webhook_gets_the_whole_run_though_redis_is_away(gather: DeployedGather, receiver: str) -> None:
    """Every event once, in order, and nothing was given up."""
    with run_of(
        gather, "hooked", new_project(), departments=DEPARTMENTS, maxIterations=4, webhookUrl=receiver,
        enableAutoEvaluation=False,
    ):  # fmt: skip
        run = gather.wait_end("hooked", 240)
        assert is_succeeded(run), run.status
        wait_for("the run's last event", lambda: "automation_complete" in types(gather), 60)
        events = received(gather)
    assert (events[0]["type"], events[-1]["type"]) == ("automation_started", "automation_complete")
    assert len({event["id"] for event in events}) == len(events)
    assert sum(event["type"] == "department_complete" for event in events) == len(DEPARTMENTS)
    assert sum(event["type"] == "iteration_complete" for event in events) == run.status.iterations


def types(gather: DeployedGather) -> set[str]:
    """Return the types of the events that came in."""
    return {event["type"] for event in received(gather)}
