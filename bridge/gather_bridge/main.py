"""The bridge's composition root: settings, logs, the application, and nothing else."""

import asyncio
import logging
from typing import Final

from gather_bridge.bridge import Bridge
from gather_bridge.routes import build_app
from gather_bridge.server import build_server
from gather_bridge.settings import Settings
from gather_clients.configuration import exits_if_misconfigured, read_settings, secrets_of
from gather_clients.logs import configure_logging, hide_in_logs
from gather_clients.redis_calls import refuse_cluster

logger = logging.getLogger(__name__)

LIBRARIES: Final = dict.fromkeys(("httpx", "httpcore", "uvicorn.error"), "WARNING")
"""The loggers of libraries that say too much below this level."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    with exits_if_misconfigured("gather-bridge"):
        settings = read_settings(Settings)
        configure_logging("bridge", settings.log_level, LIBRARIES)
        hide_in_logs(secrets_of(settings))
        bridge = Bridge(settings)
        asyncio.run(refuse_cluster(settings.redis, settings.redis_timeout_s))
    if settings.allow_anonymous:
        logger.warning("anyone may listen to any project: for trying out only")
    logger.info("serving", extra={"port": settings.port})
    build_server(build_app(bridge), bridge).run()


if __name__ == "__main__":
    main()
