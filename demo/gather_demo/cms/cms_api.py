"""The demo CMS's HTTP face: `GET /api/departments` as Payload answers it, and a switch for tests."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from gather_demo.cms.query import Document, QueryError, find, parse_query
from gather_demo.service import new_app

DEPARTMENTS_FILE: Final = Path(__file__).parent / "departments.yaml"


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


def _refusal(status: int, message: str) -> JSONResponse:
    """Return Payload's error body."""
    return JSONResponse({"errors": [{"message": message}]}, status_code=status)


def build_app(departments: Sequence[Document]) -> FastAPI:
    """Return the application over these departments."""
    app = new_app("gather-demo-cms", "Payload's departments collection, filtered, sorted and paged truly.")
    app.state.behaviour = Behaviour()

    @app.get("/api/departments", response_model=None)
    async def list_departments(request: Request) -> JSONResponse | dict[str, Any]:
        """Answer a query as Payload does."""
        behaviour: Behaviour = app.state.behaviour
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.down:
            return _refusal(503, "The demo CMS was set to be down.")
        try:
            return find(departments, parse_query(request.query_params.multi_items()))
        except QueryError as error:
            return _refusal(400, str(error))

    @app.get("/api/departments/{department_id}", response_model=None)
    async def one_department(department_id: str) -> JSONResponse | Document:
        """Answer one document by its id."""
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
