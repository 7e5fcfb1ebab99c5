"""The GatherRun resource: what a user writes (spec) and what the operator answers (status).

The CRD is generated from these models; a field's description is what `kubectl explain` prints. A field
stands here only once the system does what it says.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.names import (
    FINALIZER,
    LANGUAGE_PATTERN,
    OBJECT_ID_PATTERN,
    SLUG_PATTERN,
    WEBHOOK_URL_MAX,
)
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.worker_overrides import WorkerOverrides

DEPARTMENTS_MAX = 32
MESSAGE_MAX = 256
DEFAULT_RETRIES = 3
"""Further attempts of a department where neither the run nor the CMS says how many."""
RETRIES_MAX = 10
TTL_MAX_S = 10 * 365 * 86_400

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=63)]
Message = Annotated[str, Field(max_length=MESSAGE_MAX)]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def _listed_by(key: str) -> dict[str, Any]:
    """Say in the schema that a list's elements are identified by a key, so that patches merge by it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class _Resource(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )


class OnDepartmentFailure(StrEnum):
    """What a run does after a department has used up its attempts."""

    CONTINUE = "Continue"
    STOP = "Stop"


class Budget(_Resource):
    """Hard caps for the whole run; what is unset is not limited, and 0 allows no call at all."""

    max_cost_usd: float | None = Field(
        default=None,
        alias="maxCostUSD",
        ge=0,
        le=100_000,
        description="Money that the run may spend on models, in USD. "
        "A request that might exceed it is not sent.",
    )
    max_tokens: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        description="Tokens that the run may use, in and out. A request that might exceed it is not sent.",
    )


class GatherRunSpec(_Resource):
    """What to gather, for which project, and how far to go.

    Immutable after creation, except `suspend`, `cancel` and `ttlSecondsAfterFinished`.
    """

    project_id: str = Field(
        pattern=OBJECT_ID_PATTERN,
        max_length=24,
        description="The project: 24 hexadecimal digits. All data is kept apart by it.",
    )
    user_id: str = Field(
        min_length=1, max_length=128, description="Who asked for the run; written on every item."
    )
    max_iterations: int = Field(
        default=50,
        ge=1,
        le=500,
        description="Iterations for the whole run. Each department still to come keeps one in reserve.",
    )
    quality_threshold: float = Field(
        default=80,
        ge=0,
        le=100,
        description="Score from which a department is good enough. "
        "A department's own coordinationSettings.qualityThreshold in the CMS, else its minQualityThreshold, "
        "goes before it.",
    )
    departments: list[Slug] = Field(
        default_factory=list,
        max_length=DEPARTMENTS_MAX,
        json_schema_extra={"default": [], "x-kubernetes-list-type": "atomic"},
        description="Slugs of the departments to fill, worked on in the CMS's order. "
        "Empty or unset: all that the CMS names.",
    )
    focus: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="What the new notes shall be about, in your own words: a gap, a character, a scene. "
        "It is a wish to the model and changes neither score nor threshold. Unset: whatever is missing.",
    )
    language: str | None = Field(
        default=None,
        min_length=2,
        max_length=35,
        pattern=LANGUAGE_PATTERN,
        description="Language in which notes are written, as a BCP 47 tag such as de or pt-BR. "
        "Unset: the language of the project's notes.",
    )
    enable_auto_evaluation: bool = Field(
        default=True,
        description="Send the Celery task evaluate_department when a department reaches its threshold.",
    )
    webhook_url: str | None = Field(
        default=None,
        max_length=WEBHOOK_URL_MAX,
        description="An https address that gets every event of the run as a signed POST. Unset: none.",
    )
    budget: Budget | None = Field(
        default=None,
        description="Hard caps for the whole run, all its departments and attempts. Unset: none.",
    )
    department_timeout_seconds: int = Field(
        default=600,
        ge=30,
        le=3600,
        description="Time for one attempt of one department, from its pod's start.",
    )
    department_retries: int | None = Field(
        default=None,
        ge=0,
        le=RETRIES_MAX,
        description="Further attempts of a department after a failed one, backing off exponentially. "
        "Each goes on from the last checkpoint. 0: one attempt only. Unset: the department's own "
        f"coordinationSettings.maxRetries in the CMS, else {DEFAULT_RETRIES}.",
    )
    on_department_failure: OnDepartmentFailure = Field(
        default=OnDepartmentFailure.CONTINUE,
        description="Continue: the next department starts. Stop: the run ends as Failed.",
    )
    worker: WorkerOverrides | None = Field(
        default=None,
        description="What this run's worker pods have other than the chart's defaults. "
        "What Kubernetes refuses of it shows as the reason JobRefused. Unset: nothing.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=TTL_MAX_S,
        description="So many seconds after the run's end this resource is deleted, with its Jobs and pods; "
        "what was made stays. Unset: as the operator is set up.",
    )
    parallelism: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Departments at work at once, in the CMS's order. 1 lets each build on those before it; "
        "several see what the others have saved by then.",
    )
    suspend: bool = Field(
        default=False,
        description="True holds the run: what is at work saves and ends, nothing is started. "
        "False again goes on from the checkpoints.",
    )
    cancel: bool = Field(
        default=False,
        description="True stops the run, keeps what was made and keeps this resource. "
        "It cannot be taken back.",
    )


