"""The HTTP surface: events on WebSocket and SSE, tickets, snapshots, notes and the probes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from starlette.requests import HTTPConnection, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gather_bridge.access.asked import RUN, read_asked
from gather_bridge.access.tickets import Ticket
from gather_bridge.access.token_file import SUBPROTOCOL
from gather_bridge.bridge import Bridge
from gather_bridge.errors import SocketRefused
from gather_bridge.exports.notes_routes import add_notes
from gather_bridge.page.page_routes import add_page
from gather_bridge.sse.stream import MEDIA_TYPE, EventStream
from gather_bridge.websocket.raw_frames import wire_of
from gather_bridge.websocket.session import Session
from gather_clients.event_log import EventLogUnavailable
from gather_clients.web.plain_probes import add_probes
from gather_contracts.brain import ErrorBody

logger = logging.getLogger(__name__)

PROJECT_PATH: Final = "/api/v1/projects/{project_id}"
EVENTS_PATH: Final = f"{PROJECT_PATH}/events"
UPGRADE: Final = "connect with a WebSocket, or ask with Accept: text/event-stream"
PREFLIGHT_S: Final = 600
SNAPSHOT_S: Final = 10.0


def build_app(bridge: Bridge) -> FastAPI:
    """Return the application; its lifespan is the bridge's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running: AbstractAsyncContextManager[None] = bridge.running()
        async with running:
            yield

    app = FastAPI(title="Gather bridge", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(bridge.settings.allowed_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        expose_headers=["Content-Disposition", "Retry-After"],
        max_age=PREFLIGHT_S,
    )
    add_probes(app, trouble=bridge.trouble, waits_for=bridge.waits_for)

    @app.websocket(EVENTS_PATH)
    async def events(socket: WebSocket, project_id: str) -> None:
        """Send a project's events; see docs/events.md."""
        await serve_socket(bridge, socket, project_id)

    stream = Streams(bridge)
    app.router.routes.append(Route(EVENTS_PATH, endpoint=stream, methods=["GET"]))
    app.router.routes.append(Route(f"{EVENTS_PATH}/stream", endpoint=stream, methods=["GET"]))

    @app.exception_handler(SocketRefused)
    async def refuse(_: Request, refused: SocketRefused) -> Response:
        """Return the reason, and count it."""
        return refusal(bridge, refused)

    @app.post(f"{PROJECT_PATH}/tickets", status_code=201)
    async def ticket(request: Request, project_id: str) -> Response:
        """Give a one-use ticket for a WebSocket of this project."""
        grant = await bridge.gate.enter(request, project_id)
        try:
            text = await bridge.tickets.issue(Ticket(grant.project_id, grant.sha256))
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "tickets cannot be issued now; try again") from None
        body = {"ticket": text, "expires_in": bridge.tickets.lifetime_s}
        return JSONResponse(body, 201, headers={"Cache-Control": "no-store"})

    _add_snapshots(app, bridge)
    if bridge.page is not None:
        add_page(app, bridge.page)
    add_notes(app, bridge)
    return app


async def serve_socket(bridge: Bridge, socket: WebSocket, project_id: str) -> None:
    """Check the handshake and serve the client until it goes."""
    subprotocols: list[str] = socket.scope.get("subprotocols", [])
    try:
        asked = read_asked(socket)
        grant = await bridge.gate.enter(socket, project_id, subprotocols)
        follower = bridge.new_follower()
        session = Session(socket, wire_of(socket), follower, bridge.metrics, bridge.limits.send_timeout_s)
        with (
            bridge.listeners.admitted(_address(socket), follower.leave),
            bridge.access.held(grant.sha256, grant.project_id, follower.revoke, grant.session),
        ):
            await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in subprotocols else None)
            await session.run(grant.project_id, asked.position, asked.run)
    except SocketRefused as refused:
        await socket.send_denial_response(refusal(bridge, refused))


class Streams:
    """Serves event streams, and says what their address is to who asks for something else."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        wants_stream = MEDIA_TYPE in request.headers.get("accept", "") or scope["path"].endswith("/stream")
        refused = SocketRefused(426, "upgrade_required", UPGRADE)
        try:
            if wants_stream:
                return await self._serve(request, send)
        except SocketRefused as why:
            refused = why
        return await refusal(self._bridge, refused)(scope, receive, send)

    async def _serve(self, request: Request, send: Send) -> None:
        bridge = self._bridge
        grant = await bridge.gate.enter(request, request.path_params["project_id"])
        follower = bridge.new_follower()
        stream = EventStream(send, follower, bridge.metrics, grant.project_id, read_asked(request))
        with (
            bridge.listeners.admitted(_address(request), follower.leave),
            bridge.access.held(grant.sha256, grant.project_id, follower.revoke, grant.session),
        ):
            await stream.run(request.receive)


def _add_snapshots(app: FastAPI, bridge: Bridge) -> None:
    @app.get(f"{PROJECT_PATH}/runs")
    async def runs(request: Request, project_id: str) -> Response:
        """Return a project's newest runs as of a place in its log."""
        grant = await bridge.gate.enter(request, project_id)
        return await _shown(bridge.snapshots.of_project(grant.project_id))

    @app.get(f"{PROJECT_PATH}/runs/{{name}}/snapshot")
    async def snapshot(request: Request, project_id: str, name: str) -> Response:
        """Return a run as of a place in its project's log."""
        grant = await bridge.gate.enter(request, project_id)
        if not RUN.fullmatch(name):
            raise SocketRefused(400, "invalid_request", "the name of a GatherRun is wanted")
        return await _shown(bridge.snapshots.of_run(grant.project_id, name))


async def _shown(reading: Awaitable[dict[str, Any] | None]) -> Response:
    try:
        async with asyncio.timeout(SNAPSHOT_S):
            found = await reading
    except (EventLogUnavailable, TimeoutError):
        raise SocketRefused(503, "unavailable", "runs cannot be read now; try again") from None
    if found is None:
        raise SocketRefused(404, "not_found", "no such run")
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


def refusal(bridge: Bridge, refused: SocketRefused) -> Response:
    """Return the answer to a request that is refused, and count it."""
    bridge.metrics.refused.labels(error=refused.error).inc()
    by_status = {
        426: {"Upgrade": "websocket"},
        503: {"Retry-After": "2"},
        401: {"WWW-Authenticate": "Bearer"},
    }
    headers = by_status.get(refused.status, {})
    if refused.retry_after_s is not None:
        headers = headers | {"Retry-After": str(refused.retry_after_s)}
    return error_response(refused.status, refused.error, str(refused), headers)


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def error_response(
    status: int, error: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the standard error body."""
    body = ErrorBody(error=error, message=message).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)
