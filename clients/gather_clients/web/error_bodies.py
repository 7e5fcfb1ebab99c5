"""Errors as the standard error body: {error, message, details}."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gather_clients.web.service_errors import ServiceError, UnauthorizedError, ValidationFailedError
from gather_contracts.brain import ErrorBody

PLACE_MAX: Final = 100
PLACES_MAX: Final = 50
"""A request can be wrong in very many places; the first ones are enough."""
METHODS: Final = ("DELETE", "GET", "POST")
"""That the APIs' paths have."""

CODES: Final = {
    HTTPStatus.BAD_REQUEST: "validation_failed",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.SERVICE_UNAVAILABLE: "service_unavailable",
}


def error_response(failure: ServiceError, *, close: bool = False) -> JSONResponse:
    """Return the response for an error; `close` also ends the connection."""
    headers: dict[str, str] = {}
    if failure.retry_after_s is not None:
        headers["Retry-After"] = str(failure.retry_after_s)
    if isinstance(failure, UnauthorizedError):
        headers["WWW-Authenticate"] = failure.scheme
    if close:
        headers["Connection"] = "close"
    return _response(
        failure.status, failure.code, failure.message, failure.details, headers, **failure.fields
    )


async def on_service_error(_: Request, failure: Exception) -> JSONResponse:
    """Answer an error that an endpoint raised."""
    assert isinstance(failure, ServiceError)  # noqa: S101 - FastAPI's handlers are typed for any exception
    return error_response(failure)


async def on_http_error(request: Request, failure: Exception) -> JSONResponse:
    """Answer what the framework refuses: an unknown path or method."""
    assert isinstance(failure, HTTPException)  # noqa: S101 - as above
    status = HTTPStatus(failure.status_code)
    code = CODES.get(
        status, "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "validation_failed"
    )
    headers = dict(failure.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return _response(status, code, status.phrase, None, headers)


async def on_invalid_request(_: Request, failure: Exception) -> JSONResponse:
    """Answer a request that does not fit its body's form, with 400 and each field's reason."""
    assert isinstance(failure, RequestValidationError)  # noqa: S101 - as above
    return error_response(invalid_fields(field_errors(failure.errors())))


def field_errors(errors: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return each field that pydantic found wrong, and why; "body" is the body as a whole."""
    found: dict[str, str] = {}
    for error in errors[:PLACES_MAX]:
        place = () if error["type"] == "json_invalid" else tuple(error["loc"])[1:]
        found[name_of(place) or "body"] = message_of(error)
    return found


def invalid_fields(fields: Mapping[str, str]) -> ValidationFailedError:
    """Return the error that names these fields."""
    return ValidationFailedError(f"Request validation failed: {', '.join(fields)}", dict(fields))


def message_of(error: Mapping[str, Any]) -> str:
    """Return in one sentence what is wrong."""
    if error["type"] == "missing":
        return "Missing required field"
    if error["type"] == "json_invalid":
        return f"Invalid JSON: {error['ctx']['error']}"
    return str(error["msg"]).removeprefix("Value error, ")


def name_of(place: tuple[str | int, ...]) -> str:
    """Return a field's name of bounded length: a key can be any text."""
    return ".".join(str(part) for part in place)[:PLACE_MAX]


def _allowed(request: Request) -> list[str]:
    """Return the methods of the path, which stand on several routes; the framework names one route's."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _response(
    status: int,
    code: str,
    message: str,
    details: dict[str, Any] | None,
    headers: dict[str, str],
    **more: Any,
) -> JSONResponse:
    body = ErrorBody(error=code, message=message, details=details, **more).model_dump(exclude_none=True)
    return JSONResponse(body, status, headers)
