"""Runs as the operator would play them, for tests of commands."""

import threading
from typing import Any

from dev.waiting import wait_for
from gather_contracts import names
from tests.support.installation.installation import Installation, at, condition, department

PROJECT = "66f1a2b3c4d5e6f708192a3b"
SUBMIT = ("submit", "my-film", "--project", PROJECT, "--user", "user-123")
AT_WORK: dict[str, Any] = {
    "phase": "Running",
    "startTime": at(100),
    "progress": "0/2",
    "itemsCreated": 12,
    "qualityScore": 63.04,
    "costUSD": 0.42,
    "currentDepartment": "story",
    "conditions": [condition("Accepted", "True", "DepartmentsResolved")],
    "departments": [
        department(
            "story",
            "Running",
            attempt=1,
            iterations=3,
            iterationLimit=9,
            itemsCreated=12,
            qualityScore=63.04,
            costUSD=0.42,
            jobName="j",
            startTime=at(90),
            reason="Unschedulable",
            message="0/3 nodes are available",
        ),
        department("visual", "Pending"),
    ],
}


def ended(phase: str, **more: Any) -> dict[str, Any]:
    """A status that changes no more."""
    return {"phase": phase, "startTime": at(100), "completionTime": at(1), "progress": "2/2", **more}


def soon(installation: Installation, statuses: list[Any]) -> threading.Thread:
    """Write statuses one after the other, beside the caller."""

    def play() -> None:
        wait_for("the run", lambda: is_there(installation, "my-film"), 20)
        for status in statuses:
            if status is None:
                installation.delete(names.KIND, "my-film")
            else:
                installation.status(names.KIND, "my-film", status)

    thread = threading.Thread(target=play)
    thread.start()
    return thread


def is_there(installation: Installation, name: str) -> bool:
    """Whether there is a run of that name."""
    runs = installation.call("GET", installation.path(names.KIND))["items"]
    return any(run["metadata"]["name"] == name for run in runs)
