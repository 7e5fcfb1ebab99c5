"""The door's OpenAPI 3.0 document: what FastAPI finds in the routes, and the answers around them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gather_bridge.http_door.task_bodies import TaskCallback
from gather_bridge.http_door.task_routes import CANCELLING, REPLAYED, router
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

PREFIX: Final = "/api/v1"
API_VERSION: Final = "1.0.0"
"""The API's own version: it changes with what callers see and not with every release."""
TITLE: Final = "Gather tasks"
DESCRIPTION: Final = """\
Submit, poll and cancel tasks of the type `automated_gather_creation`; each is a GatherRun.

Every call asks for a key, `X-API-Key`, and a key is bound to projects: what is another project's is 404.
Every error has the standard body `{error, message, details}`; `error` is a code, and codes can be added.
Requests are limited for each key; every answer carries the `X-RateLimit-*` headers and, after a 429,
`Retry-After`.
"""
TASK_ID: Final = "2f1d3a52-5b0e-4a6f-9a3f-0d2f6c1b7e90"
PROJECT: Final = "507f1f77bcf86cd799439011"
AT: Final = "2026-11-29T08:00:00Z"
SUBMISSION: Final[Mapping[str, Any]] = {
    "project_id": PROJECT,
    "task_type": "automated_gather_creation",
    "task_data": {"max_iterations": 50},
    "priority": 1,
    "callback_url": "https://app.example.com/api/webhooks/gather",
    "metadata": {"user_id": "user-123"},
}
NUMBERS: Final[Mapping[str, Any]] = {
    "departments_count": 7,
    "departments_ended": 3,
    "current_department": "visual",
    "iterations": 21,
    "max_iterations": 50,
    "items_created": 48,
    "quality_score": 84.5,
    "cost_usd": 0.31,
}
CANCELLED: Final[Mapping[str, Any]] = {"task_id": TASK_ID, "status": "cancelled", "message": CANCELLING}
ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "submit_task": {
        "task_id": TASK_ID,
        "status": "queued",
        "project_id": PROJECT,
        "estimated_duration": 600,
        "queue_position": 1,
        "created_at": AT,
    },
    "get_task_status": {
        "task_id": TASK_ID,
        "project_id": PROJECT,
        "status": "processing",
        "progress": 0.486,
        "current_step": "visual",
        "result": None,
        "error": None,
        "error_details": None,
        "details": NUMBERS,
        "is_cancelling": False,
        "run": TASK_ID,
        "estimated_duration": 600,
        "queue_position": 0,
        "created_at": AT,
        "updated_at": "2026-11-29T08:03:20Z",
        "started_at": "2026-11-29T08:00:01Z",
        "completed_at": None,
    },
    "cancel_task": CANCELLED,
    "delete_task": CANCELLED,
}
OF_ALL: Final = (
    Failure(
        "ValidationFailed",
        HTTPStatus.BAD_REQUEST,
        "The request is not as it should be; `details` names each field.",
        body_example(
            "validation_failed",
            "Request validation failed: task_data.max_iterations",
            details={"task_data.max_iterations": "should be less than or equal to 500"},
        ),
    ),
    Failure(
        "Unauthorized",
        HTTPStatus.UNAUTHORIZED,
        "No key, or none that is valid now.",
        body_example("unauthorized", "Invalid or missing API key"),
        ("WWW-Authenticate",),
    ),
    Failure(
        "NotFound",
        HTTPStatus.NOT_FOUND,
        "No such task or project, or one that the key may not use.",
        body_example("not_found", "Task not found"),
    ),
    Failure(
        "MethodNotAllowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The path has no such method.",
        body_example("method_not_allowed", "Method Not Allowed"),
    ),
    Failure(
        "RateLimitExceeded",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests of this key.",
        body_example("rate_limit_exceeded", "Too many requests", retry_after=42, limit=60, window="1 minute"),
        ("Retry-After",),
    ),
    Failure(
        "InternalError",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The server's own fault; its log has the request's id.",
        body_example("internal_error", "Internal server error"),
    ),
    Failure(
        "ServiceUnavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The Kubernetes API is away, or too much is under way.",
        body_example("service_unavailable", "Service temporarily unavailable"),
        ("Retry-After",),
    ),
)
OF_SUBMISSION: Final = (
    Failure(
        "RequestTimeout",
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not arrive in time.",
        body_example("request_timeout", "Request body did not arrive in time"),
    ),
    Failure(
        "TaskIdTaken",
        HTTPStatus.CONFLICT,
        "A GatherRun has the name that the task would have.",
        body_example("task_id_taken", "A GatherRun of that name is not of this task"),
    ),
    Failure(
        "PayloadTooLarge",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is longer than is read, counted as it arrives.",
        body_example("payload_too_large", "Request body too large", details={"max_bytes": 65536}),
    ),
    Failure(
        "UnsupportedMediaType",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not JSON in UTF-8.",
        body_example("unsupported_media_type", "Content-Type must be application/json"),
    ),
    Failure(
        "IdempotencyKeyReused",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used with another body.",
        body_example("idempotency_key_reused", "This Idempotency-Key was used with another body"),
    ),
)
OF_CANCELLING: Final = (
    Failure(
        "TaskEnded",
        HTTPStatus.CONFLICT,
        "The task has ended by itself.",
        body_example("task_ended", "The task has ended (completed) and cannot be cancelled"),
    ),
)
BY_METHOD: Final = {"post": (*OF_ALL, *OF_SUBMISSION), "get": OF_ALL, "delete": (*OF_ALL, *OF_CANCELLING)}
OWN_HEADERS: Final[Mapping[str, Schema]] = {
    "Location": {
        "description": "Where the task's status is, relative to this address.",
        "schema": {"type": "string"},
        "example": f"{TASK_ID}/status",
    },
    REPLAYED: {
        "description": "`true` if this idempotency key had made the task before.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
}
LINKS: Final[Mapping[str, Any]] = {
    "GetStatus": {
        "operationId": "getTaskStatus",
        "description": "The task can be asked for at once.",
        "parameters": {"task_id": "$response.body#/task_id"},
    },
    "Cancel": {
        "operationId": "cancelTask",
        "description": "And cancelled.",
        "parameters": {"task_id": "$response.body#/task_id"},
    },
}


def build_document() -> dict[str, Any]:
    """Return the document; raises ConversionError for a model that OpenAPI 3.0 cannot say."""
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix=PREFIX)
    found = get_openapi(title=TITLE, version=API_VERSION, routes=app.routes)  # in OpenAPI 3.1
    definitions = schemas_of(found, TaskCallback)
    failures = {failure.name: failure for group in BY_METHOD.values() for failure in group}
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": TITLE,
            "version": API_VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": "/", "description": "The door that this document came from"}],
        "tags": [{"name": "tasks", "description": "Tasks, each a GatherRun."}],
        "security": [{"apiKey": []}],
        "paths": {
            path: {method: _operation(method, each, definitions) for method, each in methods.items()}
            for path, methods in found["paths"].items()
        },
        "components": {
            "schemas": published_schemas(definitions),
            "headers": {**HEADERS, **OWN_HEADERS},
            "responses": {name: failure_component(failure) for name, failure in sorted(failures.items())},
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "A key that `gather-bridge http-key` has shown once.",
                }
            },
        },
    }


