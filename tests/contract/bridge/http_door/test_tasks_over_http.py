"""Tasks over HTTP as the application sends them, against a real API server."""

import asyncio
import json
import logging
import subprocess
import uuid
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from gather_contracts import names
from tests.support.doors.doors_api import RUNS, DoorsApi
from tests.support.doors.http_door import (
    KEY,
    OTHER_KEY,
    OTHER_PROJECT,
    PROJECT,
    SERVICE_KEY,
    ServedDoor,
    ServeDoor,
    submission,
)

STORY: dict[str, Any] = {
    "slug": "story", "name": "Story Department", "codeDepNumber": 1, "threshold": 80, "model": "m",
    "phase": "Running", "iterations": 4, "iterationLimit": 8, "itemsCreated": 6, "qualityScore": 71,
    "startTime": "2026-11-29T08:00:02Z", "attempt": 1,
}  # fmt: skip
RUNNING: dict[str, Any] = {
    "phase": "Running", "startTime": "2026-11-29T08:00:01Z", "progress": "0/1", "currentDepartment": "story",
    "iterations": 4, "itemsCreated": 6, "qualityScore": 71, "departments": [STORY],
}  # fmt: skip
ENDED: dict[str, Any] = {
    **RUNNING, "phase": "Succeeded", "completionTime": "2036-11-29T08:05:00Z", "currentDepartment": "",
    "progress": "1/1",
    "departments": [
        {**STORY, "phase": "Succeeded", "qualityScore": 85, "completionTime": "2036-11-29T08:05:00Z"}
    ],
}  # fmt: skip


async def test_a_submission_is_a_gatherrun_and_answers_as_the_application_expects(
    door: ServedDoor, kubernetes: DoorsApi
) -> None:
    """Field for field; the run's name is the task's id."""
    answer = await door.submit()
    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == [
        "task_id", "status", "project_id", "estimated_duration", "queue_position", "created_at",
    ]  # fmt: skip
    assert str(uuid.UUID(body["task_id"])) == body["task_id"]
    assert (body["status"], body["project_id"], body["queue_position"]) == ("queued", PROJECT, 1)
    behind_a_proxy = urljoin("https://proxy.example/tasks/api/v1/tasks/submit", answer.headers["location"])
    assert behind_a_proxy == f"https://proxy.example/tasks/api/v1/tasks/{body['task_id']}/status"
    run = kubernetes.run(body["task_id"])
    assert run["spec"]["projectId"] == PROJECT
    assert run["spec"]["userId"] == "user-123"
    assert run["spec"]["maxIterations"] == 20
    assert run["metadata"]["labels"][names.LABEL_DOOR] == "http"


@pytest.mark.parametrize(
    "body",
    [
        submission(task_data={"project_id": PROJECT, "user_id": "u", "gatherCount": 12, "max_iterations": 7}),
        submission(task_data={"projectId": PROJECT, "userId": "u", "options": {"maxIterations": 7}}),
        {
            "projectId": PROJECT, "taskType": "automated_gather_creation",
            "callbackUrl": "https://app.example/x",
            "taskData": {"userId": "u", "options": {"max_iterations": 7}, "gatherCount": 3}, "unknown": 1,
        },
    ],
    ids=["snake case", "camel case and options", "camel case outside"],
)  # fmt: skip
async def test_both_spellings_are_understood(
    door: ServedDoor, kubernetes: DoorsApi, body: dict[str, Any]
) -> None:
    """And what is not known is passed over."""
    answer = await door.call("POST", "/api/v1/tasks/submit", body)
    assert answer.status_code == 201, answer.text
    spec = kubernetes.run(answer.json()["task_id"])["spec"]
    assert (spec["projectId"], spec["userId"], spec["maxIterations"]) == (PROJECT, "u", 7)


