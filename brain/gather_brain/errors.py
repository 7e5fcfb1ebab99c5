"""Every error that a request can end with: those of any API, and the brain's own.

ServiceError
- UnauthorizedError, NotFoundError                   another key or another project
- ValidationFailedError, BatchValidationFailedError  another request
- TooLargeError, BodyTimeoutError, UnsupportedMediaError  another body
- RateLimitedError, UnavailableError                 the same again, later
"""

from http import HTTPStatus

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


class NotFoundError(ServiceError):
    """The project has no nodes, or is another tenant's: both must look the same."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"

    def __init__(self, message: str = "Project not found") -> None:
        super().__init__(message)


class BatchValidationFailedError(ServiceError):
    """Nodes of a batch are invalid; `details.invalid_nodes` holds their index and reason."""

    status = HTTPStatus.BAD_REQUEST
    code = "batch_validation_failed"

    def __init__(self, invalid: dict[int, str]) -> None:
        listed = [{"index": index, "reason": reason} for index, reason in sorted(invalid.items())]
        super().__init__("Invalid nodes in batch", {"invalid_nodes": listed})
