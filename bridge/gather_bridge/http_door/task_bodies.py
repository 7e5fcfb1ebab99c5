"""Bodies of the HTTP door, in the application's field names."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from gather_bridge.task_runs.task_data import TASK_ID_MAX
from gather_bridge.task_runs.task_states import TaskState
from gather_contracts.brain import JsonObject
from gather_contracts.names import OBJECT_ID_PATTERN, WEBHOOK_URL_MAX, WEBHOOK_URL_PATTERN, GatherTask

PRIORITY_MAX: Final = 10
METADATA_MAX_BYTES: Final = 4096
HOST_BY_NAME: Final = "([A-Za-z][A-Za-z0-9_.-]{0,252})"
CALLBACK_PATTERN: Final = re.sub(
    r"\(\?P<\w+>", "(", re.sub(r"\(\?P<host>.*?\{1,253\}\)", HOST_BY_NAME, WEBHOOK_URL_PATTERN)
)
"""Published alone: what is refused is said in words. Of addresses in figures only some are taken."""

TaskId = Annotated[str, Field(min_length=1, max_length=TASK_ID_MAX)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class TaskSubmission(_Body):
    """What is to be done. Fields may be written in camel case too; unknown ones are passed over."""

    project_id: str = Field(pattern=OBJECT_ID_PATTERN)
    """The project: 24 hexadecimal digits."""
    task_type: GatherTask
    task_data: JsonObject = Field(default_factory=dict)
    """What a GatherRun's spec has (`kubectl explain gatherrun.spec`): `user_id`, `max_iterations`,
    `departments` and so on, in snake or camel case, here or in `options` within."""
    priority: int = Field(default=1, ge=0, le=PRIORITY_MAX, strict=True)
    """Taken for compatibility and without effect: tasks begin in the order of their submission."""
    callback_url: str | None = Field(
        default=None, max_length=WEBHOOK_URL_MAX, json_schema_extra={"pattern": CALLBACK_PATTERN}
    )
    """An https address that gets one signed POST at the task's end."""
    metadata: JsonObject | None = None
    """At most 4 KiB as JSON; the callback brings it back. `user_id` counts where `task_data` names none."""

    @model_validator(mode="before")
    @classmethod
    def _in_camel_case(cls, data: Any) -> Any:
        """Take `projectId` for `project_id` and so on."""
        if not isinstance(data, dict):
            return data
        spelt = {name: data[camel] for name in cls.model_fields if (camel := to_camel(name)) in data}
        return {**spelt, **data}

    @property
    def user_id(self) -> str | None:
        """Return whom the metadata name."""
        found = (self.metadata or {}).get("user_id") or (self.metadata or {}).get("userId")
        return found if isinstance(found, str) else None


class TaskAccepted(_Body):
    """The task, and where it stands."""

    task_id: TaskId
    """A UUID; the GatherRun has it as its name."""
    status: TaskState
    """`queued`, unless the same idempotency key was used before and the task has gone on since."""
    project_id: str
    estimated_duration: int = Field(ge=0)
    """Seconds from now to the end, as the last tasks took."""
    queue_position: int = Field(ge=0)
    """1 for the next to begin, 0 for one that has begun."""
    created_at: Moment


class TaskError(_Body):
    """Why there is no result."""

    error: str
    """A documented word for machines (docs/reasons.md)."""
    message: str
    details: JsonObject
    """`failed_at_department`, `completed_departments`, `items_created_so_far`."""


class TaskCallback(_Body):
    """What the application gets at the task's end."""

    task_id: str
    project_id: str
    status: Literal["completed", "failed", "cancelled"]
    result: JsonObject | SkipJsonSchema[None] = None
    """Of a completed task."""
    error: str | SkipJsonSchema[None] = None
    """A sentence, of a task that failed or was cancelled."""
    error_details: TaskError | SkipJsonSchema[None] = None
    completed_at: Moment
    metadata: JsonObject | SkipJsonSchema[None] = None
    """As it was submitted."""


class TaskNumbers(_Body):
    """How far a task is, in numbers."""

    departments_count: int
    departments_ended: int
    current_department: str
    iterations: int
    max_iterations: int
    items_created: int
    quality_score: float
    cost_usd: float


class TaskStatusBody(_Body):
    """A task as it stands."""

    task_id: TaskId
    project_id: str
    status: TaskState
    progress: float = Field(ge=0, le=1)
    current_step: str
    """The department at work, or why the task waits."""
    result: JsonObject | None = None
    """Of a completed task, as the Celery task returns it."""
    error: str | None = None
    """A sentence, of a task that failed or was cancelled."""
    error_details: TaskError | None = None
    details: TaskNumbers
    is_cancelling: bool
    """True from the cancellation to the end of what was at work."""
    run: str
    """The GatherRun's name."""
    estimated_duration: int = Field(ge=0)
    queue_position: int = Field(ge=0)
    created_at: Moment
    updated_at: Moment
    started_at: Moment | None = None
    completed_at: Moment | None = None


class TaskCancelled(_Body):
    """The task will end; what it made stays."""

    task_id: TaskId
    status: Literal["cancelled"]
    message: str
