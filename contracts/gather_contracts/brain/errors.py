"""What every refusal says."""

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

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
    """The standard error body."""

    model_config = ConfigDict(frozen=True, extra="allow")

    error: str
    """One of the documented codes; a later version of the API may add others."""
    message: str
    """For people."""
    details: dict[str, Any] | None = None
    """Each field and its reason; for `batch_validation_failed` the `invalid_nodes`."""


class RateLimitBody(ErrorBody):
    """The body of a 429."""

    retry_after: int
    """Seconds until the same request is within the limit again; the header Retry-After says the same."""
    limit: int
    """Requests per window."""
    window: str
    """Such as "1 minute"."""
