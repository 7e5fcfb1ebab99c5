"""Submissions as manifests, and tasks as answers and callbacks; pure."""

import json
import uuid
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_bridge.errors import NameTaken, TaskRefused
from gather_bridge.http_door.door_errors import KeyReused, TaskIdTaken
from gather_bridge.http_door.door_keys import Caller
from gather_bridge.http_door.door_metrics import CALLS, DoorMetrics
from gather_bridge.http_door.key_gate import Places, endpoint_of
from gather_bridge.http_door.submissions import prepare
from gather_bridge.http_door.task_answers import callback_text, status_of
from gather_bridge.http_door.task_bodies import TaskSubmission
from gather_bridge.http_door.task_line import USUAL_S, TaskLine
from gather_bridge.http_door.task_routes import Door
from gather_bridge.task_runs.task_states import Task, task_of
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Conflict, Refused
from gather_clients.limits.buckets import Buckets, LocalBuckets
from gather_clients.web.service_errors import UnavailableError, ValidationFailedError
from gather_contracts import names
from tests.support.doors.http_door import submission

CALLER = Caller("app", frozenset({"*"}))
AT = "2026-11-29T08:00:{:02}Z"


def task(uid: str, phase: str = "Pending", created: int = 0, **status: Any) -> Task:
    """A task as the watch brings it."""
    metadata = {
        "name": uid, "namespace": "films", "uid": uid, "creationTimestamp": AT.format(created),
        "annotations": {names.ANNOTATION_METADATA: '{"user_id": "u"}'},
    }  # fmt: skip
    spec = {"projectId": "5" * 24, "userId": "u"}
    return task_of({"metadata": metadata, "spec": spec, "status": {"phase": phase, **status}})


def test_without_an_idempotency_key_each_submission_is_another_task() -> None:
    """By a random UUID."""
    made = [prepare(TaskSubmission(**submission()), "app", None) for _ in range(2)]
    assert made[0].task_id != made[1].task_id
    assert made[0].request_sha256 == ""


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255))
def test_an_idempotency_key_names_the_task_of_its_holder(key: str) -> None:
    """The same for the same holder, a UUID always."""
    made = [prepare(TaskSubmission(**submission()), name, key) for name in ("app", "app", "other")]
    assert made[0].task_id == made[1].task_id != made[2].task_id
    assert made[0].request_sha256 == made[1].request_sha256 != ""
    assert str(uuid.UUID(made[0].task_id)) == made[0].task_id


@pytest.mark.parametrize(
    "changed",
    [
        {"task_data": {"max_iterations": 21}}, {"callback_url": "https://app.example/"},
        {"metadata": {"user_id": "another"}}, {"project_id": "6" * 24},
    ],
)  # fmt: skip
def test_what_is_sent_with_an_idempotency_key_is_told_apart(changed: dict[str, Any]) -> None:
    """Every part of it."""
    one, other = (prepare(TaskSubmission(**submission(**c)), "app", "key") for c in ({}, changed))
    assert one.request_sha256 != other.request_sha256
    assert one.task_id == other.task_id


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"task_data": {"user_id": "first"}}, "first"),
        ({"task_data": {"options": {"userId": "second"}}}, "second"),
        ({"metadata": {"userId": "third"}}, "third"),
    ],
)
def test_the_user_is_whom_the_data_name_or_else_the_metadata(given: dict[str, Any], expected: str) -> None:
    """In either spelling."""
    made = prepare(TaskSubmission(**submission(**given)), "app", None)
    assert made.manifest["spec"]["userId"] == expected


def test_a_run_with_a_callback_stays_until_it_can_be_asked_for() -> None:
    """Whoever wants it gone at once would lose callback and status with it."""
    data = {"ttl_seconds_after_finished": 0}
    made = prepare(TaskSubmission(**submission(task_data=data)), "app", None)
    assert made.manifest["spec"]["ttlSecondsAfterFinished"] == 3600


def test_a_task_s_place_counts_those_that_wait_before_it() -> None:
    """One that has begun or gone is in nobody's way."""
    line = TaskLine()
    tasks = [task(f"t{number}", created=number) for number in range(4)]
    for each in tasks:
        line.note(each)
    assert [line.position(each) for each in tasks] == [1, 2, 3, 4]
    line.note(task("t0", "Running"))
    line.leave(tasks[1])
    assert [line.position(each) for each in tasks[2:]] == [1, 2]
    assert line.position(task("t0", "Running")) == 0


def test_the_last_tasks_say_how_long_the_next_takes() -> None:
    """From its submission; each counts once, however often it is heard of."""
    line = TaskLine()
    assert line.usual_s() == USUAL_S
    for _ in range(3):
        line.note(task("a", "Succeeded", completionTime=AT.format(10)))
    line.note(task("b", "Succeeded", completionTime=AT.format(30)))
    line.note(task("c", "Failed", completionTime=AT.format(59)))
    assert line.usual_s() == 20


