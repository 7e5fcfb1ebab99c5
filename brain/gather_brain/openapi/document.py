"""The OpenAPI 3.0 document: what FastAPI finds in the routes, in the words of 3.0, and what it cannot see.

The middleware checks keys, limits and the size of bodies, so FastAPI does not know the answers it gives.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from gather_brain.openapi import examples
from gather_clients.web.document_parts import (
    HEADERS,
    OPENAPI_VERSION,
    Failure,
    body_example,
    failure_component,
    header_references,
    published_schemas,
    schemas_of,
)
from gather_clients.web.downgrade import Schema, convert
from gather_contracts.brain import ErrorCode

API_VERSION: Final = "1.1.0"
"""The API's own version: it changes with what callers see and not with every release."""
TITLE: Final = "Gather brain"
DESCRIPTION: Final = """\
Nodes, duplicates, context and coverage of film projects, each project kept apart from all others.

Every operation asks for a key, `Authorization: Bearer ...`, and for a `projectId` that the key may use. Every
error has the standard body `{error, message, details}`; `error` is a code, and codes can be added. Unknown
fields and parameters are refused, since a misspelt one would be ignored. Requests are limited for each key,
project and endpoint; every answer carries the `X-RateLimit-*` headers and, after a 429, `Retry-After`.
"""
TAGS: Final = (
    {"name": "nodes", "description": "Write, list, read and delete film notes as nodes."},
    {"name": "search", "description": "Find near duplicates of texts."},
    {"name": "context", "description": "What earlier departments offer a later one."},
    {"name": "coverage", "description": "How well items cover what a department is for."},
    {"name": "projects", "description": "Erase what is kept of a project; read its limits."},
)
FAILURES: Final[Sequence[Failure]] = (
    Failure(
        "ValidationFailed",
        HTTPStatus.BAD_REQUEST,
        "The request, or nodes of the batch, are not as they should be; `details` says where.",
        {
            **body_example(
                ErrorCode.VALIDATION_FAILED,
                "Request validation failed: limit",
                details={"limit": "Input should be less than or equal to 50"},
            ),
            **body_example(
                ErrorCode.BATCH_VALIDATION_FAILED,
                "Invalid nodes in batch",
                details={"invalid_nodes": [{"index": 0, "reason": "Missing required field: content"}]},
            ),
        },
    ),
    Failure(
        "Unauthorized",
        HTTPStatus.UNAUTHORIZED,
        "No key, or none that is valid now.",
        body_example(ErrorCode.UNAUTHORIZED, "Invalid or missing API key"),
        ("WWW-Authenticate",),
    ),
    Failure(
        "Forbidden",
        HTTPStatus.FORBIDDEN,
        "Access denied. Not for projects: one that the key may not use is 404, as one that does not exist.",
        body_example(ErrorCode.FORBIDDEN, "Forbidden"),
    ),
    Failure(
        "NotFound",
        HTTPStatus.NOT_FOUND,
        "The project has no nodes, or not the one that is asked for, or the key may not use it.",
        body_example(ErrorCode.NOT_FOUND, "Project not found"),
    ),
    Failure(
        "MethodNotAllowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path has no such method.",
        body_example(ErrorCode.METHOD_NOT_ALLOWED, "Method Not Allowed"),
    ),
    Failure(
        "RequestTimeout",
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not arrive in time.",
        body_example(ErrorCode.REQUEST_TIMEOUT, "Request body did not arrive in time"),
    ),
    Failure(
        "PayloadTooLarge",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is longer than is read, counted as it arrives.",
        body_example(ErrorCode.PAYLOAD_TOO_LARGE, "Request body too large", details={"max_bytes": 10485760}),
    ),
    Failure(
        "UnsupportedMediaType",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not JSON in UTF-8.",
        body_example(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"),
    ),
    Failure(
        "RateLimitExceeded",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests of this key for this project and endpoint.",
        body_example(
            ErrorCode.RATE_LIMIT_EXCEEDED, "Too many requests", retry_after=42, limit=30, window="1 minute"
        ),
        ("Retry-After",),
    ),
    Failure(
        "InternalError",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The server's own fault; its log has the request's id.",
        body_example(ErrorCode.INTERNAL_ERROR, "Internal server error"),
    ),
    Failure(
        "ServiceUnavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Something the brain needs is away, or too much is under way.",
        body_example(ErrorCode.SERVICE_UNAVAILABLE, "Service temporarily unavailable"),
        ("Retry-After",),
    ),
)
PROJECT_WRITTEN: Final = "$request.body#/nodes/0/projectId"
LINKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "createNodes": {
        "GetContext": {
            "operationId": "getDepartmentContext",
            "description": "The written nodes are context for later departments.",
            "parameters": {"projectId": PROJECT_WRITTEN},
        },
    }
}
OF_BODIES: Final = frozenset({"RequestTimeout", "PayloadTooLarge", "UnsupportedMediaType"})
"""Failures of requests with a body only."""


