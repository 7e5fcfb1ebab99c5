"""What a worker pod tells the operator when it ends: an exit code and a termination message."""

from enum import IntEnum, StrEnum
from typing import Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.alias_generators import to_camel

from gather_contracts.meters import Meters

TERMINATION_MESSAGE_PATH: Final = "/dev/termination-log"
TERMINATION_MESSAGE_MAX_BYTES: Final = 1024
"""Kubernetes keeps 4 KiB per container; a quarter of it leaves room for every other field."""


class ExitCode(IntEnum):
    """How a worker process ends; the Job's podFailurePolicy reads these numbers."""

    DONE = 0
    NEVER = 64
    """Input that can never work (EX_USAGE of sysexits.h): do not retry."""
    TRY_AGAIN = 75
    """A dependency is unavailable (EX_TEMPFAIL of sysexits.h): retry from the checkpoint."""
    TERMINATED = 143
    """Stopped by SIGTERM after saving (128 + 15); 0 would count the department as done."""


class StopReason(StrEnum):
    """Why a department's loop ended."""

    THRESHOLD_REACHED = "ThresholdReached"
    """The quality score reached the department's threshold."""
    ITERATIONS_USED = "IterationsUsed"
    """The department's share of `maxIterations` is used up; its items are kept."""
    QUALITY_FLAT = "QualityFlat"
    """The quality did not rise for three iterations, with a changed prompt in between."""
    BUDGET_USED = "BudgetUsed"
    """Not even a short answer of the model would still fit into the run's budget; its items are kept."""
    DEADLINE_NEAR = "DeadlineNear"
    """The attempt's time is nearly over; the next attempt goes on from the checkpoint."""
    TERMINATED = "Terminated"
    """SIGTERM: cancelled, evicted or drained."""
    INVALID_INPUT = "InvalidInput"
    """The run document, a setting, a password or a model's name can never work."""
    WRITE_REFUSED = "WriteRefused"
    """MongoDB does not take a note: a validator, a unique index or missing rights; the message names the
    rule."""
    MODEL_UNAVAILABLE = "ModelUnavailable"
    """The language model did not give a usable answer within the attempt."""
    STORE_UNAVAILABLE = "StoreUnavailable"
    """MongoDB was unavailable for longer than the worker may wait."""
    INDEX_UNAVAILABLE = "IndexUnavailable"
    """The department is done and saved, but the brain was unavailable; the next attempt only indexes."""
    EVALUATION_UNAVAILABLE = "EvaluationUnavailable"
    """The department is done and saved, but its evaluation could not be queued; the next attempt only does
    that."""
    FENCED = "Fenced"
    """A newer worker has taken this department over, or the run has ended; no note was accepted since."""
    INTERNAL_ERROR = "InternalError"
    """An error that the worker did not expect; its log has the details."""


class DepartmentResult(BaseModel):
    """A department's numbers at the end of one worker pod, over all its attempts."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    iterations: int = Field(ge=0)
    items_created: int = Field(ge=0)
    quality_score: float = Field(ge=0, le=100)
    cost_usd: float = Field(default=0, ge=0, alias="costUSD")
    tokens: int = Field(default=0, ge=0)
    reason: StopReason
    message: str = Field(default="", max_length=256)
    meters: Meters | None = None

    @field_validator("meters", mode="wrap")
    @classmethod
    def _or_none(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Meters | None:
        """Measurements that cannot be read must not cost the result."""
        try:
            meters: Meters | None = check(value)
        except ValidationError:
            return None
        return meters


def encode_result(result: DepartmentResult) -> str:
    """Return the termination message, at most `TERMINATION_MESSAGE_MAX_BYTES` bytes of UTF-8.

    What is too long loses its message's end first and its measurements next.
    """
    brief = result.model_copy(update={"message": result.message[:64]})
    for shorter in (result, brief, brief.model_copy(update={"meters": None})):
        text = shorter.model_dump_json(by_alias=True, exclude_none=True)
        if len(text.encode()) <= TERMINATION_MESSAGE_MAX_BYTES:
            break
    return text


def decode_result(message: str) -> DepartmentResult | None:
    """Return the result in a termination message, or None if it cannot be read."""
    try:
        return DepartmentResult.model_validate_json(message)
    except ValueError:
        return None
