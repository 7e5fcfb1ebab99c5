"""What happens to every request before an endpoint sees it: key, limits, and how it is recorded. Pure ASGI.

Order, from outside: `Instrumentation`, `CrossOrigin` where pages may call, `LastResort`, `Authentication`
(401 before anything is read), `RefusalLimit` (charges requests that reach no project), `BodyLimit`; the
first, the third and the last are of `gather_clients.web.request_frame`.

The project stands in the body, so the endpoint charges its bucket (`Caller.open_project`) and leaves the
bucket's state in the scope; until then the header fields show the key's limit unused.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gather_brain.auth.api_keys import bearer_key
from gather_brain.auth.key_ring import Principal
from gather_brain.errors import RateLimitedError, ServiceError, UnavailableError
from gather_brain.limits.policy import DEFAULTS, limit_of, path_of
from gather_brain.metrics import OTHER, SMALL_BATCH_NODES, Metrics
from gather_clients.issued_secrets import secret_hash
from gather_clients.limits.buckets import Buckets
from gather_clients.limits.gcra import LimitState
from gather_clients.web import docs_routes
from gather_clients.web.error_bodies import error_response
from gather_clients.web.http_protocol import BoundedProtocol
from gather_clients.web.request_frame import API
from gather_clients.web.strangers import log_stranger

logger = logging.getLogger(__name__)

OPEN_PATHS: Final = frozenset(f"/api/v1{path}" for path in docs_routes.PATHS)
"""Documentation needs no key."""


class RequestRecord:
    """Counts and logs each request to a known endpoint, and those to others as one."""

    def __init__(self, metrics: Metrics, endpoints: Sequence[str]) -> None:
        self._metrics = metrics
        self._endpoints = frozenset(endpoints)

    def __call__(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Record one."""
        # All unknown paths share one label, else callers could create metrics without limit.
        endpoint = path_of(scope["path"])
        endpoint = endpoint if endpoint in self._endpoints else OTHER
        self._metrics.request(endpoint, scope["method"], status or 499, seconds)
        state = scope.get("state", {})
        if status == HTTPStatus.OK and 0 < state.get("nodes", 0) <= SMALL_BATCH_NODES:
            self._metrics.small_batch(seconds)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._metrics.limit_exceeded(endpoint)
        if endpoint.startswith(API) or endpoint == OTHER:
            principal: Principal | None = state.get("principal")
            fields = {
                "endpoint": endpoint,
                "method": scope["method"],
                "status": status or 499,
                "duration_ms": round(seconds * 1000, 1),
                "key_id": principal.key_id if principal else None,
            }
            logger.info("request", extra=fields)


def limit_shown(scope: Scope) -> LimitState:
    """Return the state of the caller's limit; for a stranger, documents and probes the usual one unused."""
    found: LimitState | None = scope.get("state", {}).get("limit")
    return found or LimitState(DEFAULTS[limit_of(scope["method"], scope["path"])])


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
            key = bearer_key(Headers(scope=scope).get("authorization"))
            try:
                principal = await self._principal_of(key)
            except UnavailableError as failure:
                logger.warning("keys cannot be looked up: Neo4j is unavailable")
                await error_response(failure)(scope, receive, send)
                return
            except ServiceError as failure:
                log_stranger(scope, secret_hash(key) if key else None)
                await error_response(failure)(scope, receive, send)
                return
            state = scope.setdefault("state", {})
            state["principal"] = principal
            state["limit"] = LimitState(principal.policy(limit_of(scope["method"], scope["path"])))
        await self._app(scope, receive, send)


class LimitedProtocol(BoundedProtocol):
    """The connection's protocol, whose answer to a malformed request shows the usual limit too."""

    def limit_shown(self) -> LimitState:
        """Return the limit of requests that reach no project, unused."""
        return LimitState(DEFAULTS["refused"])


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
