"""The bridge's composition root: settings, logs, the application or a command, and nothing else."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Final

from gather_bridge.access import tokens_command
from gather_bridge.http_door import http_keys
from gather_clients.configuration import (
    exits_if_misconfigured,
    read_settings,
    secrets_of,
    warn_of_unknown_settings,
)
from gather_clients.logs import configure_logging, hide_in_logs
from gather_clients.redis_calls import refuse_cluster

logger = logging.getLogger(__name__)

LIBRARIES: Final = dict.fromkeys(("httpx", "httpcore", "uvicorn.error"), "WARNING")
"""The loggers of libraries that say too much below this level."""


def main(arguments: Sequence[str] = ()) -> None:
    """Serve until SIGTERM or SIGINT, or carry out a command about tokens."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "tokens":
        with exits_if_misconfigured("gather-bridge"):
            raise SystemExit(int(tokens_command.run(chosen)))
    if chosen.command == "celery":
        from gather_bridge.celery_door.celery_command import serve  # noqa: PLC0415 - only it needs Celery

        serve()
        return
    if chosen.command in http_keys.COMMANDS:
        with exits_if_misconfigured("gather-bridge"):
            raise SystemExit(http_keys.run(chosen))
    _serve()


def run() -> None:
    """Do what the command line says."""
    main(sys.argv[1:])


def _serve() -> None:
    # Only here: a command about tokens needs none of it, and starts in a third of the time.
    from gather_bridge.bridge import Bridge  # noqa: PLC0415
    from gather_bridge.routes import build_app  # noqa: PLC0415
    from gather_bridge.server import build_server  # noqa: PLC0415
    from gather_bridge.settings import Settings  # noqa: PLC0415
    from gather_clients.web.metrics_server import serves_metrics  # noqa: PLC0415

    with exits_if_misconfigured("gather-bridge"):
        settings = read_settings(Settings)
        configure_logging("bridge", settings.log_level, LIBRARIES)
        hide_in_logs(secrets_of(settings))
        warn_of_unknown_settings(logger)
        bridge = Bridge(settings)
        asyncio.run(refuse_cluster(settings.redis, settings.redis_timeout_s))
        if settings.allow_anonymous:
            logger.warning("anyone may listen to any project: for trying out only")
        logger.info("serving", extra={"port": settings.port, "metrics_port": settings.metrics_port})
        with serves_metrics(bridge.metrics.registry, settings.host, settings.metrics_port):
            build_server(build_app(bridge), bridge).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gather-bridge",
        description="Without a command: serve events until SIGTERM. Settings are environment variables and "
        "files (docs/events.md).",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    tokens_command.add_commands(commands)
    commands.add_parser(
        "celery",
        help="take the Celery task automated_gather_creation until SIGTERM",
        description="Make GatherRuns of Celery's task automated_gather_creation, until SIGTERM. Settings are "
        "environment variables and files (docs/doors.md).",
    )
    http_keys.add_commands(commands)
    return parser


if __name__ == "__main__":
    run()
