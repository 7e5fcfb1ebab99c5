"""What the API server answers and what the client raises, as errors of ours; counted by who calls."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from gather_clients.kube_api.cluster_errors import (
    AlreadyExists,
    AnswerTooLong,
    ClusterError,
    ClusterUnavailable,
    Conflict,
    Missing,
    Refused,
)
from gather_clients.retry_after import retry_after_s

REFUSALS: Final = frozenset({400, 403, 405, 413, 422})
MESSAGE_MAX: Final = 512
RETRY_AFTER_MAX_S: Final = 600.0
"""A server that asks for longer is asked again then; it may be another one."""


CONNECTION_BROKEN: Final = "ConnectionBroken"
COUNTED: Final = (
    ClusterUnavailable.__name__, AnswerTooLong.__name__, Refused.__name__, CONNECTION_BROKEN
)  # fmt: skip
"""The kinds of errors that are no ordinary answers, as metrics name them."""

Count = Callable[[str, str], None]
"""Called with what was called and the kind of error, one of `COUNTED`."""


@contextmanager
def counted(what: str, errors: tuple[type[Exception], ...], count: Count) -> Iterator[None]:
    """Turn those errors of the client into ClusterUnavailable, and count what is no ordinary answer."""
    try:
        yield
    except ClusterError as error:
        if isinstance(error, ClusterUnavailable | Refused):  # the others are answers, and expected
            count(what, type(error).__name__)
        raise
    except errors as error:
        reason = " ".join(str(error).split())
        unavailable = ClusterUnavailable(f"{what}: {(reason or type(error).__name__)[:MESSAGE_MAX]}")
        count(what, type(unavailable).__name__)
        raise unavailable from error


def error_of_answer(what: str, code: int, headers: Mapping[str, str], body: bytes) -> ClusterError:
    """Return the error of a response that is none of success; its body may be anything."""
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        status = None
    known = status if isinstance(status, dict) and status.get("kind") == "Status" else {}
    asked_s = retry_after_s(headers.get("Retry-After"), datetime.now(UTC))
    return error_of_status(what, {**known, "code": code}, asked_s)


def error_of_status(what: str, status: Mapping[str, Any], asked_s: float | None = None) -> ClusterError:
    """Return the error that a Status says; `asked_s` is the time of a Retry-After header."""
    code, reason = status.get("code"), status.get("reason")
    message = f"{what}: {str(status.get('message') or reason or _phrase(code))[:MESSAGE_MAX]}"
    if code == HTTPStatus.NOT_FOUND:
        return Missing(message)
    if code == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return AlreadyExists(message)
    if code in {HTTPStatus.CONFLICT, HTTPStatus.GONE} or reason in {"Expired", "Gone"}:
        return Conflict(message)
    wait_s = asked_s if asked_s is not None else _details_s(status)
    if wait_s is not None:
        wait_s = min(wait_s, RETRY_AFTER_MAX_S)
    return (Refused if code in REFUSALS else ClusterUnavailable)(message, wait_s)


def _details_s(status: Mapping[str, Any]) -> float | None:
    """Return what a Status itself asks to wait: events of a watch have no headers."""
    details = status.get("details")
    asked = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return retry_after_s(str(asked), datetime.now(UTC)) if asked else None


def _phrase(code: object) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"  # type: ignore[arg-type] # ValueError is the answer
    except ValueError:
        return f"status {code}"
