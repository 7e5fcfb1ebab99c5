"""Logs as JSON lines on stderr, each with its run, department and iteration; never content, never a key."""

import logging
import sys
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_context: dict[str, Any] = {}
"""One process works on one department, so that its name belongs on every line."""


class _ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for key, value in _context.items():
            setattr(record, key, value)
        return True


def set_log_context(**fields: Any) -> None:
    """Add fields to every log line of this process from now on."""
    _context.update(fields)


def configure_logging(level: str) -> None:
    """Send all logs to stderr as JSON; libraries speak up from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    names = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names))
    handler.addFilter(_ContextFilter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("gather_worker").setLevel(level.upper())