async def test_a_task_goes_its_way(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """Queued, processing with numbers, completed with the result; polls cost no call of the API server."""
    task_id = await door.submitted()
    queued = await door.until(task_id, lambda body: bool(body.get("status")))
    assert (queued["status"], queued["progress"], queued["result"], queued["error"]) == (
        "queued",
        0,
        None,
        None,
    )
    kubernetes.put_status(task_id, RUNNING)
    running = await door.until(task_id, lambda body: bool(body["status"] == "processing"))
    assert (running["progress"], running["current_step"], running["queue_position"]) == (0.5, "story", 0)
    assert running["details"]["items_created"] == 6
    kubernetes.put_status(task_id, ENDED)
    done = await door.until(task_id, lambda body: bool(body["status"] == "completed"))
    assert done["progress"] == 1
    assert done["result"]["items_created"] == 6
    assert done["result"]["summary"] == [
        {"department": "story", "name": "Story Department", "quality_score": 85, "iterations": 4,
         "items_created": 6}
    ]  # fmt: skip
    assert done["completed_at"] == ENDED["completionTime"]
    for field in ("created_at", "updated_at", "task_id", "project_id", "estimated_duration"):
        assert done[field] is not None


async def test_a_task_that_failed_says_why(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """As a sentence, and in parts."""
    task_id = await door.submitted()
    failed = {**STORY, "phase": "Failed", "reason": "OOMKilled", "message": "more than 512Mi"}
    kubernetes.put_status(task_id, {**ENDED, "phase": "Failed", "departments": [failed]})
    body = await door.until(task_id, lambda body: bool(body["status"] == "failed"))
    assert body["result"] is None
    assert isinstance(body["error"], str)
    assert body["error_details"]["error"] == "OOMKilled"
    assert body["error_details"]["details"]["failed_at_department"] == "story"


@pytest.mark.parametrize("suffix", ["", "/cancel"])
async def test_cancelling_keeps_the_run(door: ServedDoor, kubernetes: DoorsApi, suffix: str) -> None:
    """As often as one likes, before the end and after it."""
    task_id = await door.submitted()
    for _ in range(2):
        answer = await door.call("DELETE", f"/api/v1/tasks/{task_id}{suffix}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["task_id"] == task_id
        assert answer.json()["status"] == "cancelled"
    assert kubernetes.run(task_id)["spec"]["cancel"] is True
    assert (await door.until(task_id, lambda body: bool(body["is_cancelling"])))["status"] == "queued"
    kubernetes.put_status(task_id, {**ENDED, "phase": "Cancelled"})
    body = await door.until(task_id, lambda body: bool(body["status"] == "cancelled"))
    assert body["error_details"]["details"]["items_created_so_far"] == 6
    assert (await door.call("DELETE", f"/api/v1/tasks/{task_id}{suffix}")).status_code == 200


async def test_what_has_ended_by_itself_cannot_be_cancelled(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """The answer says how it ended."""
    task_id = await door.submitted()
    kubernetes.put_status(task_id, ENDED)
    await door.until(task_id, lambda body: bool(body["status"] == "completed"))
    answer = await door.call("DELETE", f"/api/v1/tasks/{task_id}")
    assert (answer.status_code, answer.json()["error"]) == (409, "task_ended")
    assert "spec" in kubernetes.run(task_id)
    assert "cancel" not in kubernetes.run(task_id)["spec"] or not kubernetes.run(task_id)["spec"]["cancel"]


async def test_a_run_of_kubectl_is_a_task_by_its_name(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """Status and cancel work for it too."""
    name = "film-of-2026"
    made = {
        "apiVersion": f"{names.GROUP}/{names.VERSION}", "kind": names.KIND, "metadata": {"name": name},
        "spec": {"projectId": PROJECT, "userId": "me"},
    }  # fmt: skip
    kubernetes.plane.call("POST", RUNS, made)
    assert (await door.status(name)).json()["task_id"] == name
    assert (await door.call("DELETE", f"/api/v1/tasks/{name}/cancel")).status_code == 200
    assert kubernetes.run(name)["spec"]["cancel"] is True


async def test_a_task_can_be_asked_for_at_any_door_at_once(serve_door: ServeDoor) -> None:
    """The other door's watch may not have brought it yet."""
    async with serve_door() as first, serve_door() as second:
        for _ in range(5):
            task_id = await first.submitted()
            assert (await second.status(task_id)).json()["status"] == "queued"


async def test_no_key_stands_in_an_answer_or_a_log(
    door: ServedDoor, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it is sent by mistake, and whatever fails."""
    caplog.set_level(logging.DEBUG, logger="gather_bridge")
    caplog.set_level(logging.DEBUG, logger="gather_clients")
    answers = [
        await door.submit(),
        await door.submit(task_data={"max_iterations": 0}),
        await door.submit(key=f"{KEY}-mistyped"),
        await door.status(KEY),
        await door.status(KEY, key=OTHER_KEY),
        await door.call("GET", f"/api/v1/tasks/x/status?api_key={KEY}"),
        await door.call("GET", f"/api/v1/{KEY}"),
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 401, 404, 404, 404, 404]
    assert not [answer.text for answer in answers if KEY in answer.text]
    logged = [str(record.__dict__) for record in caplog.records if record.name.startswith("gather_")]
    assert logged
    assert not [line for line in logged if KEY in line]


async def test_nothing_is_said_to_strangers(door: ServedDoor) -> None:
    """401 without a valid key, whatever is asked; a key in another place is none."""
    task_id = await door.submitted()
    for answer in (
        await door.submit(key=None),
        await door.submit(key="wrong"),
        await door.status(task_id, key="x" * 5000),
        await door.call("GET", f"/api/v1/tasks/{task_id}/status?api_key={KEY}", key=None),
        await door.call("GET", f"/api/v1/tasks/{task_id}/status", key=None, Authorization=f"Bearer {KEY}"),
        await door.call("DELETE", f"/api/v1/tasks/{task_id}", key=None),
        await door.call("GET", "/api/v1/nothing", key=None),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "X-API-Key"


async def test_another_project_s_key_finds_nothing(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """And the answers are those for what does not exist."""
    task_id = await door.submitted()
    unknown = str(uuid.uuid4())
    for method, path in (("GET", "/status"), ("DELETE", ""), ("DELETE", "/cancel")):
        real = await door.call(method, f"/api/v1/tasks/{task_id}{path}", key=OTHER_KEY)
        none = await door.call(method, f"/api/v1/tasks/{unknown}{path}", key=OTHER_KEY)
        assert (real.status_code, real.json()) == (none.status_code, none.json())
        assert real.status_code == 404
    assert (await door.submit(key=OTHER_KEY)).status_code == 404
    assert (await door.submit(key=OTHER_KEY, project_id=OTHER_PROJECT)).status_code == 201
    assert (await door.status(task_id, key=SERVICE_KEY)).status_code == 200
    hidden = submission(project_id=OTHER_PROJECT, task_data={"project_id": PROJECT})
    refused = await door.call("POST", "/api/v1/tasks/submit", hidden, key=OTHER_KEY)
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["task_data.project_id"])
    assert len(kubernetes.runs()) == 2


async def test_an_idempotency_key_is_one_task(
    serve_door: ServeDoor, door: ServedDoor, kubernetes: DoorsApi
) -> None:
    """At two doors at once, and again after it has gone on; its holder's alone."""
    async with serve_door() as second:
        answers = await asyncio.gather(
            *(each.submit(idempotency_key="order-7") for each in (door, second) for _ in range(5))
        )
    assert {answer.status_code for answer in answers} == {201}
    (task_id,) = {answer.json()["task_id"] for answer in answers}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    kubernetes.put_status(task_id, RUNNING)
    again = await door.submit(idempotency_key="order-7")
    assert (again.json()["task_id"], again.json()["status"]) == (task_id, "processing")
    assert (await door.submit(key=SERVICE_KEY, idempotency_key="order-7")).json()["task_id"] != task_id
    assert len(kubernetes.runs()) == 2


async def test_an_idempotency_key_with_another_body_is_refused(
    door: ServedDoor, kubernetes: DoorsApi
) -> None:
    """With a message that says what to do; the order of fields is no difference."""
    task_id = await door.submitted(idempotency_key="order-8")
    turned = dict(reversed(submission().items()))
    same = await door.call("POST", "/api/v1/tasks/submit", turned, Idempotency_Key="order-8")
    assert (same.status_code, same.json()["task_id"]) == (201, task_id)
    other = await door.submit(idempotency_key="order-8", task_data={"max_iterations": 21})
    assert (other.status_code, other.json()["error"]) == (422, "idempotency_key_reused")
    assert "another key" in other.json()["message"]
    assert task_id in json.dumps(other.json()["details"])
    malformed = await door.submit(idempotency_key="a b")
    assert (malformed.status_code, malformed.json()["error"]) == (400, "validation_failed")
    assert len(kubernetes.runs()) == 1


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"project_id": "film"}, "project_id", "pattern"),
        ({"task_type": "generate_video"}, "task_type", "automated_gather_creation"),
        ({"priority": "high"}, "priority", "integer"),
        ({"task_data": []}, "task_data", "dictionary"),
        ({"task_data": {"max_iterations": 0}}, "task_data.max_iterations", "greater than or equal to 1"),
        ({"task_data": {"options": {"maxIterations": 501}}}, "task_data.options.maxIterations", "500"),
        ({"task_data": {"departments": ["Story!"]}}, "task_data.departments.0", ""),
        ({"task_data": {"worker": {}}}, "task_data.worker", "cannot be given"),
        ({"metadata": None}, "task_data.user_id", "missing"),
        ({"metadata": {"user_id": "u", "more": "x" * 5000}}, "metadata", "4096"),
        ({"callback_url": "http://app.example/x"}, "callback_url", "https://"),
        ({"callback_url": "https://169.254.169.254/latest"}, "callback_url", "not public"),
        ({"callback_url": "https://[::ffff:10.0.0.1]/x"}, "callback_url", "not public"),
        ({"callback_url": "https://user:pw@app.example/"}, "callback_url", "https://"),
    ],
)
async def test_what_can_never_work_is_refused_with_its_field(
    door: ServedDoor, kubernetes: DoorsApi, changed: dict[str, Any], field: str, said: str
) -> None:
    """400 and the standard body; nothing is made."""
    answer = await door.submit(**changed)
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_failed"), answer.text
    assert field in answer.json()["message"]
    assert said in answer.json()["details"][field]
    assert kubernetes.runs() == []


async def test_what_only_the_api_server_refuses_names_its_field(door: ServedDoor) -> None:
    """The rules of the CRD that the model does not have."""
    answer = await door.submit(task_data={"webhook_url": "http://app.example/x"})
    assert answer.status_code == 400, answer.text
    assert "webhook" in answer.json()["message"].lower()


async def test_bodies_are_bounded_and_are_json(door: ServedDoor) -> None:
    """413, 415 and 400 with the standard body."""
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=door.url, headers=headers) as client:
        sent = [
            (b"{" + b" " * 70_000 + b"}", {}, 413),
            (b"{", {}, 400),
            (b'{"project_id": NaN}', {}, 400),
            (b"[" * 10_000, {}, 400),
            (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ]
        for content, more, status in sent:
            answer = await client.post("/api/v1/tasks/submit", content=content, headers=more)
            assert answer.status_code == status
            assert {"error", "message"} <= set(answer.json())
        refused = await client.put("/api/v1/tasks/submit")
        assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, POST")
        assert (await client.get("/api/v1/nothing")).json()["error"] == "not_found"


async def test_curl_as_in_a_shell(door: ServedDoor) -> None:
    """With nothing but the address and the key."""
    command = [
        "curl", "-sS", "-X", "POST", f"{door.url}/api/v1/tasks/submit", "-H", f"X-API-Key: {KEY}",
        "-H", "Content-Type: application/json", "-d", json.dumps(submission()),
    ]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["status"] == "queued"
