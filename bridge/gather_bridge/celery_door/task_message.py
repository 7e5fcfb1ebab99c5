"""Celery's messages as they lie in a Redis list, in both of its protocols; pure.

An envelope is kombu's JSON: body, content type, headers, properties. In protocol 2 the task's name and id
are headers and the body is [args, kwargs, embed]; in protocol 1 all stands in the body.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from gather_bridge.errors import TaskRefused

ID_MAX: Final = 255
JSON_TYPES: Final = frozenset({"application/json", "json"})
ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "utf8", "ascii"})
CARRIED: Final[Mapping[str, type]] = {
    **dict.fromkeys(("root_id", "parent_id", "group", "shadow", "origin", "argsrepr", "kwargsrepr"), str),
    **dict.fromkeys(("group_index", "retries", "replaced_task_nesting"), int),
    **dict.fromkeys(("stamped_headers", "timelimit"), list),
    "stamps": dict,
    "ignore_result": bool,
}
"""Headers that a task's end needs, and of which form; one of another form is as if it were not there."""
EMBEDDED: Final = ("callbacks", "errbacks", "chain", "chord")
EMBED_MAX_BYTES: Final = 256 * 1024
"""Of callbacks, chain and chord together, which are kept until the task's end."""
SECONDS_MAX: Final = 10 * 365 * 86_400


