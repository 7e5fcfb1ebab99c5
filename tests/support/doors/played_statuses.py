"""Statuses as the operator writes them, for tests that play its part."""

from typing import Any

STORY = {"slug": "story", "name": "Story", "phase": "Succeeded", "iterations": 8, "itemsCreated": 15,
         "iterationLimit": 25, "qualityScore": 85, "attempt": 1}  # fmt: skip
RUNNING = {"phase": "Running", "startTime": "2026-05-01T12:00:02Z", "iterations": 8, "itemsCreated": 15,
           "departments": [STORY, {"slug": "world", "phase": "Running"}]}  # fmt: skip
WELL = {"type": "Succeeded", "status": "True", "reason": "AllDepartmentsDone", "message": "",
        "lastTransitionTime": "2026-05-01T12:07:05Z"}  # fmt: skip
DONE: dict[str, Any] = {
    "phase": "Succeeded", "iterations": 8, "itemsCreated": 15, "departments": [STORY], "conditions": [WELL],
    "completionTime": "2999-05-01T12:07:05Z",
}  # fmt: skip
FAILED = {
    **DONE, "phase": "Failed",
    "departments": [STORY, {"slug": "world", "phase": "Failed", "reason": "ModelUnavailable"}],
    "conditions": [{**WELL, "status": "False", "reason": "DepartmentsFailed", "message": "One failed."}],
}  # fmt: skip
CANCELLED = {**DONE, "phase": "Cancelled", "conditions": []}
