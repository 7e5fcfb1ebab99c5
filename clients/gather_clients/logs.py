"""Logs of every room: JSON lines on stderr in one vocabulary, bounded, without secrets.

Each line has `timestamp`, `level`, `logger`, `message` and `service`, then its context, then its own fields.
Whatever a service or a model says may come into a line, so a line is bounded and is always one JSON object:
no text can end it and begin another, and no field can take the place of one of the vocabulary.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from gather_clients.http_calls.secret_headers import KEY_IN_URL, without_scheme

VOCABULARY: Final = {
    "asctime": "timestamp",
    "levelname": "level",
    "name": "logger",
    "message": "message",
    "service": "service",
}
"""Python's names and ours."""
TEXT_MAX: Final = 2_000
"""Characters of one text."""
TRACE_MAX: Final = 8_000
"""Characters of a traceback; the end is kept, which says what went wrong."""
TRACES: Final = frozenset({"exc_info", "stack_info"})
FIELDS_MAX: Final = 40
"""Fields of a line, and entries of a list or an object in it."""
DEPTH_MAX: Final = 4
"""Lists and objects within each other; a deeper one is written as text."""
SECRET_MIN: Final = 6
"""Shorter ones would strike out ordinary words."""
STRUCK_OUT: Final = "***"
SILENT: Final = logging.CRITICAL + 1
"""A level that no line reaches."""

_KEYS_IN_URL: Final = re.compile(KEY_IN_URL + r"([^&#\s]+)", re.IGNORECASE)

_process_context: dict[str, Any] = {}
_task_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039 - never written
_secrets: list[str] = []


def configure_logging(service: str, level: str, loggers: Mapping[str, str | int] | None = None) -> None:
    """Send all log lines of the process to stderr as JSON.

    Args:
        service: the room, on every line.
        level: the least level that is written, of all loggers without one of their own.
        loggers: other levels by the logger's name; `SILENT` for none at all.
    """
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Formatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, own_level in (loggers or {}).items():
        logging.getLogger(name).setLevel(own_level.upper() if isinstance(own_level, str) else own_level)


def set_log_context(**fields: Any) -> None:
    """Add fields to every log line of this process from now on."""
    _process_context.update(fields)


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Add fields to the log lines of this task, and of tasks that it starts, until the block ends."""
    token = _task_context.set({**_task_context.get(), **fields})
    try:
        yield
    finally:
        _task_context.reset(token)


def hide_in_logs(secrets: Iterable[str], *, besides: bool = False) -> None:
    """Strike these out of every line from now on, the passwords of URLs and what stands behind Bearer too.

    `besides`: those of before too, such as an old key, which an endpoint may still name.
    """
    plain = {text for secret in secrets for text in (secret, without_scheme(secret), *_passwords(secret))}
    found = {form for text in plain for form in _written(text) if len(form) >= SECRET_MIN}
    # The longest first: a password is a part of its URL.
    _secrets[:] = sorted(found.union(_secrets) if besides else found, key=len, reverse=True)


def without_secrets(text: str) -> str:
    """Return the text without what `hide_in_logs` was given, for output that is no log."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, STRUCK_OUT)
    return text


def _passwords(text: str) -> list[str]:
    """Return what is secret by itself in an address: its password, and a key among its parameters."""
    keys = [key for _, key in _KEYS_IN_URL.findall(text)]
    with suppress(ValueError):
        keys.append(urlsplit(text).password or "")
    return [form for key in keys for form in (key, unquote(key))]


def _written(secret: str) -> tuple[str, ...]:
    """Return the secret as texts show it: plain, in JSON, in Python's quotes and in a URL."""
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    return secret, *in_json, repr(secret)[1:-1], quote(secret, safe="", errors="replace")


class _Formatter(JsonFormatter):
    def __init__(self, service: str) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={theirs: ours for theirs, ours in VOCABULARY.items() if theirs != ours},
            static_fields={"service": service},
            # uvicorn writes its messages a second time, with colours.
            reserved_attrs=[*RESERVED_ATTRS, *VOCABULARY.values(), "color_message"],
        )
        self._encode = json.JSONEncoder().encode

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return the line; the library's encoder, made for each, knows forms of which none is left here."""
        return self._encode(log_data)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the time as RFC 3339 in UTC."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Let no message that is an object take the place of a field of the vocabulary."""
        own = {key: value for key, value in message_dict.items() if key not in VOCABULARY.values()}
        super().add_fields(log_data, record, own)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Put the context before the line's own fields, and bound them all."""
        fields = {name: log_data.pop(name) for name in VOCABULARY.values()}
        fields |= _process_context | _task_context.get()
        fields.update((key, value) for key, value in log_data.items() if key not in fields)
        return {_bounded(key): _bounded(value, key) for key, value in list(fields.items())[:FIELDS_MAX]}


def _bounded(value: Any, key: str = "", depth: int = 0) -> Any:
    """Return what a line may hold of the value: numbers, texts, lists and objects, all of bounded size."""
    if value is None or isinstance(value, bool):
        return value
    if depth < DEPTH_MAX and isinstance(value, dict):
        entries = list(value.items())[:FIELDS_MAX]
        return {_bounded(str(name)): _bounded(each, depth=depth + 1) for name, each in entries}
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_bounded(each, depth=depth + 1) for each in list(value)[:FIELDS_MAX]]
    plain = value if isinstance(value, str) else str(value)
    text = without_secrets(plain)
    if isinstance(value, int | float) and text is plain and math.isfinite(value):
        return value
    return text[-TRACE_MAX:] if key in TRACES else text[:TEXT_MAX]


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report a line that cannot be written in a line.

        Python's own report has many and shows the arguments, which can be secrets.
        """
        failure = sys.exc_info()[1]
        with suppress(Exception):
            lost = logging.LogRecord(
                record.name, record.levelno, record.pathname, record.lineno, "log line lost", None, None
            )
            lost.error, lost.place = type(failure).__name__, f"{record.filename}:{record.lineno}"
            self.stream.write(self.format(lost) + self.terminator)
            self.flush()
