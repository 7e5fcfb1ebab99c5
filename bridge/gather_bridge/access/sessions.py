"""Browsers' sessions: what a person's token or ticket is exchanged for, so that no page holds a token.

A session is kept in Redis by the hash of its cookie, where every bridge finds it. It counts as the token that
it came from: once that is revoked, the session opens nothing, and what it holds open ends with either.
"""

import secrets
from collections.abc import Collection
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gather_bridge.access.tickets import RANDOM_BYTES, TICKET_MAX
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import secret_hash
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names

COOKIE: Final = "gather-session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"
"""Over TLS: browsers take it from this host alone, so that no neighbour in its domain can set one."""
SESSION_S: Final = 12 * 3600
"""A working day."""


class Session(BaseModel):
    """What a cookie stands for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    """Of its token."""
    project_id: str | None = None
    """The only project that it opens; None: all that its token opens."""
    id: str = ""
    """The cookie's hash; "" where no cookie stands for it."""


class Sessions:
    """Begins, finds and ends sessions; each call raises EventLogUnavailable."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float) -> None:
        """`timeout_s` is for each call."""
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)

    async def begin(self, session: Session) -> str:
        """Return the cookie of a new session."""
        text = secrets.token_urlsafe(RANDOM_BYTES)
        await self._calls.call(self._redis.set(self._at(text), session.model_dump_json(), ex=SESSION_S))
        return text

    async def find(self, text: str | None) -> Session | None:
        """Return what the cookie stands for, None if it is unknown or too old."""
        if not text or len(text) > TICKET_MAX:
            return None
        body = await self._calls.call(cast("Any", self._redis.get(self._at(text))))
        try:
            found = None if body is None else Session.model_validate_json(body)
        except ValidationError:
            return None
        return found and found.model_copy(update={"id": secret_hash(text)})

    async def ended(self, ids: Collection[str]) -> frozenset[str]:
        """Return which of these sessions are no longer there."""
        asked = list(ids)
        if not asked:
            return frozenset()
        keys = [self._key(names.bridge_session(each)) for each in asked]
        found = await self._calls.call(cast("Any", self._redis.mget(keys)))
        return frozenset(each for each, body in zip(asked, found, strict=True) if body is None)

    async def end(self, text: str | None) -> None:
        """Forget the session; twice is no error."""
        if text and len(text) <= TICKET_MAX:
            await self._calls.call(cast("Any", self._redis.delete(self._at(text))))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    def _at(self, text: str) -> str:
        return self._key(names.bridge_session(secret_hash(text)))


def _is_secure(connection: HTTPConnection) -> bool:
    return connection.url.scheme in {"https", "wss"}


def cookie_of(connection: HTTPConnection) -> str | None:
    """Return the session's cookie that came with a request, None if none did."""
    return connection.cookies.get(SECURE_COOKIE if _is_secure(connection) else COOKIE)


def set_cookie(response: Response, request: HTTPConnection, text: str) -> None:
    """Give the browser its session, or with "" take it away; no script reads it, no other site sends it."""
    response.set_cookie(
        SECURE_COOKIE if _is_secure(request) else COOKIE,
        text,
        max_age=SESSION_S if text else 0,
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
