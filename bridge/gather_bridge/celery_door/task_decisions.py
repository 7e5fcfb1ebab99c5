"""What is to be done with a task that waits; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gather_bridge.celery_door.task_message import TaskMessage
from gather_bridge.errors import TaskRefused
from gather_bridge.task_runs.task_data import build_manifest, read_task
from gather_bridge.task_runs.task_states import TaskFailure

DOOR: Final = "celery"
HOLD_MAX_S: Final = 3600.0
"""So long at most a message is left alone at once: what ends meanwhile, but by a revoke, is noticed then.

A look brings 100: were they looked at more often, those that are far ahead would fill all looks.
"""
ENDED: Final = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True, slots=True)
class Start:
    """Make its run."""

    manifest: dict[str, Any]
    project_id: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Tell its sender that it can never work."""

    failure: TaskFailure


@dataclass(frozen=True, slots=True)
class Revoke:
    """Tell its sender that it will not be carried out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """It has a final result already: take it out of its queue."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It is not due yet."""

    seconds: float


Decision = Start | Fail | Revoke | Forget | Hold


def decide(message: TaskMessage, state: str, *, is_revoked: bool, now: datetime) -> Decision:
    """Return what to do; `state` is the task's in the result backend."""
    if state in ENDED:
        return Forget()
    if is_revoked:
        return Revoke("revoked")
    if message.expires is not None and message.expires <= now:
        return Revoke("expired")
    if message.eta is not None and message.eta > now and message.fault is None:
        until = min(message.eta, message.expires or message.eta)
        return Hold(min((until - now).total_seconds(), HOLD_MAX_S))
    try:
        task = read_task(message.data)
        return Start(build_manifest(task, message.id, DOOR), task.project_id)
    except TaskRefused as refused:
        return Fail(invalid(refused))


def invalid(refused: TaskRefused) -> TaskFailure:
    """Return the failure of a task that can never work, with the field in its details."""
    details: Mapping[str, Any] = {
        "field": refused.field,
        "failed_at_department": "",
        "completed_departments": [],
        "items_created_so_far": 0,
    }
    return TaskFailure("InvalidInput", str(refused), dict(details))
