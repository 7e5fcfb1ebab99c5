"""Lets requests in: by their key, within its limits, and within its share of what is under way. Pure ASGI."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gather_bridge.http_door.door_keys import DEFAULTS, Caller, LimitName
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_clients.issued_secrets import secret_hash
from gather_clients.limits.buckets import Buckets
from gather_clients.limits.gcra import LimitState
from gather_clients.web import docs_routes
from gather_clients.web.error_bodies import error_response
from gather_clients.web.request_frame import API
from gather_clients.web.service_errors import RateLimitedError, ServiceError, UnavailableError
from gather_clients.web.strangers import log_stranger

logger = logging.getLogger(__name__)

OPEN_PATHS: Final = frozenset(f"/api/v1{path}" for path in docs_routes.PATHS)
"""Documentation needs no key."""
PROBES: Final = frozenset({"/healthz", "/readyz"})
SUBMIT_PATH: Final = "/api/v1/tasks/submit"
TASKS: Final = "/api/v1/tasks/"
METHODS: Final = frozenset({"GET", "POST", "DELETE"})
LIMITS: Final[dict[str, LimitName]] = {"POST": "submit", "DELETE": "cancel"}


def limit_name(method: str) -> LimitName:
    """Return the limit that a request counts in: asking is what all others are like."""
    return LIMITS.get(method, "status")


def is_limited(path: str) -> bool:
    """Return whether a path asks for a key."""
    return path.startswith(API) and path not in OPEN_PATHS


def limit_shown(scope: Scope) -> LimitState | None:
    """Return the state of the caller's limit; for a stranger, the usual limit unused."""
    if not is_limited(scope["path"]):
        return None
    found: LimitState | None = scope.get("state", {}).get("limit")
    return found or LimitState(DEFAULTS[limit_name(scope["method"])])


def endpoint_of(path: str) -> str:
    """Return the path as a label: ids are none."""
    if path in PROBES or path == SUBMIT_PATH:
        return path
    if not path.startswith(TASKS):
        return "docs" if path in OPEN_PATHS else "other"
    end = path.rpartition("/")[2]
    return f"{TASKS}{{id}}/{end}" if end in {"status", "cancel"} else f"{TASKS}{{id}}"


class RequestRecord:
    """Counts and logs each request."""

    def __init__(self, metrics: DoorMetrics) -> None:
        self._metrics = metrics

    def __call__(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Record one."""
        endpoint = endpoint_of(scope["path"])
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(endpoint=endpoint, method=method, status=str(status or 499)).inc()
        self._metrics.durations.labels(endpoint=endpoint).observe(seconds)
        if endpoint not in PROBES:
            caller: Caller | None = scope.get("state", {}).get("caller")
            fields = {
                "endpoint": endpoint,
                "method": method,
                "status": status or 499,
                "duration_ms": round(seconds * 1000, 1),
                "key": caller.name if caller else None,
            }
            # Polls every 2 s of every task would be all that there is to read.
            is_poll = method == "GET" and status is not None and status < HTTPStatus.BAD_REQUEST
            logger.log(logging.DEBUG if is_poll else logging.INFO, "request", extra=fields)


class Places:
    """What may be under way for one key at once, so that there is room for another's."""

    def __init__(self, most: int) -> None:
        self._most = max(most, 1)
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """Have a place while the block lasts; raises UnavailableError where the key has all of its own."""
        if self._taken[name] >= self._most:
            raise UnavailableError(retry_after_s=1)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


class KeyGate:
    """401 without a key, 429 beyond its limit, 503 beyond its share; before any of the body is read.

    One key has three quarters of what may be under way at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        caller_of: Callable[[str | None], Caller],
        buckets: Buckets,
        metrics: DoorMetrics,
        max_requests: int,
    ) -> None:
        self._app = app
        self._caller_of = caller_of
        self._buckets = buckets
        self._metrics = metrics
        self._places = Places(max_requests * 3 // 4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not is_limited(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        try:
            key = Headers(scope=scope).get("x-api-key")
            state["caller"] = caller = self._caller_of(key)
        except ServiceError as failure:
            log_stranger(scope, secret_hash(key) if key else None)
            await error_response(failure)(scope, receive, send)
            return
        name = limit_name(scope["method"])
        state["limit"] = LimitState(caller.policy(name))
        try:
            with self._places.taken(caller.name):
                await charge(state, self._buckets, self._metrics, name)
                await self._app(scope, receive, send)
        except ServiceError as failure:
            await error_response(failure)(scope, receive, send)


async def charge(
    state: MutableMapping[str, Any], buckets: Buckets, metrics: DoorMetrics, name: LimitName
) -> None:
    """Charge one of the caller's limits, which the answer then shows; raises RateLimitedError."""
    caller: Caller = state["caller"]
    limit = await buckets.charge(f"{caller.name}:{name}", caller.policy(name))
    state["limit"] = limit
    if not limit.admitted:
        metrics.limited.labels(limit=name).inc()
        raise RateLimitedError(limit.policy.per_minute, limit.next_s)
