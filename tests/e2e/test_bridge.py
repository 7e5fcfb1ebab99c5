"""A listener on a real cluster misses nothing although the bridge's pod is killed in the middle of a run."""

from typing import Any

import pytest
from websockets.sync.client import connect

from dev.waiting import wait_for
from gather_contracts.events import FINAL_TYPES
from tests.support.deployed_gather import DeployedGather, new_project, run_of
from tests.support.events.socket_frames import frames_of

PROJECT = new_project()
DEPARTMENTS = ["story", "character"]


def _events(
    gather: DeployedGather, query: str, run_uid: str, count: int | None = None
) -> list[dict[str, Any]]:
    """Return the events after a place in the log, up to the run's last or to so many of the run's."""
    events: list[dict[str, Any]] = []
    with gather.forward("gather-bridge", 8080) as port:
        url = f"ws://127.0.0.1:{port}/api/v1/projects/{PROJECT}/events{query}"
        with connect(url, open_timeout=30) as socket:
            frames = frames_of(socket)
            hello = next(frames)
            assert (hello["type"], hello["recovered"]) == ("hello", True)
            while not _is_enough([e for e in events if e["run_uid"] == run_uid], count):
                events.append(next(frames))
    return events


def _is_enough(own: list[dict[str, Any]], count: int | None) -> bool:
    return len(own) == count or (bool(own) and own[-1]["type"] in FINAL_TYPES)


@pytest.mark.usefixtures("slow_model")
def test_a_listener_outlives_the_bridge_s_pod(gather: DeployedGather) -> None:
    """It comes back with its last offset and epoch and gets exactly what it missed, then live events."""
    with run_of(gather, "bridge-killed", PROJECT, departments=DEPARTMENTS, maxIterations=8) as run:
        uid = run.metadata.uid
        before = _events(gather, "?offset=0", uid, count=4)
        pods = _ready_pods(gather)
        gather.kill_pods("app.kubernetes.io/component=bridge")
        wait_for("another bridge", lambda: bool(_ready_pods(gather) - pods), 120)
        after = _events(gather, f"?offset={before[-1]['offset']}&epoch={before[-1]['epoch']}", uid)
    events = before + after
    first = events[0]["offset"]
    assert [e["offset"] for e in events] == list(range(first, first + len(events)))
    assert len(after) > 1
    own = [e["type"] for e in events if e["run_uid"] == uid]
    assert (own[0], own[-1]) == ("automation_started", "automation_complete")


def _ready_pods(gather: DeployedGather) -> set[str]:
    """Return the names of the bridge's pods that are ready."""
    return {
        pod["metadata"]["name"]
        for pod in gather.objects("pods", "app.kubernetes.io/component=bridge")
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }
