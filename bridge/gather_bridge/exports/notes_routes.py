"""The addresses of notes: pages of JSON, and exports as files."""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.requests import Request

from gather_bridge.access.asked import RUN
from gather_bridge.access.gate import Gate, Grant
from gather_bridge.access.permits import Access
from gather_bridge.errors import SocketRefused
from gather_bridge.exports.exporting import MEDIA_TYPES, Job
from gather_bridge.exports.notes_source import NotesSource
from gather_bridge.metrics import Metrics
from gather_clients.event_log import EventLogUnavailable
from gather_contracts.snapshots.run_state import RunState

NOTES_PATH: Final = "/api/v1/projects/{project_id}/notes"
EXPORT_PATH: Final = "/api/v1/projects/{project_id}/export"
PAGE_S: Final = 30.0
SNAPSHOT_S: Final = 10.0
NOT_CONFIGURED: Final = (
    "this bridge has no MongoDB to read notes from: put MONGODB_URI, with the role read on the projects' "
    "databases, into the Secret that bridge.existingSecret names"
)
_DEPARTMENT: Final = re.compile(r"[^\x00-\x20\x7f]{1,63}")
_LIMIT: Final = re.compile(r"[0-9]{1,4}")


class Snapshots(Protocol):
    """Runs as of now."""

    async def of_run(self, project_id: str, run: str) -> dict[str, Any] | None:
        """Return the newest run of that name; raises EventLogUnavailable."""


class Written(Protocol):
    """What the operator wrote."""

    async def newest(self, project_id: str, limit: int, run: str | None = None) -> list[RunState]:
        """Return a project's newest snapshots; raises EventLogUnavailable."""


class Bridge(Protocol):
    """What of the bridge is needed here."""

    gate: Gate
    access: Access
    metrics: Metrics
    notes: NotesSource | None

    @property
    def snapshots(self) -> Snapshots:
        """Return runs' snapshots."""

    @property
    def snapshots_in_redis(self) -> Written:
        """Return what the operator wrote of runs."""


def add_notes(app: FastAPI, bridge: Bridge) -> None:
    """Add the addresses of notes; see docs/exports.md."""

    @app.get(NOTES_PATH)
    async def notes(request: Request, project_id: str) -> Response:
        """Return a page of a project's notes, the newest first."""
        _, source, asked = await _entered(bridge, request, project_id)
        return await _page(bridge, source, request, asked)

    @app.get(EXPORT_PATH)
    async def export(request: Request, project_id: str) -> Response:
        """Return a project's notes as a file."""
        grant, source, asked = await _entered(bridge, request, project_id)
        name = request.query_params.get("format", "")
        if name not in MEDIA_TYPES:
            raise SocketRefused(400, "invalid_request", f"format must be one of {', '.join(MEDIA_TYPES)}")
        job = Job(**asked, format=name, snapshot=await _snapshot(bridge, asked))
        return source.exporter.answer(
            job, lambda end: bridge.access.held(grant.sha256, grant.project_id, end, grant.session)
        )


async def _entered(
    bridge: Bridge, request: Request, project_id: str
) -> tuple[Grant, NotesSource, dict[str, str]]:
    """Return what the client may use and asks for; raises SocketRefused."""
    grant = await bridge.gate.enter(request, project_id)
    asked = {name: request.query_params.get(name, "") for name in ("run", "department")}
    if asked["run"] and not RUN.fullmatch(asked["run"]):
        raise SocketRefused(400, "invalid_request", "run must be the name of a GatherRun")
    if asked["department"] and not _DEPARTMENT.fullmatch(asked["department"]):
        raise SocketRefused(400, "invalid_request", "department must be a department's slug")
    if bridge.notes is None:
        raise SocketRefused(503, "not_configured", NOT_CONFIGURED, retry_after_s=3600)
    return grant, bridge.notes, asked | {"project_id": grant.project_id}


async def _page(bridge: Bridge, source: NotesSource, request: Request, asked: Mapping[str, str]) -> Response:
    # Only here: both import MongoDB's driver.
    from gather_bridge.exports.page_of_notes import (  # noqa: PLC0415
        LIMIT_DEFAULT,
        LIMIT_MAX,
        page_of_notes,
        place_of,
    )
    from gather_bridge.exports.stored_notes import NotesUnavailable, Scope  # noqa: PLC0415

    said, mark = request.query_params.get("limit", str(LIMIT_DEFAULT)), request.query_params.get("after", "")
    if not _LIMIT.fullmatch(said) or not 1 <= int(said) <= LIMIT_MAX:
        raise SocketRefused(400, "invalid_request", f"limit must be a whole number from 1 to {LIMIT_MAX}")
    try:
        after = place_of(mark) if mark else None
    except ValueError:
        raise SocketRefused(400, "invalid_request", "after must be as a page gave it") from None
    try:
        async with asyncio.timeout(PAGE_S):
            uid = await _run_uid(bridge, source, asked["project_id"], asked["run"])
            scope = Scope(asked["project_id"], uid, asked["department"])
            body = await page_of_notes(source.stored, scope, after, int(said))
    except (NotesUnavailable, TimeoutError):
        raise SocketRefused(503, "unavailable", "notes cannot be read now; try again") from None
    bridge.metrics.note_pages.inc()
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _run_uid(bridge: Bridge, source: NotesSource, project_id: str, run: str) -> str:
    """Return the UID of the newest run of that name, "" without a name; raises SocketRefused."""
    if not run:
        return ""
    with contextlib.suppress(EventLogUnavailable):
        if written := await bridge.snapshots_in_redis.newest(project_id, 1, run):
            return written[0].run_uid
    if uid := await source.stored.run_uid(project_id, run):
        return uid
    raise SocketRefused(404, "not_found", "no such run")


async def _snapshot(bridge: Bridge, asked: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the run's snapshot; without it checkpoints say most."""
    if not asked["run"]:
        return None
    try:
        async with asyncio.timeout(SNAPSHOT_S):
            return await bridge.snapshots.of_run(asked["project_id"], asked["run"])
    except (EventLogUnavailable, TimeoutError):
        return None
