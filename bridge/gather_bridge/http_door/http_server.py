"""`gather-bridge http`: the door's settings, its logs, and the server."""

import asyncio
import logging
from typing import Final

import uvicorn

from gather_bridge.http_door.door_settings import DoorSettings
from gather_bridge.http_door.http_app import HttpDoor, build_app
from gather_bridge.task_runs.run_calls import check_access
from gather_clients.configuration import read_settings, secrets_of, warn_of_unknown_settings
from gather_clients.logs import configure_logging, hide_in_logs
from gather_clients.redis_calls import refuse_cluster
from gather_clients.web.draining_server import DrainingServer
from gather_clients.web.http_protocol import BoundedProtocol
from gather_clients.web.metrics_server import serves_metrics

logger = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 30
SHUTDOWN_TIMEOUT_S: Final = 15
LIBRARIES: Final = dict.fromkeys(("httpx", "httpcore", "uvicorn.error"), "WARNING")


def serve() -> int:
    """Serve until SIGTERM, then finish the requests under way; raises ConfigurationError."""
    settings = read_settings(DoorSettings)
    configure_logging("http-door", settings.log_level, LIBRARIES)
    hide_in_logs(secrets_of(settings))
    warn_of_unknown_settings(logger)
    asyncio.run(refuse_cluster(settings.redis, settings.redis_timeout_s))
    asyncio.run(check_access())
    door = HttpDoor(settings)
    server = build_server(door)
    logger.info("serving", extra={"port": settings.port, "namespace": settings.namespace})
    with serves_metrics(door.metrics.registry, settings.host, settings.metrics_port):
        server.run()
    return 0 if server.started else 1


def build_server(door: HttpDoor) -> DrainingServer:
    """Return the server, not yet started."""
    config = uvicorn.Config(
        build_app(door),
        host=door.settings.host,
        port=door.settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        http=BoundedProtocol,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    return DrainingServer(config, drain_s=door.settings.drain_s, on_drain=door.drain)
