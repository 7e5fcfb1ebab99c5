"""Errors that a request can end with, whichever API it is of.

Split by what the caller can do; each leaf has its HTTP status and the code of the standard error body.
Messages say nothing about other tenants, queries or machines.

    ServiceError
      - UnauthorizedError                                  another key
      - ValidationFailedError                              another request
      - TooLargeError, BodyTimeoutError, UnsupportedMediaError  another body
      - RateLimitedError, UnavailableError                 the same again, later
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any


class ServiceError(Exception):
    """A request that ends with an error."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"
    retry_after_s: int | None = None
    fields: Mapping[str, Any] = MappingProxyType({})
    """Fields of the body beside the standard ones."""

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class UnauthorizedError(ServiceError):
    """No key, or none that is valid now."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"
    scheme = "Bearer"
    """How a key is sent, for the header WWW-Authenticate."""

    def __init__(self) -> None:
        super().__init__("Invalid or missing API key")


class ValidationFailedError(ServiceError):
    """The request is invalid; `details` names each field and its reason."""

    status = HTTPStatus.BAD_REQUEST
    code = "validation_failed"


class TooLargeError(ServiceError):
    """The body is too long."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__("Request body too large", {"max_bytes": max_bytes})


class BodyTimeoutError(ServiceError):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"

    def __init__(self) -> None:
        super().__init__("Request body did not arrive in time")


class UnsupportedMediaError(ServiceError):
    """The body is not JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"

    def __init__(self) -> None:
        super().__init__("Content-Type must be application/json")


class RateLimitedError(ServiceError):
    """Too many requests; one more is admitted after `retry_after_s`."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limit_exceeded"

    def __init__(self, per_minute: int, retry_after_s: int) -> None:
        super().__init__("Too many requests")
        self.retry_after_s = retry_after_s
        self.fields = {"retry_after": retry_after_s, "limit": per_minute, "window": "1 minute"}


class UnavailableError(ServiceError):
    """Something the service needs is unavailable or full; try again after `retry_after_s`."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "service_unavailable"

    def __init__(self, retry_after_s: int = 2) -> None:
        super().__init__("Service temporarily unavailable")
        self.retry_after_s = retry_after_s
