"""What becomes of a kept request whose run the watch does not show."""

from typing import Any, cast

import pytest

from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.reporter import Reporter
from gather_contracts import names

CELERY = {names.LABEL_DOOR: "celery"}


class Queue:
    """One request that was kept long ago."""

    def __init__(self) -> None:
        self.kept = {"film": {"id": "film", "kept_s": 1.0, "chain": [{"task": "next"}]}}

    async def tasks_with_requests(self) -> list[str]:
        """Name its run."""
        return list(self.kept)

    async def request_of(self, run: str) -> dict[str, Any]:
        """Return it."""
        return self.kept[run]

    async def forget_request(self, run: str) -> None:
        """Forget it."""
        del self.kept[run]


class Runs:
    """A run with labels."""

    def __init__(self, labels: dict[str, str], task_id: str = "film") -> None:
        self._labels = labels
        self._annotations = {names.ANNOTATION_TASK_ID: task_id}

    async def get(self, name: str) -> dict[str, Any]:
        """Return it."""
        return {"metadata": {"name": name, "labels": self._labels, "annotations": self._annotations}}


@pytest.mark.parametrize(
    ("labels", "is_kept"),
    [(CELERY, True), (CELERY | {names.LABEL_RESULT: "written"}, False), ({names.LABEL_DOOR: "http"}, False)],
    ids=["at work", "ended", "another door's"],
)
async def test_what_a_run_s_end_is_owed_is_kept_until_it_is_written(
    labels: dict[str, str], is_kept: bool
) -> None:
    """The watch may not have brought the run yet; without its request its chain would not go on."""
    queue: Any = Queue()
    reporter = Reporter(
        "task", "door@here", queue=queue, runs=cast("Any", Runs(labels)), results=cast("Any", None),
        metrics=CeleryMetrics("task"), leads=lambda: True, send_event=print, result_expires_s=3600,
    )  # fmt: skip
    await reporter._adopt()
    assert bool(queue.kept) is is_kept
