"""A task's data as a GatherRun: both spellings, bounds, and errors that name the field as it was given."""

from typing import Any

import pytest

from gather_bridge.errors import TaskRefused
from gather_bridge.task_runs.task_data import DATA_MAX_BYTES, build_manifest, read_task
from gather_contracts import names
from gather_contracts.resource import parse_run

PROJECT = "507f1f77bcf86cd799439011"
SAMPLE = {
    "project_id": PROJECT,
    "user_id": "user-123",
    "max_iterations": 50,
    "enable_auto_evaluation": True,
    "webhook_url": "https://app.aladdin.com/api/webhooks/automated-gather-progress",
}
"""The requirements' own."""
SPEC = {
    "projectId": PROJECT,
    "userId": "user-123",
    "maxIterations": 50,
    "enableAutoEvaluation": True,
    "webhookUrl": "https://app.aladdin.com/api/webhooks/automated-gather-progress",
}
APPLICATION = {
    "projectId": PROJECT,
    "userId": "user-123",
    "gatherCount": 12,
    "options": {"maxIterations": 50, "enable_auto_evaluation": True, "webhookUrl": SPEC["webhookUrl"]},
}


@pytest.mark.parametrize("data", [SAMPLE, SPEC, APPLICATION], ids=["requirements", "camel", "application"])
def test_both_spellings_mean_the_same(data: dict[str, Any]) -> None:
    assert read_task(data).spec == SPEC


def test_what_is_not_given_is_left_to_the_api_server_s_defaults() -> None:
    assert read_task({"project_id": PROJECT, "user_id": "u", "webhook_url": None}).spec == {
        "projectId": PROJECT,
        "userId": "u",
    }


def test_the_user_may_come_from_outside_and_the_data_s_own_goes_before() -> None:
    assert read_task({"project_id": PROJECT}, "meta").user_id == "meta"
    assert read_task({"project_id": PROJECT, "userId": "own"}, "meta").user_id == "own"


def test_further_fields_of_the_spec_are_taken_deep_ones_too() -> None:
    spec = read_task(
        {**SAMPLE, "budget": {"maxCostUSD": 2.5}, "departments": ["story"], "focus": "the end"}
    ).spec
    assert (spec["budget"], spec["departments"], spec["focus"]) == ({"maxCostUSD": 2.5}, ["story"], "the end")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "project_id"),
        ({"project_id": PROJECT}, "user_id"),
        ({**SAMPLE, "project_id": "film"}, "project_id"),
        ({**SPEC, "projectId": "film"}, "projectId"),
        ({**SAMPLE, "max_iterations": 0}, "max_iterations"),
        ({**SAMPLE, "max_iterations": "many"}, "max_iterations"),
        ({**SAMPLE, "user_id": 7}, "user_id"),
        ({**SAMPLE, "budget": {"maxCostUSD": -1}}, "budget.maxCostUSD"),
        ({**SAMPLE, "departments": ["story", "No Slug"]}, "departments.1"),
        ({**SAMPLE, "projectId": "0" * 24}, "projectId"),
        ({**SAMPLE, "worker": {"labels": {}}}, "worker"),
        ({**SAMPLE, "cancel": True}, "cancel"),
        ({**SAMPLE, "options": {"qualityThreshold": 101}}, "options.qualityThreshold"),
        ({**SAMPLE, "options": "all"}, "options"),
        ([SAMPLE], ""),
        ("film", ""),
        (None, ""),
        ({**SAMPLE, "focus": "x" * DATA_MAX_BYTES}, ""),
        ({**SAMPLE, "focus": float("nan")}, ""),
        ({**SAMPLE, "focus": b"bytes"}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_is_named_as_it_was_given(data: Any, field: str) -> None:
    with pytest.raises(TaskRefused) as refused:
        read_task(data)
    assert refused.value.field == field
    assert str(refused.value).startswith(field)


def test_a_reason_never_quotes_the_value() -> None:
    with pytest.raises(TaskRefused) as refused:
        read_task({**SAMPLE, "max_iterations": "s3cret"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("film", "film"),
        ("My Task/7", f"task-{names.digest('My Task/7', length=32)}"),
        ("x" * 64, f"task-{names.digest('x' * 64, length=32)}"),
    ],
    ids=["uuid", "name", "text", "long"],
)
def test_a_run_is_named_by_its_task(task_id: str, name: str) -> None:
    body = build_manifest(read_task(SAMPLE), task_id, "celery", {"a": "b"})
    assert body["metadata"] == {
        "name": name,
        "labels": {names.LABEL_DOOR: "celery"},
        "annotations": {"a": "b", names.ANNOTATION_TASK_ID: task_id},
    }
    body["metadata"] |= {"namespace": "films", "uid": "u"}
    assert parse_run(body).spec.project_id == PROJECT


@pytest.mark.parametrize("task_id", ["", "x" * 256, "a\nb"], ids=["empty", "long", "line break"])
def test_an_id_that_cannot_be_kept_is_refused(task_id: str) -> None:
    with pytest.raises(TaskRefused, match="task_id"):
        build_manifest(read_task(SAMPLE), task_id, "celery")
