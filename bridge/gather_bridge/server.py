"""uvicorn as the bridge needs it: small frames, pings, few waiting connections, and an end in good order."""

import logging
import resource
import signal
import socket
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gather_bridge.access.proxy_users import remembering_peer
from gather_bridge.bridge import Bridge
from gather_bridge.waiting_connections import WaitingConnections, guarded_by
from gather_bridge.websocket.raw_frames import WireProtocol
from gather_contracts.events import EVENT_MAX_BYTES

logger = logging.getLogger(__name__)

PING_INTERVAL_S: Final = 20.0
SHUTDOWN_TIMEOUT_S: Final = 5
OTHER_FILES: Final = 256
"""Connections to Redis and webhooks, files, and a reserve."""
LEAD_S: Final = 2.0
"""After SIGTERM, before the first client leaves: Kubernetes sends new ones elsewhere by then."""


class Server(uvicorn.Server):
    """Lets clients leave one after the other before it closes."""

    def __init__(self, config: uvicorn.Config, bridge: Bridge) -> None:
        super().__init__(config)
        self._bridge = bridge
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; at a second signal, or at Ctrl-C, without waiting."""
        self._signals += 1 if sig == signal.SIGTERM else 2
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain after SIGTERM, then close."""
        if self._signals:
            await self._bridge.listeners.drain(
                LEAD_S, self._bridge.settings.drain_s, lambda: self._signals > 1
            )
        await super().shutdown(sockets)


def raise_file_limit(needed: int) -> None:
    """Let the process have as many connections as it may; some runtimes begin with 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard not in {resource.RLIM_INFINITY, -1} and hard < needed:
        logger.warning("fewer open files allowed than needed", extra={"allowed": hard, "needed": needed})


def build_server(app: FastAPI, bridge: Bridge) -> Server:
    """Return the server, not yet started."""
    settings = bridge.settings
    raise_file_limit(2 * settings.max_sockets + OTHER_FILES)
    proxies = list(map(str, settings.trusted_proxies))
    trusting = ProxyHeadersMiddleware(app, proxies) if proxies else app  # type: ignore[arg-type]
    waiting = WaitingConnections(bridge.metrics, settings.max_sockets, settings.handshake_timeout_s)
    config = uvicorn.Config(
        remembering_peer(trusting),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        http=guarded_by(waiting),
        ws=WireProtocol,
        ws_max_size=EVENT_MAX_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_INTERVAL_S,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=16 * 1024,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    return Server(config, bridge)
