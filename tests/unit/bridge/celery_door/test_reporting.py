"""What the reporter does about a task whose state the result backend refuses."""

from typing import Any, cast

import pytest

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.reporter import Reporter
from gather_bridge.celery_door.task_results import ResultRefused
from gather_bridge.task_runs.task_states import task_of
from gather_contracts import names


class Results:
    """A backend that refuses one task, whatever is written of it, and keeps the others'."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []

    def __getattr__(self, state: str) -> Any:
        async def write(task_id: str, *_: Any) -> None:
            if task_id == "odd":
                raise ResultRefused("its request is malformed")
            self.written.append((task_id, state))

        return write

    async def states_of(self, _: Any) -> dict[str, str]:
        """Know of none."""
        return {}


class Queue:
    """Nothing is kept, nothing is revoked."""

    async def request_of(self, _: str) -> None:
        """Return nothing."""

    async def forget_request(self, _: str) -> None:
        """Do nothing."""

    async def tasks_with_requests(self) -> list[str]:
        """Return none."""
        return []

    async def revoked_of(self, _: Any) -> set[str]:
        """Return none."""
        return set()


class Runs:
    """Takes every mark."""

    async def mark(self, *_: Any, **__: Any) -> None:
        """Take it."""


def body(name: str, phase: str) -> dict[str, Any]:
    """A GatherRun of the door's."""
    return {
        "metadata": {
            "name": name, "namespace": "films", "uid": f"{name}-uid", "resourceVersion": "7",
            "creationTimestamp": "2026-05-01T12:00:00Z", "labels": {names.LABEL_DOOR: "celery"},
        },
        "spec": {"projectId": "0" * 24, "userId": "me"},
        "status": {"phase": phase, "completionTime": "2026-05-01T12:07:05Z"},
    }  # fmt: skip


def reporting(results: Results) -> Reporter:
    """Return the reporter of a door that leads."""
    return Reporter(
        "task", "door@here", queue=cast("Any", Queue()), runs=cast("Any", Runs()),
        results=cast("Any", results), metrics=CeleryMetrics("task"), leads=lambda: True,
        send_event=lambda *_, **__: None, result_expires_s=3600,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "state"), [("Pending", "started"), ("Running", "progress"), ("Failed", "failed")]
)
async def test_a_task_that_the_backend_refuses_holds_no_other_up(phase: str, state: str) -> None:
    """The reporter goes on, at once and later."""
    results = Results()
    reporter = reporting(results)
    for name in ("odd", "film"):
        reporter.watched.tasks[name] = task_of(body(name, phase))
    await reporter._pass()
    await reporter._pass()
    assert results.written == [("film", state)]


async def test_an_end_that_another_door_has_written_is_not_written_again() -> None:
    """A watch that begins again asks for the run by name, and brings it though it is out of sight."""
    results = Results()
    reporter = reporting(results)
    run = body("film", "Failed")
    run["metadata"]["labels"][names.LABEL_RESULT] = "written"
    reporter.watched.tasks["film"] = task_of(run)
    await reporter._pass()
    assert results.written == []
