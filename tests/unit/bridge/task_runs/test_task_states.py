"""A GatherRun's status as a task's state, progress, result and failure."""

from typing import Any

import pytest

from gather_bridge.task_runs.task_states import TaskState, as_deleted, task_of
from gather_contracts import names

STORY = {"slug": "story", "name": "Story", "phase": "Succeeded", "iterations": 8, "itemsCreated": 15,
         "iterationLimit": 25, "qualityScore": 85, "attempt": 1}  # fmt: skip
WORLD = {"slug": "world", "name": "World", "phase": "Running", "iterations": 5, "iterationLimit": 25,
         "itemsCreated": 6, "attempt": 3}  # fmt: skip
FAILED = {**WORLD, "phase": "Failed", "reason": "ModelUnavailable"}


def body(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A GatherRun of the door's."""
    return {
        "metadata": {
            "name": "film", "namespace": "films", "uid": "u", "resourceVersion": "7",
            "creationTimestamp": "2026-05-01T12:00:00Z",
            "labels": {names.LABEL_DOOR: "celery"}, "annotations": {names.ANNOTATION_TASK_ID: "Film 7"},
        },
        "spec": {"projectId": "0" * 24, "userId": "me", **spec},
        **({"status": status} if status else {}),
    }  # fmt: skip


def ended(phase: str, *departments: dict[str, Any], reason: str = "") -> dict[str, Any]:
    condition = {"type": "Succeeded", "status": "False", "reason": reason, "message": "It says why.",
                 "lastTransitionTime": "2026-05-01T12:07:05Z"}  # fmt: skip
    return {
        "phase": phase, "startTime": "2026-05-01T12:00:02Z", "completionTime": "2026-05-01T12:07:05Z",
        "iterations": 13, "itemsCreated": 21, "departments": list(departments), "conditions": [condition],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        ("Pending", "queued"), ("Running", "processing"), ("Suspended", "processing"),
        ("Cancelling", "processing"), ("Cancelled", "cancelled"), ("Succeeded", "completed"),
        ("Failed", "failed"),
    ],
)  # fmt: skip
def test_each_phase_is_a_state(phase: str, state: str) -> None:
    task = task_of(body({"phase": phase}))
    assert (task.state, task.id, task.run, task.door) == (state, "Film 7", "film", "celery")


def test_only_the_doors_own_labels_and_annotations_are_remembered() -> None:
    """What others write on a run may be large."""
    run = body()
    own = dict(run["metadata"]["annotations"])
    run["metadata"]["labels"]["app"] = "film"
    run["metadata"]["annotations"] |= {"kubectl": "x" * 1000, names.ANNOTATION_METADATA: "x" * 200_000}
    task = task_of(run)
    assert (task.labels, task.annotations) == ({names.LABEL_DOOR: "celery"}, own)


def test_a_run_without_status_is_queued() -> None:
    task = task_of(body())
    assert (task.state, task.progress.progress, task.result, task.failure) == (
        TaskState.QUEUED,
        0.0,
        None,
        None,
    )


def test_progress_counts_departments_and_the_iterations_of_those_at_work() -> None:
    status = {"phase": "Running", "departments": [STORY, WORLD], "iterations": 13, "itemsCreated": 21,
              "currentDepartment": "world", "qualityScore": 80.5, "costUSD": 0.4}  # fmt: skip
    progress = task_of(body(status)).progress
    assert progress.progress == pytest.approx((1 + 5 / 25) / 2)
    assert (progress.departments_ended, progress.departments_count, progress.retry_count) == (1, 2, 2)
    assert (progress.current_department, progress.max_iterations, progress.items_created) == ("world", 50, 21)


def test_the_result_has_what_the_requirements_name() -> None:
    assert task_of(body(ended("Succeeded", STORY))).result == {
        "status": "completed",
        "iterations": 13,
        "departments_processed": 1,
        "items_created": 21,
        "processing_time_ms": 425_000,
        "summary": [
            {
                "department": "story",
                "name": "Story",
                "quality_score": 85.0,
                "iterations": 8,
                "items_created": 15,
            }
        ],
    }


def test_a_failure_says_where_and_what_is_kept() -> None:
    task = task_of(body(ended("Failed", STORY, FAILED, reason="DepartmentsFailed")))
    assert task.result is None
    assert task.failure is not None
    assert (task.failure.error, task.failure.message) == ("ModelUnavailable", "It says why.")
    assert task.failure.details == {
        "failed_at_department": "world",
        "completed_departments": ["story"],
        "items_created_so_far": 21,
    }


def test_a_failure_by_time_says_so() -> None:
    late = {**FAILED, "reason": "DeadlineExceeded"}
    failure = task_of(body(ended("Failed", STORY, late), departmentTimeoutSeconds=60)).failure
    assert failure is not None
    assert failure.message == "Departments ran out of time, 60 s for each attempt: world."


def test_a_cancelled_run_tells_what_is_kept() -> None:
    failure = task_of(body(ended("Cancelled", STORY, reason="Cancelled"))).failure
    assert failure is not None
    assert (failure.error, failure.details["items_created_so_far"]) == ("Cancelled", 21)


def test_a_cancel_that_is_asked_for_shows_until_the_end() -> None:
    assert task_of(body({"phase": "Running"}, cancel=True)).is_cancelling
    assert not task_of(body(ended("Cancelled"), cancel=True)).is_cancelling


def test_a_deleted_run_is_a_cancelled_task_unless_it_had_ended() -> None:
    assert as_deleted(task_of(body({"phase": "Running"}))).state is TaskState.CANCELLED
    assert as_deleted(task_of(body(ended("Succeeded", STORY)))).state is TaskState.COMPLETED


def test_updated_is_the_latest_moment_of_the_status() -> None:
    assert task_of(body(ended("Succeeded", STORY))).updated_at == "2026-05-01T12:07:05Z"
    assert task_of(body()).updated_at == "2026-05-01T12:00:00Z"


@pytest.mark.parametrize("broken", [{}, {"metadata": {}}, {"metadata": {"name": "x"}, "spec": {}}], ids=str)
def test_what_is_no_run_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        task_of(broken)
