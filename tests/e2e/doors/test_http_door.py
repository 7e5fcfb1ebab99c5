"""Tasks over HTTP on a real cluster: submitted, polled, cancelled, and called back about."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather, new_project
from tests.support.events.receiver_in_cluster import received, receiver_in_cluster

DOOR = "gather-http-door"
DEPARTMENTS = ["story", "character"]
POLL_S = 2.0
"""As the application polls."""


@pytest.fixture(scope="module")
def key(gather: DeployedGather) -> str:
    """The page's key, which opens all projects."""
    secret = json.loads(gather.kubectl("get", "secret", "gather-backing-bridge", "-o", "json"))
    return base64.b64decode(secret["data"]["GATHER_BRIDGE_DOOR_KEY"]).decode()


@pytest.fixture
def receiver(gather: DeployedGather, tmp_path: Path) -> Iterator[str]:
    """The address of a receiver that the bridge may call."""
    with receiver_in_cluster(gather, tmp_path) as address:
        yield address


class Tasks:
    """Calls to the door, each over a port-forward of its own: its pod may be another one by then."""

    def __init__(self, gather: DeployedGather, key: str) -> None:
        self._gather = gather
        self._headers = {"X-API-Key": key}

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Return the answer."""
        with self._gather.forward(DOOR, 8080) as port:
            url = f"http://127.0.0.1:{port}/api/v1/tasks/{path}"
            return httpx.request(method, url, json=body, headers=self._headers, timeout=30)

    def status(self, task_id: str) -> dict[str, Any]:
        """Return the task as it stands."""
        return dict(self.call("GET", f"{task_id}/status").raise_for_status().json())

    def until(self, task_id: str, wanted: str, timeout_s: float) -> dict[str, Any]:
        """Return the task once it stands so."""

        def probe() -> dict[str, Any] | None:
            body = self.status(task_id)
            return body if body["status"] == wanted else None

        return wait_for(f"task {task_id} to be {wanted}", probe, timeout_s, POLL_S)


@pytest.fixture
def tasks(gather: DeployedGather, key: str) -> Tasks:
    """Calls with the page's key."""
    return Tasks(gather, key)


@contextmanager
def submitted(gather: DeployedGather, tasks: Tasks, project: str, receiver: str) -> Iterator[str]:
    """Yield the id of a task; its run is deleted afterwards."""
    data = {"max_iterations": 8, "departments": DEPARTMENTS, "enableAutoEvaluation": False, "gatherCount": 3}
    body = {
        "project_id": project, "task_type": "automated_gather_creation", "task_data": data, "priority": 1,
        "callback_url": receiver, "metadata": {"user_id": "e2e"},
    }  # fmt: skip
    answer = tasks.call("POST", "submit", body)
    assert answer.status_code == 201, answer.text
    task_id = str(answer.json()["task_id"])
    try:
        yield task_id
    finally:
        gather.delete_run(task_id)
        gather.wait_gone(task_id, 60)


def callback(gather: DeployedGather, task_id: str) -> dict[str, Any]:
    """Return the task's only callback, once the run says that it was delivered."""

    def is_noted() -> bool:
        run = json.loads(gather.kubectl("get", names.PLURAL, task_id, "-o", "json"))
        return bool(run["metadata"]["annotations"].get(names.ANNOTATION_CALLBACK) == "delivered")

    wait_for("the callback to be noted", is_noted, 60)
    (body,) = [each for each in received(gather) if each.get("task_id") == task_id]
    return body


def test_a_task_is_submitted_polled_and_called_back_about(
    gather: DeployedGather, tasks: Tasks, receiver: str
) -> None:
    """What the callback brings is what the status says; the door's pod is killed in between."""
    project = new_project()
    with submitted(gather, tasks, project, receiver) as task_id:
        assert tasks.status(task_id)["status"] in {"queued", "processing"}
        gather.kill_pods("app.kubernetes.io/component=http-door")
        gather.wait_ready(DOOR)
        done = tasks.until(task_id, "completed", 240)
        sent = callback(gather, task_id)
        run = gather.run(task_id)
        items = gather.items(project, run.metadata.uid)
    assert (sent["status"], sent["project_id"], sent["metadata"]) == (
        "completed",
        project,
        {"user_id": "e2e"},
    )
    assert sent["result"] == done["result"]
    assert done["progress"] == 1
    assert done["result"]["items_created"] == len(items) > 0
    assert [line["department"] for line in done["result"]["summary"]] == DEPARTMENTS


@pytest.mark.usefixtures("slow_model")
def test_a_task_that_is_cancelled_keeps_what_it_made(
    gather: DeployedGather, tasks: Tasks, receiver: str
) -> None:
    """And its callback says so."""
    project = new_project()
    with submitted(gather, tasks, project, receiver) as task_id:
        wait_for(
            "notes to be saved", lambda: tasks.status(task_id)["details"]["items_created"] > 0, 120, POLL_S
        )
        answer = tasks.call("DELETE", f"{task_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        ended = tasks.until(task_id, "cancelled", 60)
        sent = callback(gather, task_id)
        items = gather.items(project, gather.run(task_id).metadata.uid)
    assert sent["status"] == "cancelled"
    assert sent["error_details"] == ended["error_details"]
    assert ended["error_details"]["details"]["items_created_so_far"] == len(items) > 0
