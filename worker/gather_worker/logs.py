"""Logs as JSON lines on stderr, each with its run, department and iteration; never content, never a key.

Whatever a service or a model says may come into a line, so a line is bounded and is always one JSON object:
no text can end it and begin another. Known secrets are struck out last, whichever way they came in.
"""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pythonjsonlogger.json import JsonFormatter

TEXT_MAX: Final = 2_000
"""Characters of one field."""
TRACE_MAX: Final = 8_000
"""Characters of a traceback; the end is kept, which says what went wrong."""
FIELDS_MAX: Final = 40
SECRET_MIN: Final = 6
"""Shorter ones would strike out ordinary words."""
STRUCK_OUT: Final = "***"

_context: dict[str, Any] = {}
"""One process works on one department, so that its name belongs on every line."""
_secrets: list[str] = []


class _ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for key, value in _context.items():
            setattr(record, key, value)
        return True


class _Formatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        kept = list(super().process_log_record(log_data).items())[:FIELDS_MAX]
        return {key: _bounded(key, value) for key, value in kept}

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in _secrets:
            line = line.replace(secret, STRUCK_OUT)
        return line


def _bounded(key: str, value: Any) -> Any:
    if isinstance(value, str) and key == "exc_info":
        return value[-TRACE_MAX:]
    return value[:TEXT_MAX] if isinstance(value, str) else value


def set_log_context(**fields: Any) -> None:
    """Add fields to every log line of this process from now on."""
    _context.update(fields)


def hide_in_logs(secrets: Iterable[str]) -> None:
    """Strike these out of every line from now on, and the passwords of those that are URLs."""
    found = {text for secret in secrets for text in (secret, *_passwords(secret))}
    # The longest first: a password is a part of its URL. As JSON writes them, since lines are JSON.
    written = {json.dumps(text)[1:-1] for text in found if len(text) >= SECRET_MIN}
    _secrets[:] = sorted(written, key=len, reverse=True)


def _passwords(text: str) -> list[str]:
    try:
        password = urlsplit(text).password or ""
    except ValueError:
        return []
    return [password, unquote(password)]


def configure_logging(level: str) -> None:
    """Send all logs to stderr as JSON; libraries speak up from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    names = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names))
    handler.addFilter(_ContextFilter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("gather_worker").setLevel(level.upper())
