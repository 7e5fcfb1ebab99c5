"""The OpenAPI document, without what FastAPI says of itself and the brain does not do."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

NEVER_SENT: Final = "422"
"""FastAPI's own status for invalid requests; the brain answers 400 with the standard body."""
ITS_BODIES: Final = ("HTTPValidationError", "ValidationError")


def document_with(app: FastAPI) -> dict[str, Any]:
    """Return the document of the application's routes, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop(NEVER_SENT, None)
        for body in ITS_BODIES:
            document["components"]["schemas"].pop(body, None)
        _add_keys(document)
        app.openapi_schema = document
    return app.openapi_schema


def _add_keys(document: dict[str, Any]) -> None:
    """Say that every operation needs a bearer key; the middleware asks for it, which FastAPI cannot see."""
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"apiKey": []}]
