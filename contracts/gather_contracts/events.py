"""The events of a run, as they stand on the Redis channel, in the stream, on the WebSocket and in webhooks.

Producers build one of the event types; the event log adds `offset` and `epoch` when it appends.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gather_contracts import names


class _Event(BaseModel):
    """Fields that every event carries."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), defer_build=True)

    project_id: str
    run: str
    """The GatherRun's name."""
    run_uid: str = ""
    id: str = ""
    """The event's identity, the same however often it is sent; "" from those who give it none."""
    at: str = ""
    """UTC, RFC 3339."""
    offset: int = 0
    """Position in the project's stream, from 1 without gaps; 0 before it is appended."""
    epoch: str = ""
    """Identity of the stream; another epoch means that offsets of the old one are worthless."""


class AutomationStarted(_Event):
    """The departments are fixed and the first is about to start."""

    type: Literal["automation_started"] = "automation_started"
    task_id: str
    """The GatherRun's name, which is the task's id where a door made the run."""
    departments_count: int
    max_iterations: int
    """For the whole run."""


class DepartmentStarted(_Event):
    """A worker has begun or taken up a department."""

    type: Literal["department_started"] = "department_started"
    department: str
    department_name: str
    threshold: float
    model: str
    attempt: int = 1
    """Workers started for this department so far, this one included."""


class IterationComplete(_Event):
    """An iteration's items are saved and scored."""

    type: Literal["iteration_complete"] = "iteration_complete"
    department: str
    department_name: str
    iteration: int
    total_iterations: int
    """Iterations that this department may use."""
    quality_score: float
    items_created: int
    """Items of this department in this run so far."""
    threshold: float
    cost_usd: float = 0
    tokens: int = 0


class Deduplicating(_Event):
    """New items are being compared with those that exist."""

    type: Literal["deduplicating"] = "deduplicating"
    department: str


class DepartmentComplete(_Event):
    """A department's loop has ended by itself."""

    type: Literal["department_complete"] = "department_complete"
    department: str
    department_name: str
    quality_score: float
    iterations_used: int


class MaxIterationsReached(_Event):
    """A department used up its iterations below its threshold; the run goes on."""

    type: Literal["max_iterations_reached"] = "max_iterations_reached"
    department: str
    final_quality_score: float
    threshold: float


class DepartmentFailed(_Event):
    """A department has used up its attempts."""

    type: Literal["department_failed"] = "department_failed"
    department: str
    reason: str
    attempt: int


class DepartmentSummary(BaseModel):
    """One line of a run's summary."""

    model_config = ConfigDict(frozen=True)

    department: str
    name: str
    quality_score: float
    iterations: int
    items_created: int


class AutomationComplete(_Event):
    """The run has ended well."""

    type: Literal["automation_complete"] = "automation_complete"
    total_iterations: int
    departments_processed: int
    items_created: int
    summary: list[DepartmentSummary]


class AutomationCancelled(_Event):
    """The run was cancelled or its resource deleted; what was made is kept."""

    type: Literal["automation_cancelled"] = "automation_cancelled"
    items_created_so_far: int


class AutomationFailed(_Event):
    """The run has ended with at least one failed department."""

    type: Literal["automation_failed"] = "automation_failed"
    reason: str
    message: str
    items_created: int
    summary: list[DepartmentSummary]


class _Fault(_Event):
    """Why a run has failed, for those who watch for it; `automation_failed` follows and ends the run."""

    error: str
    """A documented word for machines."""
    message: str
    """A sentence for people, of at most 256 characters."""
    failed_at_department: str
    """Slug of the first department that failed; "" if none had begun."""
    completed_departments: list[str]
    items_created_so_far: int


class AutomationTimeout(_Fault):
    """The run has failed because its departments' last attempts ran out of time."""

    type: Literal["automation_timeout"] = "automation_timeout"


class AutomationError(_Fault):
    """The run has failed for anything else."""

    type: Literal["automation_error"] = "automation_error"


Event = Annotated[
    AutomationStarted
    | DepartmentStarted
    | IterationComplete
    | Deduplicating
    | DepartmentComplete
    | MaxIterationsReached
    | DepartmentFailed
    | AutomationComplete
    | AutomationCancelled
    | AutomationFailed
    | AutomationTimeout
    | AutomationError,
    Field(discriminator="type"),
]


@cache
def _adapter() -> TypeAdapter[Any]:
    """Return what reads any event, built when the first one is read: a worker only writes them."""
    return TypeAdapter(Event)


FINAL_TYPES = frozenset({"automation_complete", "automation_cancelled", "automation_failed"})
"""One of these is a run's last event."""
EVENT_MAX_BYTES = 64 * 1024
"""A run's summary of 32 departments needs 10 KiB; larger messages are refused on reading."""


def timestamp(now: datetime) -> str:
    """Return `now` as RFC 3339 in UTC with milliseconds."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identified(event: Event, idempotency_key: str) -> Event:
    """Return the event with the identity that follows from its key."""
    named: Event = event.model_copy(update={"id": names.event_id(idempotency_key)})
    return named


def encode_event(event: Event) -> str:
    """Return the event as JSON without `offset` and `epoch`, which the event log adds."""
    return event.model_dump_json(exclude={"offset", "epoch"})


def decode_event(text: str | bytes) -> Event:
    """Return the event in `text`; raises ValueError if it is too large, unknown or malformed."""
    if len(text) > EVENT_MAX_BYTES:
        raise ValueError(f"event is larger than {EVENT_MAX_BYTES} bytes")
    event: Event = _adapter().validate_json(text)
    return event
