"""Logs as JSON lines on standard output, each with the id of the request that it belongs to."""

import logging
import sys
from contextvars import ContextVar
from typing import Final

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")

QUIET: Final = ("uvicorn.access", "neo4j.notifications")
"""The brain logs requests itself, with their id; Neo4j's hints are for who writes the queries."""


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if current := request_id.get():
            record.request_id = current
        return True


def set_up_logs(level: str) -> None:
    """Send every log line of the process through one JSON handler."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_RequestId())
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": "brain"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("neo4j").setLevel(logging.ERROR)
    for name in QUIET:
        logging.getLogger(name).disabled = True