def build_document(routers: Sequence[APIRouter], prefix: str) -> dict[str, Any]:
    """Return the OpenAPI 3.0 document of the routers under `prefix`.

    Raises:
        ConversionError: a model says something that OpenAPI 3.0 cannot.
        KeyError: a route has no example.
    """
    app = FastAPI(openapi_url=None)
    for router in routers:
        app.include_router(router, prefix=prefix)
    found = get_openapi(title=TITLE, version=API_VERSION, routes=app.routes)  # in OpenAPI 3.1
    definitions = schemas_of(found)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": TITLE,
            "version": API_VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": "/", "description": "The brain that this document came from"}],
        "tags": list(TAGS),
        "security": [{"apiKey": []}],
        "paths": {
            path: {
                method: _operation(examples.OPERATIONS[method, path], each, definitions)
                for method, each in methods.items()
            }
            for path, methods in found["paths"].items()
        },
        "components": {
            "schemas": published_schemas(definitions),
            "headers": dict(HEADERS),
            "responses": {failure.name: failure_component(failure) for failure in FAILURES},
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key that `gather-brain keys create` has shown once.",
                }
            },
        },
    }


def _operation(
    example: examples.Operation, found: Mapping[str, Any], definitions: Mapping[str, Schema]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": example.id,
        "tags": [example.tag],
        "summary": found["summary"],
        "description": found["description"],
    }
    if "parameters" in found:
        operation["parameters"] = [
            _parameter(each, example.request, definitions) for each in found["parameters"]
        ]
    if "requestBody" in found:
        schema = convert(found["requestBody"]["content"]["application/json"]["schema"], definitions)
        content = {"schema": schema, "example": example.request}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = _responses(found, example, definitions)
    operation["x-codeSamples"] = [
        {"lang": "Shell", "label": "curl", "source": examples.curl(example)},
        {"lang": "Python", "label": "requests", "source": examples.python(example)},
    ]
    return operation


def _parameter(
    found: Mapping[str, Any], request: Mapping[str, Any], definitions: Mapping[str, Schema]
) -> dict[str, Any]:
    schema = convert(found["schema"], definitions)
    # What is not asked for is left out of a query: "null" would be a text.
    schema.pop("nullable", None)
    description = schema.pop("description", found.get("description", "The project that is read."))
    parameter = {
        "name": found["name"],
        "in": found["in"],
        "required": found.get("required", False),
        "description": description,
        "schema": schema,
    }
    return parameter | ({"example": request[found["name"]]} if found["name"] in request else {})


def _responses(
    found: Mapping[str, Any], example: examples.Operation, definitions: Mapping[str, Schema]
) -> dict[str, Any]:
    schema = convert(found["responses"]["200"]["content"]["application/json"]["schema"], definitions)
    done = {
        "description": "Done.",
        "headers": header_references(),
        "content": {"application/json": {"schema": schema, "example": example.response}},
    }
    if example.id in LINKS:
        done["links"] = LINKS[example.id]
    failures = {
        str(failure.status.value): {"$ref": f"#/components/responses/{failure.name}"}
        for failure in FAILURES
        if "requestBody" in found or failure.name not in OF_BODIES
    }
    return {"200": done} | failures
