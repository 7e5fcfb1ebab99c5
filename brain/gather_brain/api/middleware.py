"""What happens to every request before an endpoint sees it: id, key, limits, body. Pure ASGI.

Order, from outside: `Instrumentation` (id, limits' header fields, log line, metrics, last resort),
`Authentication` (401 before anything is read), `RefusalLimit` (charges requests that reach no project),
`BodyLimit` (415, 413, 408; counts the bytes and trusts no header).

The project stands in the body, so the endpoint charges its bucket (`Caller.open_project`) and leaves the
bucket's state in the scope; until then the header fields show the key's limit unused.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gather_brain.api import docs_routes
from gather_brain.api.error_responses import error_response
from gather_brain.auth.api_keys import bearer_key
from gather_brain.auth.key_ring import Principal
from gather_brain.errors import (
    BodyTimeoutError,
    RateLimitedError,
    ServiceError,
    TooLargeError,
    UnavailableError,
    UnsupportedMediaError,
)
from gather_brain.limits.policy import DEFAULTS, limit_of, path_of
from gather_brain.metrics import Metrics
from gather_clients.limits.buckets import Buckets
from gather_clients.limits.gcra import LimitState, header_fields
from gather_clients.logs import log_context

logger = logging.getLogger(__name__)

API: Final = "/api/v1/"
OPEN_PATHS: Final = frozenset(f"/api/v1{path}" for path in docs_routes.PATHS)
"""Documentation needs no key."""
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
JSON_TYPE: Final = re.compile(r'application/json\s*(?:;\s*charset="?utf-?8"?\s*)?;?', re.IGNORECASE)
"""JSON between programs is UTF-8. Source: RFC 8259, section 8.1."""


class Instrumentation:
    """Gives each request an id, counts and logs it, and turns an unexpected error into a 500."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, endpoints: Sequence[str], max_requests: int
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._endpoints = frozenset(endpoints)
        self._max_requests = max_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        watched = _WatchedSend(send, identity, scope)
        started = time.perf_counter()
        self._under_way += 1
        with log_context(request_id=identity):
            try:
                self._require_room(scope["path"])
                await self._app(scope, receive, watched)
            except Exception as failure:
                known = (
                    failure if isinstance(failure, ServiceError) else ServiceError("Internal server error")
                )
                if known is not failure:
                    logger.exception("request failed")
                if watched.status is None:
                    await error_response(known, close=True)(scope, receive, watched)
            finally:
                self._under_way -= 1
                self._record(scope, watched.status, time.perf_counter() - started)

    def _require_room(self, path: str) -> None:
        if self._under_way > self._max_requests and path.startswith(API):
            raise UnavailableError(retry_after_s=1)

    def _record(self, scope: Scope, status: int | None, seconds: float) -> None:
        # All unknown paths share one label, else callers could create metrics without limit.
        endpoint = path_of(scope["path"])
        endpoint = endpoint if endpoint in self._endpoints else "other"
        self._metrics.request(endpoint, scope["method"], status or 499, seconds)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._metrics.limit_exceeded(endpoint)
        if endpoint.startswith(API) or endpoint == "other":
            principal: Principal | None = scope.get("state", {}).get("principal")
            fields = {
                "endpoint": endpoint,
                "method": scope["method"],
                "status": status or 499,
                "duration_ms": round(seconds * 1000, 1),
                "key_id": principal.key_id if principal else None,
            }
            logger.info("request", extra=fields)


class _WatchedSend:
    """A `send` that remembers the status and adds the request's id and the state of the caller's limit."""

    def __init__(self, send: Send, identity: str, scope: Scope) -> None:
        self._send = send
        self._identity = identity
        self._scope = scope
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._identity
            headers.setdefault("Cache-Control", "no-store")
            if _is_limited(self._scope["path"]):
                limit = self._scope.get("state", {}).get("limit") or LimitState(
                    DEFAULTS[limit_of(self._scope["method"], self._scope["path"])]
                )
                headers.update(header_fields(limit, time.time()))
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)


def _is_limited(path: str) -> bool:
    return path.startswith(API) and path not in OPEN_PATHS


class Authentication:
    """Lets a request to the API through only with a valid key."""

    def __init__(self, app: ASGIApp, *, principal_of: Callable[[str | None], Awaitable[Principal]]) -> None:
        self._app = app
        self._principal_of = principal_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and _is_limited(scope["path"]):
            try:
                principal = await self._principal_of(bearer_key(Headers(scope=scope).get("authorization")))
            except ServiceError as failure:
                logger.warning("authentication failed", extra={"code": failure.code})
                await error_response(failure)(scope, receive, send)
                return
            state = scope.setdefault("state", {})
            state["principal"] = principal
            state["limit"] = LimitState(principal.policy(limit_of(scope["method"], scope["path"])))
        await self._app(scope, receive, send)


class RefusalLimit:
    """Charges a key for requests that are refused: invalid ones, and those for others' projects.

    They charge no project's bucket, since that would create buckets of any name and reveal which projects
    exist. The header fields of such an answer show the endpoint's limit unused, whatever the project.
    """

    def __init__(self, app: ASGIApp, *, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        state = scope.get("state", {})
        principal: Principal | None = state.get("principal")
        if principal is None:
            await self._app(scope, receive, send)
            return
        too_many = False

        async def charged(message: Message) -> None:
            nonlocal too_many
            is_refusal = (
                message["type"] == "http.response.start"
                and HTTPStatus.BAD_REQUEST <= message["status"] < HTTPStatus.INTERNAL_SERVER_ERROR
                and "charged" not in state
            )
            if is_refusal:
                policy = principal.policy("refused")
                limit = await self._buckets.charge(f"{principal.key_id}:-:refused", policy)
                if not limit.admitted:
                    too_many = True
                    state["limit"] = limit
                    failure = RateLimitedError(policy.per_minute, limit.next_s)
                    await error_response(failure)(scope, receive, send)
            if not too_many:
                await send(message)

        await self._app(scope, receive, charged)


class BodyLimit:
    """Reads a whole JSON body, of limited length and within limited time, and passes it on.

    Requests to other paths and with other methods get no body: the router refuses them.
    """

    def __init__(self, app: ASGIApp, *, endpoints: Sequence[str], max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._endpoints = frozenset(endpoints)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._endpoints:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except ServiceError as failure:
            # The server discards the rest of a body once it has answered; closing at once would reset the
            # connection under a caller that still sends, and the answer would be lost.
            await error_response(failure, close=isinstance(failure, BodyTimeoutError))(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        is_json = JSON_TYPE.fullmatch(headers.get("content-type", "").strip())
        if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaError
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise TooLargeError(self._max_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._max_bytes:
                        raise TooLargeError(self._max_bytes)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BodyTimeoutError from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