class NotForUs(Exception):  # noqa: N818 - what is found, said as it is
    """The message is another's, or none of Celery's: it stays where it is."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """One task as its sender sent it."""

    id: str
    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    request: dict[str, Any] = field(repr=False)
    """What Celery's own code needs at the task's end, as JSON holds it."""
    eta: datetime | None = None
    expires: datetime | None = None
    fault: TaskRefused | None = None
    """Why it can never be carried out; then args and kwargs are empty."""

    @property
    def data(self) -> Any:
        """Return the task's data; raises TaskRefused if it was not given as the requirements say.

        One positional object, its fields as keyword arguments, or `task_data` by keyword.
        """
        if self.fault is not None:
            raise self.fault
        if len(self.args) > 1 or (self.args and self.kwargs):
            raise TaskRefused("args", "the task takes one object, or its fields as keyword arguments")
        if self.args:
            return self.args[0]
        return self.kwargs["task_data"] if set(self.kwargs) == {"task_data"} else self.kwargs


def read_message(payload: bytes, task: str, now: datetime) -> TaskMessage:
    """Return the task in an element of a list; raises NotForUs unless it is of that name.

    A message of ours whose rest cannot be read has a `fault`.
    """
    envelope = _object(_json(payload))
    headers, properties = envelope.get("headers") or {}, envelope.get("properties") or {}
    if not isinstance(headers, Mapping) or not isinstance(properties, Mapping):
        raise NotForUs("headers or properties of another form")
    if "task" in headers:
        if headers["task"] != task:
            raise NotForUs("another task")
        return _second(envelope, dict(headers), properties, now)
    try:
        body = _object(_body(envelope, properties))
    except TaskRefused:
        raise NotForUs("a body that cannot be read, of nobody knows what") from None
    if body.get("task") != task:
        raise NotForUs("another task")
    return _first(body, properties, now)


def _second(
    envelope: Mapping[str, Any], headers: dict[str, Any], properties: Mapping[str, Any], now: datetime
) -> TaskMessage:
    task_id = _id(headers.get("id") or properties.get("correlation_id"))
    request = _request(task_id, headers, properties)
    try:
        args, kwargs, embed = _three(_body(envelope, properties))
        return _message(task_id, headers, request, args, kwargs, embed, now)
    except TaskRefused as fault:
        return TaskMessage(task_id, str(headers["task"]), [], {}, request, fault=fault)


def _first(body: dict[str, Any], properties: Mapping[str, Any], now: datetime) -> TaskMessage:
    task_id = _id(body.get("id") or properties.get("correlation_id"))
    body["group"] = body.get("group") or body.get("taskset")
    request = _request(task_id, body, properties)
    try:
        return _message(task_id, body, request, body.get("args") or [], body.get("kwargs") or {}, body, now)
    except TaskRefused as fault:
        return TaskMessage(task_id, str(body["task"]), [], {}, request, fault=fault)


def _message(  # noqa: PLR0917 - private
    task_id: str,
    headers: Mapping[str, Any],
    request: dict[str, Any],
    args: Any,
    kwargs: Any,
    embed: Any,
    now: datetime,
) -> TaskMessage:
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not isinstance(embed, dict | None):
        raise TaskRefused("args", "must be a list, and kwargs an object")
    kept = {name: value for name in EMBEDDED if (value := (embed or {}).get(name))}
    for name, value in kept.items():
        _check_signatures(name, [value] if name == "chord" else value)
    if len(json.dumps(kept)) > EMBED_MAX_BYTES:
        raise TaskRefused("link", f"callbacks, chain and chord have more than {EMBED_MAX_BYTES} bytes")
    request |= kept
    return TaskMessage(
        task_id,
        str(headers["task"]),
        args,
        kwargs,
        request,
        eta=_moment("eta", headers.get("eta"), now),
        expires=_moment("expires", headers.get("expires"), now),
    )


def _check_signatures(name: str, given: Any) -> None:
    """Raise TaskRefused unless these are Celery's signatures; at the task's end it would be too late."""
    if not isinstance(given, list) or not all(
        isinstance(each, dict) and isinstance(each.get("task"), str) for each in given
    ):
        raise TaskRefused(name, "must be signatures of tasks")


def _three(body: Any) -> tuple[Any, Any, Any]:
    match body:
        case [args, kwargs, embed]:
            return args, kwargs, embed
    raise TaskRefused("", "the message's body is not [args, kwargs, embed]")


def _request(task_id: str, headers: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    request = {name: headers[name] for name, form in CARRIED.items() if isinstance(headers.get(name), form)}
    delivery = properties.get("delivery_info")
    return {
        **request,
        "id": task_id,
        "task": headers["task"],
        "reply_to": properties.get("reply_to") or "",
        "correlation_id": task_id,
        "delivery_info": {
            "priority": properties.get("priority") or 0,
            "routing_key": delivery.get("routing_key") if isinstance(delivery, Mapping) else None,
        },
    }


def is_id(given: object) -> TypeGuard[str]:
    """Return whether a task may be called so: half a character, say, can be written nowhere."""
    return isinstance(given, str) and 0 < len(given) <= ID_MAX and given.isprintable()


def _id(given: object) -> str:
    if not is_id(given):
        raise NotForUs("a task without an id under which a result could be written")
    return given


def _body(envelope: Mapping[str, Any], properties: Mapping[str, Any]) -> Any:
    content_type, encoding = envelope.get("content-type"), envelope.get("content-encoding")
    if str(content_type) not in JSON_TYPES or str(encoding or "utf-8").lower() not in ENCODINGS:
        raise TaskRefused("", f"content type {str(content_type)[:64]!r} is not taken: send it as JSON")
    if (envelope.get("headers") or {}).get("compression"):
        raise TaskRefused("", "a compressed message is not taken: send it without compression")
    body: Any = envelope.get("body")
    try:
        text = b64decode(body, validate=True) if properties.get("body_encoding") == "base64" else body
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise TaskRefused("", "the message's body is not JSON") from None


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise NotForUs("no JSON") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotForUs("no object")
    return value


def _moment(name: str, given: Any, now: datetime) -> datetime | None:
    """Return a moment of the message: ISO 8601, in UTC where it names no zone, or seconds from now."""
    if given is None:
        return None
    try:
        if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < SECONDS_MAX:
            return datetime.fromtimestamp(now.timestamp() + given, UTC)
        moment = datetime.fromisoformat(given)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise TaskRefused(name, "is no moment as ISO 8601 writes it") from None