@pytest.mark.parametrize(
    ("phase", "field"), [("Succeeded", "result"), ("Failed", "error"), ("Cancelled", "error")]
)
def test_a_callback_has_a_result_or_an_error(phase: str, field: str) -> None:
    """And what the sender gave along."""
    body = json.loads(callback_text(task("a", phase, completionTime=AT.format(10))))
    assert field in body
    assert len({"result", "error"} & body.keys()) == 1
    assert body["metadata"] == {"user_id": "u"}
    assert body["completed_at"] == AT.format(10)


@pytest.mark.parametrize("text", ["{", "[" * 4000, '"' + "x" * 5000 + '"', ""])
def test_metadata_that_somebody_has_spoilt_are_left_out(text: str) -> None:
    """Annotations can be written by others too."""
    spoilt = replace(task("a", "Succeeded"), annotations={names.ANNOTATION_METADATA: text})
    assert "metadata" not in json.loads(callback_text(spoilt))


def test_a_status_says_what_is_at_work_or_why_it_waits() -> None:
    """In one word for people's eyes."""
    line = TaskLine()
    assert status_of(task("a"), line).current_step == "queued"
    assert status_of(task("a", reason="CMSUnavailable"), line).current_step == "CMSUnavailable"
    assert status_of(task("a", "Running", currentDepartment="story"), line).current_step == "story"
    assert status_of(task("a", "Succeeded"), line).current_step == "completed"


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/api/v1/tasks/submit", "/api/v1/tasks/submit"),
        ("/api/v1/tasks/x/status", "/api/v1/tasks/{id}/status"),
        ("/api/v1/tasks/x/y/z", "/api/v1/tasks/{id}"),
        ("/api/v1/tasks/x", "/api/v1/tasks/{id}"),
        ("/api/v1/docs", "docs"),
        ("/api/v1/other", "other"),
        ("/healthz", "/healthz"),
    ],
)
def test_labels_of_metrics_are_from_a_closed_list(path: str, label: str) -> None:
    """Ids are none of them."""
    assert endpoint_of(path) == label


@pytest.mark.parametrize(("method", "endpoint"), CALLS)
def test_failures_are_counted_from_0_under_the_labels_of_requests(method: str, endpoint: str) -> None:
    """Else an alert would not count the first ones."""
    assert endpoint_of(endpoint.replace("{id}", str(uuid.uuid4()))) == endpoint
    said = {"endpoint": endpoint, "method": method, "status": "503"}
    assert DoorMetrics().registry.get_sample_value("gather_door_requests_total", said) == 0


class LossyRuns:
    """Calls of which the first answer is lost, although the run was made."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.names: list[str] = []

    async def create(self, manifest: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Note the name; answer what the test wants."""
        self.names.append(manifest["metadata"]["name"])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        metadata = {
            **manifest["metadata"],
            "uid": "u",
            "namespace": "films",
            "creationTimestamp": AT.format(0),
        }
        return {**manifest, "metadata": metadata}, bool(answer)


def door(runs: LossyRuns) -> Door:
    """A door with these calls."""
    watched, buckets = WatchedRuns(cast("Any", runs), "", print, print), Buckets(None, LocalBuckets())
    return Door(cast("Any", runs), watched, TaskLine(), buckets, DoorMetrics(), Places(4))


@pytest.mark.parametrize("lost", [ClusterUnavailable("no answer in time"), Conflict("the quota has changed")])
async def test_a_lost_answer_makes_no_second_run(lost: Exception) -> None:
    """It is asked for again under the same name; what exists then is this very task."""
    runs = LossyRuns(lost, False)
    made, is_new = await door(runs).create(CALLER, prepare(TaskSubmission(**submission()), "app", None))
    assert is_new
    assert runs.names == [made.id, made.id]


async def test_a_key_that_stands_for_another_body_is_refused_after_a_lost_answer_too() -> None:
    """What exists then need not be of this request."""

    class Earlier(LossyRuns):
        async def create(self, manifest: dict[str, Any]) -> tuple[dict[str, Any], bool]:
            first = prepare(TaskSubmission(**submission()), "app", "key").manifest
            return await super().create({**manifest, "metadata": first["metadata"]})

    body = TaskSubmission(**submission(priority=2))
    with pytest.raises(KeyReused):
        await door(Earlier(ClusterUnavailable("away"), False)).create(CALLER, prepare(body, "app", "key"))


@pytest.mark.parametrize(
    ("answers", "failure"),
    [
        ([ClusterUnavailable("away"), ClusterUnavailable("away")], UnavailableError),
        ([Refused("exceeded quota")], UnavailableError),
        ([ClusterUnavailable("too many requests", 30)], UnavailableError),
        ([NameTaken("taken")], TaskIdTaken),
        ([TaskRefused("focus", "too long")], ValidationFailedError),
    ],
)
async def test_what_the_api_server_says_becomes_an_answer(
    answers: list[Exception], failure: type[Exception]
) -> None:
    """Without its own words, which may be anything."""
    with pytest.raises(failure) as failed:
        await door(LossyRuns(*answers)).create(CALLER, prepare(TaskSubmission(**submission()), "app", None))
    assert "quota" not in str(failed.value)
    assert getattr(failed.value, "retry_after_s", None) in {None, 2, 30}
