"""/metrics on a port of its own, for Prometheus: who may call the API need not reach it.

It serves in a thread with an event loop of its own, so that a scrape does not hold up requests.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from gather_clients.configuration import ConfigurationError
from gather_clients.web.http_protocol import BoundedProtocol

CONNECTIONS_MAX: Final = 16
"""Prometheus opens one, and its replica another."""
KEEP_ALIVE_S: Final = 65
"""Longer than the usual pause between two scrapes."""
END_TIMEOUT_S: Final = 5.0


@contextmanager
def serves_metrics(registry: CollectorRegistry, host: str, port: int) -> Iterator[None]:
    """Serve the registry's metrics while the block lasts; raises ConfigurationError if the port is taken."""
    config = uvicorn.Config(
        metrics_app(registry),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    with ExitStack() as closing:
        listeners = [closing.enter_context(each) for each in listening(host, port)]
        thread = threading.Thread(target=server.run, args=(listeners,), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(END_TIMEOUT_S)


def listening(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen there, for an empty host on IPv4 and, where there is any, on IPv6.

    Raises ConfigurationError if that cannot be.
    """
    families = [socket.AF_INET6 if ":" in host else socket.AF_INET]
    if not host and port and socket.has_dualstack_ipv6():
        families.append(socket.AF_INET6)
    try:
        return [socket.create_server((host, port), family=family) for family in families]
    except OSError as error:
        raise ConfigurationError(f"metrics cannot be served at port {port}: {error.strerror}") from error


def metrics_app(registry: CollectorRegistry) -> ASGIApp:
    """Return what answers GET /metrics in Prometheus' text format, and all else with 404."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - no body is read
        is_asked = scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/metrics")
        content = generate_latest(registry) if is_asked else b""
        status = HTTPStatus.OK if is_asked else HTTPStatus.NOT_FOUND
        headers = [
            (b"content-type", CONTENT_TYPE_LATEST.encode()),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app
