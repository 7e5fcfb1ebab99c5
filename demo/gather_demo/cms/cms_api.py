"""The demo CMS's HTTP face: `GET /api/departments` as Payload answers it, and a switch for tests."""

import asyncio
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from gather_demo.cms.query import Document, QueryError, find, parse_query
from gather_demo.languages import Language, file_in
from gather_demo.service import new_app

DEPARTMENTS_FILE: Final = Path(__file__).parent / "departments.yaml"
KEY_FORMS: Final = ("users API-Key", "Bearer")
"""What may stand before the key: Payload's own form, and that of the application's older client."""
NO_ACCESS: Final = "You are not allowed to perform this action."
"""Payload answers so with a wrong key, a key in another form and without one: to it, all three are nobody."""


class Behaviour(BaseModel):
    """How the CMS answers from now on; every field not named takes its default again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    down: bool = False
    """Answer 503 instead of documents."""
    delay_s: float = Field(default=0, ge=0, le=120)


def read_departments(file: Path) -> list[Document]:
    """Return the documents in a YAML file, each with the time stamps that Payload adds."""
    stamps = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
    return [document | stamps for document in yaml.safe_load(file.read_text(encoding="utf-8"))]


def shipped_departments(language: Language = Language.EN) -> list[Document]:
    """Return the demo's own documents; languages differ in names, descriptions and instructions alone."""
    documents = read_departments(DEPARTMENTS_FILE)
    if language is Language.EN:
        return documents
    words = yaml.safe_load(file_in(language, DEPARTMENTS_FILE.with_suffix("")).read_text(encoding="utf-8"))
    return [document | words[document["slug"]] for document in documents]


def _refusal(status: int, message: str) -> JSONResponse:
    """Return Payload's error body."""
    return JSONResponse({"errors": [{"message": message}]}, status_code=status)


def _refused(request: Request, behaviour: Behaviour, api_key: str | None) -> JSONResponse | None:
    """Return why the request gets no documents, None if it does; capitals in the header count."""
    if behaviour.down:
        return _refusal(503, "The demo CMS was set to be down.")
    sent = request.headers.get("authorization", "").encode()
    if api_key is None or any(hmac.compare_digest(sent, f"{form} {api_key}".encode()) for form in KEY_FORMS):
        return None
    return _refusal(403, NO_ACCESS)


def build_app(departments: Sequence[Document], api_key: str | None = None) -> FastAPI:
    """Return the application over these departments; with a key, only those who send it may read them."""
    app = new_app("gather-demo-cms", "Payload's departments collection, filtered, sorted and paged truly.")
    app.state.behaviour = Behaviour()

    @app.get("/api/departments", response_model=None)
    async def list_departments(request: Request) -> JSONResponse | dict[str, Any]:
        """Answer a query as Payload does."""
        behaviour: Behaviour = app.state.behaviour
        await asyncio.sleep(behaviour.delay_s)
        if refused := _refused(request, behaviour, api_key):
            return refused
        try:
            return find(departments, parse_query(request.query_params.multi_items()))
        except QueryError as error:
            return _refusal(400, str(error))

    @app.get("/api/departments/{department_id}", response_model=None)
    async def one_department(department_id: str, request: Request) -> JSONResponse | Document:
        """Answer one document by its id."""
        if refused := _refused(request, app.state.behaviour, api_key):
            return refused
        found = next((d for d in departments if d["id"] == department_id), None)
        return found or _refusal(404, "Not Found")

    @app.get("/demo/behaviour")
    async def behaviour() -> Behaviour:
        """Return how the CMS answers now."""
        current: Behaviour = app.state.behaviour
        return current

    @app.post("/demo/behaviour")
    async def behave(behaviour: Behaviour) -> Behaviour:
        """Set how the CMS answers; for tests."""
        app.state.behaviour = behaviour
        return behaviour

    return app
