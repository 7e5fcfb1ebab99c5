"""Parts of an OpenAPI 3.0 document that each API of ours has: header fields, error responses and bodies."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gather_clients.web.downgrade import Schema, convert
from gather_contracts.brain import ErrorBody

OPENAPI_VERSION: Final = "3.0.3"
FASTAPI_BODIES: Final = ("HTTPValidationError", "ValidationError")
"""Of its status 422 for invalid requests; ours is 400 with the standard body."""

HEADERS: Final[Mapping[str, Schema]] = {
    "X-Request-Id": {
        "description": "The id that the caller sent under this name, or a new one; log lines carry it too.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64},
        "example": "9f2c4b1de0a84c3f8f3a6c1b2d7e5f40",
    },
    "X-RateLimit-Limit": {
        "description": "Requests per minute.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 30,
    },
    "X-RateLimit-Remaining": {
        "description": "What is left of the minute's limit; at 0 the burst above it is being used.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 25,
    },
    "X-RateLimit-Reset": {
        "description": "When the whole limit is there again, in seconds since 1970.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1705320000,
    },
    "RateLimit-Policy": {
        "description": "The policy in the words of the IETF's RateLimit header fields.",
        "schema": {"type": "string"},
        "example": '"minute";q=30;w=60, "burst";q=50',
    },
    "RateLimit": {
        "description": "How the account stands, in the words of the IETF's RateLimit header fields.",
        "schema": {"type": "string"},
        "example": '"burst";r=45;t=2',
    },
    "Retry-After": {
        "description": "Seconds after which the same request can succeed.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 2,
    },
    "WWW-Authenticate": {
        "description": "The scheme that is asked for.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}
COMMON_HEADERS: Final = (
    "X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Policy",
    "RateLimit",
)  # fmt: skip


class Failure(NamedTuple):
    """A response that is not 200: its name among the components, and an example body of each code."""

    name: str
    status: HTTPStatus
    description: str
    bodies: Mapping[str, Mapping[str, Any]]
    headers: tuple[str, ...] = ()


def body_example(code: str, message: str, **more: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return an example of an error body under its code."""
    return {code: {"error": code, "message": message, **more}}


def failure_component(failure: Failure) -> dict[str, Any]:
    """Return a response of the document's components."""
    schema = {"$ref": f"#/components/schemas/{ErrorBody.__name__}"}
    shown = {code: {"value": body} for code, body in failure.bodies.items()}
    return {
        "description": failure.description,
        "headers": header_references(failure.headers),
        "content": {"application/json": {"schema": schema, "examples": shown}},
    }


def header_references(more: Sequence[str] = ()) -> dict[str, Schema]:
    """Return the header fields of an answer: the common ones, and more."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*COMMON_HEADERS, *more)}


def schemas_of(found: Mapping[str, Any], *others: type[BaseModel]) -> dict[str, Schema]:
    """Return the bodies of FastAPI's own document, of errors and others, in OpenAPI 3.1."""
    models: list[type[BaseModel]] = [ErrorBody, *others]
    _, more = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Schema] = found["components"]["schemas"] | more["$defs"]
    return {name: schema for name, schema in schemas.items() if name not in FASTAPI_BODIES}


def published_schemas(definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the bodies in the words of 3.0; a field's default is said in its description.

    `default` makes generators of clients ask for the field or send what stood there when they ran.
    """
    return {
        name: _default_in_words(convert(schema, definitions)) for name, schema in sorted(definitions.items())
    }


def _default_in_words(schema: Schema) -> Schema:
    for name, field in schema.get("properties", {}).items():
        if "default" not in field:
            continue
        default = json.dumps(field.pop("default"))
        if name not in schema.get("required", ()):
            field["description"] = f"{field.get('description', '')}\n\nDefault: `{default}`.".lstrip()
    return schema
