"""`gather-bridge celery`: settings, logs, and the door until SIGTERM."""

import asyncio
import logging
from typing import Final

import uvicorn

from gather_bridge.celery_door.celery_door import build_celery_app
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.task_runs.run_calls import check_access
from gather_clients.configuration import (
    exits_if_misconfigured,
    read_settings,
    secrets_of,
    warn_of_unknown_settings,
)
from gather_clients.logs import configure_logging, hide_in_logs
from gather_clients.redis_calls import refuse_cluster
from gather_clients.web.metrics_server import serves_metrics

logger = logging.getLogger(__name__)

LIBRARIES: Final = {"uvicorn.error": "WARNING", "kombu": "WARNING", "celery": "WARNING", "amqp": "WARNING"}
SHUTDOWN_S: Final = 5


def serve() -> None:
    """Serve until SIGTERM or SIGINT."""
    with exits_if_misconfigured("gather-bridge"):
        settings = read_settings(CelerySettings)
        configure_logging("celery-door", settings.log_level, LIBRARIES)
        hide_in_logs(secrets_of(settings))
        warn_of_unknown_settings(logger)
        for place in {settings.broker.url: settings.broker, settings.results.url: settings.results}.values():
            asyncio.run(refuse_cluster(place, settings.redis_timeout_s))
        asyncio.run(check_access())
        metrics = CeleryMetrics(settings.task)
        logger.info("serving", extra={"port": settings.port, "queues": list(settings.queues)})
        with serves_metrics(metrics.registry, settings.host, settings.metrics_port):
            _server(settings, metrics).run()


def _server(settings: CelerySettings, metrics: CeleryMetrics) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            build_celery_app(settings, metrics),
            host=settings.host,
            port=settings.port,
            ws="none",
            timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False,
            access_log=False,
            log_config=None,
        )
    )
