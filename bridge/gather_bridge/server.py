"""uvicorn as the bridge needs it: small frames, pings, and an end to sockets that nobody reads."""

import asyncio
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gather_bridge.settings import Settings
from gather_contracts.events import EVENT_MAX_BYTES

PING_INTERVAL_S: Final = 20.0
ABORT_AFTER_S: Final = 5.0
"""After the session has ended: time for the close frame to get through."""
SHUTDOWN_TIMEOUT_S: Final = 5
PROBES: Final = 256
"""Connections besides the sockets, so that probes answer when all sockets are taken."""


class DroppingProtocol(WebSocketsSansIOProtocol):
    """Ends the connection some time after the session, even if the client reads nothing.

    uvicorn closes a transport and leaves it to the kernel to flush what is still to be sent. With a client
    that never reads, this never ends: its memory and its file descriptor would stay.
    """

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """Start the time limit when the session has ended."""
        super().on_task_complete(task)
        self.loop.call_later(ABORT_AFTER_S, self.transport.abort)


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return the server, not yet started."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            ws=DroppingProtocol,
            ws_max_size=EVENT_MAX_BYTES,
            ws_ping_interval=PING_INTERVAL_S,
            ws_ping_timeout=PING_INTERVAL_S,
            ws_per_message_deflate=False,
            limit_concurrency=settings.max_sockets + PROBES,
            h11_max_incomplete_event_size=16 * 1024,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
            server_header=False,
            access_log=False,
            log_config=None,
        )
    )
