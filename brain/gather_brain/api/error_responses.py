"""A request that is invalid, as the requirements show it: single nodes of a batch, or fields."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from gather_brain.errors import BatchValidationFailedError, ServiceError
from gather_clients.web.error_bodies import (
    PLACES_MAX,
    error_response,
    field_errors,
    invalid_fields,
    message_of,
    name_of,
)
from gather_contracts.brain import CONTENT_MAX, PROPERTY_TEXTS_MAX

OF_A_PROPERTY: Final = 3
SIZES: Final = frozenset({"too_short", "too_long"})
"""What pydantic says of a list with too few or too many entries."""
KEY: Final = "[key]"
PROPERTY_VALUES: Final = (
    f"must be a text of at most {CONTENT_MAX} characters, a list of at most {PROPERTY_TEXTS_MAX} texts of as "
    "many together, a number, true, false or null"
)


async def on_invalid_request(_: Request, failure: Exception) -> JSONResponse:
    """Answer a request that does not fit its body's or query's form, with 400 and each field's reason."""
    assert isinstance(failure, RequestValidationError)  # noqa: S101 - FastAPI's handlers are typed for any
    return error_response(validation_error(failure.errors()))


def validation_error(errors: Sequence[Mapping[str, Any]]) -> ServiceError:
    """Return the error of single nodes of a batch, or of the request as a whole."""
    invalid_nodes: dict[int, str] = {}
    of_batch: dict[str, str] = {}
    others = []
    for error in errors[:PLACES_MAX]:
        place = () if error["type"] == "json_invalid" else tuple(error["loc"])[1:]
        if len(place) > 1 and place[0] == "nodes" and isinstance(place[1], int):
            invalid_nodes.setdefault(place[1], _reason(place[2:], error))
        elif place == ("nodes",) and error["type"] in SIZES:
            of_batch["nodes"] = message_of(error)
        else:
            others.append(error)
    if (invalid_nodes or of_batch) and not others:
        return BatchValidationFailedError(invalid_nodes, of_batch)
    return invalid_fields(field_errors(others))


def _reason(place: tuple[str | int, ...], error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return f"Missing required field: {name_of(place)}"
    if place[:1] == ("properties",) and len(place) >= OF_A_PROPERTY:
        # Pydantic says of each kind of value in turn why it is not that kind.
        message = message_of(error) if place[-1] == KEY else PROPERTY_VALUES
        return f"{name_of(place[: OF_A_PROPERTY - 1])}: {message}"
    return f"{name_of(place)}: {message_of(error)}" if place else message_of(error)