class Condition(_Resource):
    """One observation about the run, as in the Kubernetes API conventions."""

    type: str = Field(
        max_length=64, description="Accepted, Progressing, Succeeded, BrainAvailable or WebhookDelivered."
    )
    status: str = Field(
        description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]}
    )
    reason: str = Field(max_length=64, description="A documented word for machines.")
    message: Message = Field(default="", description="A sentence for people.")
    last_transition_time: Timestamp = Field(description="When the status last changed.")
    observed_generation: int = Field(default=0, description="The spec's generation that this is about.")


class DepartmentStatus(_Resource):
    """One department's standing in the run."""

    slug: Slug = Field(description="The department's slug in the CMS.")
    name: str = Field(default="", max_length=128, description="The department's name in the CMS.")
    code_dep_number: int = Field(default=0, description="The CMS's order of departments.")
    threshold: float = Field(default=0, ge=0, le=100, description="Score from which it is good enough.")
    model: str = Field(default="", max_length=128, description="The language model that writes its items.")
    phase: DepartmentPhase = Field(
        default=DepartmentPhase.PENDING, description="Where the department stands."
    )
    reason: str = Field(
        default="", max_length=64, description="Why it ended, why it waits, or why its last attempt ended."
    )
    message: Message = Field(default="", description="What Kubernetes or the worker says to that reason.")
    attempt: int = Field(default=0, ge=0, description="Pods started so far for this department.")
    iterations: int = Field(default=0, ge=0, description="Iterations done so far.")
    iteration_limit: int = Field(default=0, ge=0, description="Iterations allowed to this department.")
    items_created: int = Field(default=0, ge=0, description="Items saved so far.")
    quality_score: float = Field(default=0, ge=0, le=100, description="The latest quality score.")
    cost_usd: float = Field(default=0, ge=0, alias="costUSD", description="Money spent on the model, in USD.")
    tokens: int = Field(default=0, ge=0, description="Tokens used, in and out.")
    job_name: str = Field(default="", max_length=63, description="The Job that works on it.")
    start_time: Timestamp | None = Field(default=None, description="When its Job was created.")
    completion_time: Timestamp | None = Field(default=None, description="When it ended.")


class GatherRunStatus(_Resource):
    """What the operator knows of the run. Written by the operator alone."""

    observed_generation: int = Field(
        default=0, description="The spec's generation that this status is about."
    )
    phase: RunPhase = Field(default=RunPhase.PENDING, description="Where the run stands.")
    reason: str = Field(
        default="",
        max_length=64,
        description="The word that says most: why the run waits or failed, or which limit departments met.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        json_schema_extra=_listed_by("type"),
        description="Accepted, Progressing, Succeeded, BrainAvailable and WebhookDelivered.",
    )
    start_time: Timestamp | None = Field(default=None, description="When the departments were resolved.")
    completion_time: Timestamp | None = Field(default=None, description="When the run ended.")
    progress: str = Field(default="", max_length=16, description="Departments ended, of all: 3/7.")
    current_department: str = Field(default="", max_length=63, description="Slug of the department at work.")
    iterations: int = Field(default=0, ge=0, description="Iterations done by all departments.")
    items_created: int = Field(default=0, ge=0, description="Items saved by all departments.")
    quality_score: float = Field(
        default=0, ge=0, le=100, description="Mean quality of the departments that have a score."
    )
    cost_usd: float = Field(default=0, ge=0, alias="costUSD", description="Money spent on models, in USD.")
    tokens: int = Field(default=0, ge=0, description="Tokens used by all departments.")
    departments: list[DepartmentStatus] = Field(
        default_factory=list,
        max_length=DEPARTMENTS_MAX,
        # One writer replaces it whole. As a map its fields' owners were a third of a write's cost.
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
        description="Each department, in order.",
    )


class ObjectMeta(_Resource):
    """The part of Kubernetes' metadata that Gather reads."""

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    finalizers: list[str] = Field(default_factory=list)


class GatherRun(_Resource):
    """A run: fills a film project with development notes, department by department."""

    metadata: ObjectMeta
    spec: GatherRunSpec
    status: GatherRunStatus = Field(default_factory=GatherRunStatus)

    @property
    def is_being_deleted(self) -> bool:
        """Return whether the user has deleted the resource and the finalizer still holds it."""
        return self.metadata.deletion_timestamp is not None

    @property
    def is_to_stop(self) -> bool:
        """Return whether somebody has cancelled or deleted the run, at work or not."""
        return self.is_being_deleted or self.spec.cancel

    @property
    def is_queued(self) -> bool:
        """Return whether the run's Jobs are handed to a queue, which decides when they start."""
        return self.spec.worker is not None and self.spec.worker.is_queued

    @property
    def is_held(self) -> bool:
        """Return whether our finalizer stands on the resource."""
        return FINALIZER in self.metadata.finalizers


def parse_run(body: dict[str, Any]) -> GatherRun:
    """Return the typed resource of a Kubernetes object; raises ValidationError if malformed."""
    return GatherRun.model_validate(body)


def dump_status(status: GatherRunStatus) -> dict[str, Any]:
    """Return the status as the API server stores it: camelCase, without unset fields."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