def _operation(method: str, found: Mapping[str, Any], definitions: Mapping[str, Schema]) -> dict[str, Any]:
    name = found["operationId"].partition("_api_v1")[0]
    status = "201" if method == "post" else "200"
    schema = convert(found["responses"][status]["content"]["application/json"]["schema"], definitions)
    done: dict[str, Any] = {
        "description": "Done.",
        "headers": header_references(tuple(OWN_HEADERS) if method == "post" else ()),
        "content": {"application/json": {"schema": schema, "example": ANSWERS[name]}},
    }
    operation: dict[str, Any] = {
        "operationId": "".join(part.title() if place else part for place, part in enumerate(name.split("_"))),
        "tags": ["tasks"],
        "summary": found["summary"],
        "description": found["description"],
        "parameters": [_parameter(each, definitions) for each in found.get("parameters", ())],
    }
    if method == "post":
        done["links"] = LINKS
        body = convert(found["requestBody"]["content"]["application/json"]["schema"], definitions)
        content = {"schema": body, "example": SUBMISSION}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
        operation["callbacks"] = {"taskEnded": _callback()}
    operation["responses"] = {status: done, **_failures(BY_METHOD[method])}
    return operation


def _parameter(found: Mapping[str, Any], definitions: Mapping[str, Schema]) -> dict[str, Any]:
    schema = convert(found["schema"], definitions)
    schema.pop("nullable", None)
    description = schema.pop("description", found.get("description", ""))
    is_path = found["in"] == "path"
    # FastAPI writes a header's name with small letters and its schema's title into it.
    name = found["name"] if is_path else "-".join(part.title() for part in found["name"].split("-"))
    return {
        "name": name,
        "in": found["in"],
        "required": is_path,
        "description": description,
        "schema": schema,
        **({"example": TASK_ID} if is_path else {}),
    }


def _failures(failures: Sequence[Failure]) -> dict[str, Any]:
    ordered = sorted(failures, key=lambda failure: failure.status.value)
    return {str(f.status.value): {"$ref": f"#/components/responses/{f.name}"} for f in ordered}


def _callback() -> dict[str, Any]:
    """Return what the application gets at the task's end."""
    schema = {"$ref": f"#/components/schemas/{TaskCallback.__name__}"}
    return {
        "{$request.body#/callback_url}": {
            "post": {
                "description": "Signed; answer 2xx within 5 seconds, else it comes again for a day.",
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                "responses": {"2XX": {"description": "Taken."}},
            }
        }
    }
