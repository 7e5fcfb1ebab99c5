"""Errors as the standard error body: {error, message, details}."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gather_brain.errors import BatchValidationFailedError, ServiceError, ValidationFailedError
from gather_contracts.brain import CONTENT_MAX, ErrorBody

PLACE_MAX: Final = 100
PLACES_MAX: Final = 50
"""A request can be wrong in very many places; the first ones are enough."""
OF_A_PROPERTY: Final = 3
KEY: Final = "[key]"
METHODS: Final = ("DELETE", "GET", "POST")
"""That the API's paths have."""
PROPERTY_VALUES: Final = f"must be a text of at most {CONTENT_MAX} characters, a number, true, false or null"

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
    if failure.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
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


async def on_invalid_request(_: Request, failure: Exception) -> JSONResponse:
    """Answer a request that does not fit its body's or query's form, with 400 and each field's reason."""
    assert isinstance(failure, RequestValidationError)  # noqa: S101 - as above
    return error_response(validation_error(failure.errors()))


def validation_error(errors: Sequence[Mapping[str, Any]]) -> ServiceError:
    """Return the error of single nodes of a batch, or of the request as a whole."""
    invalid_nodes: dict[int, str] = {}
    fields: dict[str, str] = {}
    for error in errors[:PLACES_MAX]:
        place = () if error["type"] == "json_invalid" else tuple(error["loc"])[1:]
        if len(place) > 1 and place[0] == "nodes" and isinstance(place[1], int):
            invalid_nodes.setdefault(place[1], _reason(place[2:], error))
        else:
            fields[_name(place) or "body"] = _message(error)
    if invalid_nodes and not fields:
        return BatchValidationFailedError(invalid_nodes)
    return ValidationFailedError(f"Request validation failed: {', '.join(fields)}", dict(fields))


def _reason(place: tuple[str | int, ...], error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return f"Missing required field: {_name(place)}"
    if place[:1] == ("properties",) and len(place) == OF_A_PROPERTY:
        # Pydantic says of each kind of value in turn why it is not that kind.
        message = _message(error) if place[-1] == KEY else PROPERTY_VALUES
        return f"{_name(place[:-1])}: {message}"
    return f"{_name(place)}: {_message(error)}" if place else _message(error)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "Missing required field"
    if error["type"] == "json_invalid":
        return f"Invalid JSON: {error['ctx']['error']}"
    return str(error["msg"]).removeprefix("Value error, ")


def _name(place: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in place)[:PLACE_MAX]


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
