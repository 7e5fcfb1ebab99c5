"""What every refusal says."""

from enum import StrEnum

from pydantic import ConfigDict
from pydantic.json_schema import SkipJsonSchema

from gather_contracts.brain.base import JsonObject
from gather_contracts.model_bases.described import Described


class ErrorCode(StrEnum):
    """The codes of the standard error body."""

    VALIDATION_FAILED = "validation_failed"
    BATCH_VALIDATION_FAILED = "batch_validation_failed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    INTERNAL_ERROR = "internal_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


class ErrorBody(Described):
    """The standard error body, one for all codes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    error: str
    """One of the documented codes; a later version of the API may add others."""
    message: str
    """For people."""
    details: JsonObject | SkipJsonSchema[None] = None
    """Each field and its reason; for `batch_validation_failed` the `invalid_nodes`."""
    retry_after: int | SkipJsonSchema[None] = None
    """Of `rate_limit_exceeded`, always: seconds until the same request is within the limit again; the header
    Retry-After says the same."""
    limit: int | SkipJsonSchema[None] = None
    """Of `rate_limit_exceeded`, always: requests per window."""
    window: str | SkipJsonSchema[None] = None
    """Of `rate_limit_exceeded`, always: such as "1 minute"."""


class RateLimitBody(ErrorBody):
    """The body of a 429, as a client of ours reads it; published is the one body of all errors."""

    retry_after: int
    limit: int
    window: str
