"""What stands around every request, whichever API it is to. Pure ASGI.

From outside: `Instrumentation` (id, limits' header fields, record), `LastResort` (503, 500), then who asks,
which each API has of its own, then `BodyLimit` (415, 413, 408; counts the bytes and trusts no header).
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gather_clients.limits.gcra import LimitState, header_fields
from gather_clients.logs import log_context
from gather_clients.web.error_bodies import error_response
from gather_clients.web.service_errors import (
    BodyTimeoutError,
    ServiceError,
    TooLargeError,
    UnavailableError,
    UnsupportedMediaError,
)

logger = logging.getLogger(__name__)

API: Final = "/api/v1/"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
JSON_TYPE: Final = re.compile(r'application/json\s*(?:;\s*charset="?utf-?8"?\s*)?;?', re.IGNORECASE)
"""JSON between programs is UTF-8. Source: RFC 8259, section 8.1."""

Record = Callable[[Scope, int | None, float], None]
"""Called at a request's end with its status, None if nothing was answered, and how many seconds it took."""
LimitOf = Callable[[Scope], LimitState | None]
"""Returns what an answer says of its caller's limit; None for what has none."""


class Instrumentation:
    """Gives each request an id and has it recorded."""

    def __init__(self, app: ASGIApp, *, record: Record, limit_of: LimitOf) -> None:
        self._app = app
        self._record = record
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        watched = _WatchedSend(send, identity, scope, self._limit_of)
        started = time.perf_counter()
        with log_context(request_id=identity):
            try:
                await self._app(scope, receive, watched)
            finally:
                self._record(scope, watched.status, time.perf_counter() - started)


class LastResort:
    """Lets so many requests in at once, and turns an unexpected error into a 500."""

    def __init__(self, app: ASGIApp, *, max_requests: int) -> None:
        """`max_requests` to the API are under way at once; further ones get 503."""
        self._app = app
        self._max_requests = max_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_answered = False

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        self._under_way += 1
        try:
            self._require_room(scope["path"])
            await self._app(scope, receive, noted)
        except Exception as failure:
            known = failure if isinstance(failure, ServiceError) else ServiceError("Internal server error")
            if known is not failure:
                logger.exception("request failed")
            if not is_answered:
                await error_response(known, close=True)(scope, receive, send)
        finally:
            self._under_way -= 1

    def _require_room(self, path: str) -> None:
        if self._under_way > self._max_requests and path.startswith(API):
            raise UnavailableError(retry_after_s=1)


class _WatchedSend:
    """A `send` that remembers the status and adds the request's id and the state of the caller's limit."""

    def __init__(self, send: Send, identity: str, scope: Scope, limit_of: LimitOf) -> None:
        self._send = send
        self._identity = identity
        self._scope = scope
        self._limit_of = limit_of
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._identity
            headers.setdefault("Cache-Control", "no-store")
            if (limit := self._limit_of(self._scope)) is not None:
                headers.update(header_fields(limit, time.time()))
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)


class BodyLimit:
    """Reads a whole JSON body, of limited length and within limited time, and passes it on.

    `held_max_bytes` are those of all requests under way together; more gets 503. Requests to other paths and
    with other methods get no body: the router refuses them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        endpoints: Collection[str],
        max_bytes: int,
        timeout_s: float,
        held_max_bytes: int | None = None,
    ) -> None:
        self._app = app
        self._endpoints = frozenset(endpoints)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._held_max_bytes = held_max_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._endpoints:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            try:
                is_whole = await self._read(Headers(scope=scope), receive, body)
            except ServiceError as failure:
                # The server discards the rest of a body once it has answered; closing at once would reset the
                # connection under a caller that still sends, and the answer would be lost.
                response = error_response(failure, close=isinstance(failure, BodyTimeoutError))
                await response(scope, receive, send)
                return
            if is_whole:
                await self._app(scope, _replayed(bytes(body), receive), send)
        finally:
            self._held_bytes -= len(body)

    async def _read(self, headers: Headers, receive: Receive, body: bytearray) -> bool:
        """Fill `body`; return whether all of it came."""
        is_json = JSON_TYPE.fullmatch(headers.get("content-type", "").strip())
        if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaError
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise TooLargeError(self._max_bytes)
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return False
                    self._take(message.get("body", b""), body)
                    if not message.get("more_body", False):
                        return True
        except TimeoutError:
            raise BodyTimeoutError from None

    def _take(self, part: bytes, body: bytearray) -> None:
        body += part
        self._held_bytes += len(part)
        if len(body) > self._max_bytes:
            raise TooLargeError(self._max_bytes)
        if self._held_max_bytes is not None and self._held_bytes > self._held_max_bytes:
            raise UnavailableError(retry_after_s=1)


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
