"""The HTTP surface: the events' WebSocket, the probes and the metrics."""

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.websockets import WebSocket

from gather_bridge.bridge import Bridge
from gather_bridge.errors import SocketRefused
from gather_bridge.websocket.access import Verdict
from gather_bridge.websocket.handshake import read_handshake
from gather_bridge.websocket.raw_frames import wire_of
from gather_bridge.websocket.session import Session
from gather_contracts.brain import ErrorBody

logger = logging.getLogger(__name__)

EVENTS_PATH = "/api/v1/projects/{project_id}/events"


def build_app(bridge: Bridge) -> FastAPI:
    """Return the application; its lifespan is the bridge's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running: AbstractAsyncContextManager[None] = bridge.running()
        async with running:
            yield

    app = FastAPI(title="Gather bridge", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    _add_probes(app, bridge)

    @app.websocket(EVENTS_PATH)
    async def events(socket: WebSocket, project_id: str) -> None:
        """Send a project's events; see docs/events.md."""
        await serve_socket(bridge, socket, project_id)

    @app.get(EVENTS_PATH)
    async def events_without_upgrade(project_id: str) -> Response:  # noqa: ARG001 - part of the path
        """Say what this address is, to a request without an upgrade."""
        return error_response(426, "upgrade_required", "connect with a WebSocket", {"Upgrade": "websocket"})

    return app


async def serve_socket(bridge: Bridge, socket: WebSocket, project_id: str) -> None:
    """Check the handshake and serve the client until it goes."""
    try:
        handshake = read_handshake(socket, project_id, bridge.access, bridge.settings.allowed_origins)
        session = Session(
            socket,
            wire_of(socket),
            hub=bridge.hub,
            pages=bridge.pages,
            metrics=bridge.metrics,
            limits=bridge.limits,
            is_allowed=lambda: (
                bridge.access.verdict(handshake.token, handshake.project_id) is Verdict.ALLOWED
            ),
            is_live=lambda: bridge.reader.is_live,
        )
        address = socket.client.host if socket.client else ""
        with bridge.listeners.admitted(address, session.leave):
            await socket.accept(subprotocol=handshake.subprotocol)
            await session.run(handshake.project_id, handshake.asked)
    except SocketRefused as refused:
        bridge.metrics.refused.labels(error=refused.error).inc()
        await socket.send_denial_response(error_response(refused.status, refused.error, str(refused)))


def error_response(
    status: int, error: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the standard error body."""
    body = ErrorBody(error=error, message=message).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)


def _add_probes(app: FastAPI, bridge: Bridge) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """Fail if a task has ended that never should: only a new process helps."""
        trouble = bridge.trouble()
        return PlainTextResponse(trouble or "ok", status_code=500 if trouble else 200)

    @app.get("/readyz")
    async def readyz() -> Response:
        """Fail while Redis takes no writes, so that new clients wait, and at the process's end."""
        if bridge.listeners.is_draining:
            return PlainTextResponse("ending", 503)
        is_ready = bridge.reader.is_live
        waiting = f"waiting for Redis: {bridge.reader.trouble}"
        return PlainTextResponse("ok" if is_ready else waiting, 200 if is_ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(generate_latest(bridge.metrics.registry), media_type=CONTENT_TYPE_LATEST)
