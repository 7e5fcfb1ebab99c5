"""Tasks as answers and as callbacks; pure."""

import json
from dataclasses import asdict
from typing import Any, Final

from gather_bridge.http_door.task_bodies import (
    METADATA_MAX_BYTES,
    TaskAccepted,
    TaskError,
    TaskNumbers,
    TaskStatusBody,
)
from gather_bridge.http_door.task_line import TaskLine
from gather_bridge.task_runs.task_states import Task, TaskState
from gather_contracts import names

WAITS: Final = "queued"


def accepted(task: Task, line: TaskLine) -> TaskAccepted:
    """Return the answer to a submission."""
    return TaskAccepted(
        task_id=task.id,
        status=task.state,
        project_id=task.project_id,
        estimated_duration=0 if task.state.is_final else line.usual_s(),
        queue_position=line.position(task),
        created_at=task.created_at,
    )


def status_of(task: Task, line: TaskLine) -> TaskStatusBody:
    """Return the answer to a question after the task's status."""
    failure = task.failure
    return TaskStatusBody(
        task_id=task.id,
        project_id=task.project_id,
        status=task.state,
        progress=task.progress.progress,
        current_step=_step(task),
        result=task.result,
        error=failure.message if failure else None,
        error_details=TaskError(**asdict(failure)) if failure else None,
        details=TaskNumbers.model_validate(asdict(task.progress)),
        is_cancelling=task.is_cancelling,
        run=task.run,
        estimated_duration=0 if task.state.is_final else line.usual_s(),
        queue_position=line.position(task),
        created_at=task.created_at,
        updated_at=task.updated_at or task.created_at,
        started_at=task.started_at,
        completed_at=task.ended_at,
    )


def callback_text(task: Task) -> str:
    """Return the body of an ended task's callback."""
    failure = task.failure
    body: dict[str, Any] = {"task_id": task.id, "project_id": task.project_id, "status": task.state.value}
    if task.state is TaskState.COMPLETED:
        body["result"] = task.result
    elif failure is not None:
        body |= {"error": failure.message, "error_details": asdict(failure)}
    body["completed_at"] = task.ended_at or task.updated_at
    metadata = _metadata(task)
    if metadata is not None:
        body["metadata"] = metadata
    return json.dumps(body, ensure_ascii=False)


def _step(task: Task) -> str:
    if task.is_cancelling:
        return "cancelling"
    if task.state is TaskState.PROCESSING:
        return task.progress.current_department or task.progress.reason or task.progress.phase
    if task.state is TaskState.QUEUED:
        return task.progress.reason or WAITS
    return task.state.value


def _metadata(task: Task) -> Any:
    """Return what the sender gave; nothing where somebody has spoilt it."""
    text = task.annotations.get(names.ANNOTATION_METADATA, "")
    if not 0 < len(text) <= METADATA_MAX_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
