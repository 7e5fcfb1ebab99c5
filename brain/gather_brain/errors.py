"""Every error that a request can end with: those of any API, and the brain's own.

ServiceError
- UnauthorizedError, NotFoundError                   another key or another project
- ValidationFailedError (AnswerTooLongError), BatchValidationFailedError  another request
- TooLargeError, BodyTimeoutError, UnsupportedMediaError  another body
- RateLimitedError, UnavailableError                 the same again, later
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from gather_clients.web.service_errors import (
    BodyTimeoutError,
    RateLimitedError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaError,
    ValidationFailedError,
)

__all__ = [
    "AnswerTooLongError",
    "BatchValidationFailedError",
    "BodyTimeoutError",
    "NotFoundError",
    "RateLimitedError",
    "ServiceError",
    "TooLargeError",
    "UnauthorizedError",
    "UnavailableError",
    "UnsupportedMediaError",
    "ValidationFailedError",
]


NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class NotFoundError(ServiceError):
    """The project has no nodes, or is another tenant's: both must look the same."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"

    def __init__(self, message: str = "Project not found") -> None:
        super().__init__(message)


class AnswerTooLongError(ValidationFailedError):
    """Nodes were found that are too long for one answer; `field` is what the caller can ask for less by."""

    def __init__(self, field: str = "limit") -> None:
        problem = "with such long nodes the answer would be too long: ask for fewer, or in several requests"
        super().__init__(f"Request validation failed: {field}", {field: problem})


class BatchValidationFailedError(ServiceError):
    """Nodes of a batch are invalid, or there are too few or too many.

    `details.invalid_nodes` holds their index and reason, `details.nodes` what is wrong with their number.
    """

    status = HTTPStatus.BAD_REQUEST
    code = "batch_validation_failed"

    def __init__(self, invalid: dict[int, str], of_batch: Mapping[str, str] = NOTHING) -> None:
        listed = [{"index": index, "reason": reason} for index, reason in sorted(invalid.items())]
        super().__init__("Invalid nodes in batch", {"invalid_nodes": listed, **of_batch})
