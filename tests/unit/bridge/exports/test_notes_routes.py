"""What an export hangs on, as long as it is sent."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.responses import Response

from gather_bridge.access.gate import Grant
from gather_bridge.exports.notes_routes import add_notes

PROJECT = "66f1a2b3c4d5e6f708192a3b"


async def test_an_export_ends_with_the_session_that_asked_for_it() -> None:
    """As sockets do."""
    asked: list[tuple[str, ...]] = []

    async def enter(*_: Any) -> Grant:
        return Grant(PROJECT, "hash-of-the-token", "id-of-the-session")

    def held(digest: str, project_id: str, _: Any, session: str = "") -> AbstractContextManager[None]:
        asked.append((digest, project_id, session))
        return nullcontext()

    def answer(_: Any, hold: Callable[..., Any]) -> Response:
        hold(print)
        return Response()

    bridge: Any = SimpleNamespace(
        gate=SimpleNamespace(enter=enter),
        access=SimpleNamespace(held=held),
        notes=SimpleNamespace(exporter=SimpleNamespace(answer=answer)),
    )
    app = FastAPI()
    add_notes(app, bridge)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        await client.get(f"/api/v1/projects/{PROJECT}/export?format=md")
    assert asked == [("hash-of-the-token", PROJECT, "id-of-the-session")]
