"""What stands beside a run: the chart's own test, the bridge's WebSocket, the metrics."""

from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from dev.commands import output_of
from dev.paths import ROOT
from gather_contracts.resource import GatherRun
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of
from tests.support.events.socket_frames import frames_of

PROJECT = new_project()


def test_the_chart_s_own_test_passes(gather: DeployedGather) -> None:
    """`helm test` asks the brain, from inside the cluster, whether it is ready."""
    said = output_of([str(ROOT / "dev" / "helm"), "test", "gather", "-n", gather.namespace], timeout_s=120)
    assert "Succeeded" in said


def test_a_websocket_gets_a_run_whole_and_again_from_any_offset(gather: DeployedGather) -> None:
    """What a page sees live, and what it gets after it was disconnected: the same events, without a gap."""
    with gather.forward("gather-bridge", 8080) as port:
        url = f"ws://127.0.0.1:{port}/api/v1/projects/{PROJECT}/events"
        with connect(f"{url}?offset=0") as socket, run_of(gather, "socket", PROJECT, departments=["story"]):
            live = _events_until_the_end(socket)
            run = gather.wait_end("socket", 120)
            assert is_succeeded(run)
            snapshot = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/projects/{PROJECT}/runs/socket/snapshot", timeout=10
            ).json()
        missed = live[1:]
        with connect(f"{url}?offset={live[0]['offset']}&epoch={live[0]['epoch']}") as socket:
            assert _events_until_the_end(socket) == missed
    types = [event["type"] for event in live]
    assert types[:2] == ["automation_started", "department_started"]
    assert types[-1] == "automation_complete"
    assert [event["offset"] for event in live] == list(range(1, len(live) + 1))
    assert_is_as_of_the_end(snapshot, run, live[-1])


def assert_is_as_of_the_end(snapshot: dict[str, Any], run: GatherRun, last: dict[str, object]) -> None:
    """A page that is loaded after the end shows the run's numbers, curve and notes."""
    assert (snapshot["complete"], snapshot["phase"]) == (True, "Succeeded")
    assert (snapshot["offset"], snapshot["epoch"]) == (last["offset"], last["epoch"])
    (department,) = snapshot["departments"]
    assert department["items_created"] == snapshot["items_created"] == run.status.items_created
    assert len(department["curve"]) == department["iterations"] == run.status.iterations
    assert len(snapshot["notes"]) == min(20, run.status.items_created)


def _events_until_the_end(socket: ClientConnection) -> list[dict[str, object]]:
    """Return the frames that are events, up to the run's last."""
    events: list[dict[str, object]] = []
    for frame in frames_of(socket):
        if frame["type"] != "hello":
            events.append(frame)
        if frame["type"] == "automation_complete":
            break
    return events


def test_rooms_count_what_they_do(gather: DeployedGather) -> None:
    """Prometheus' text at /metrics, under the names that the requirements give."""
    with gather.forward("gather-brain", 9090) as port:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    for name in ("http_requests_total", "http_request_duration_seconds", "neo4j_query_duration_seconds"):
        assert name in text
