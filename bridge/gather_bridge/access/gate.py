"""The way in, for every address of a project: origin, ticket, token or session; strangers learn nothing."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from gather_bridge.access.permits import Access
from gather_bridge.access.proxy_users import ProxyUsers
from gather_bridge.access.sessions import Session, Sessions, cookie_of
from gather_bridge.access.tickets import Ticket, Tickets
from gather_bridge.access.token_file import (
    Verdict,
    bearer_token,
    is_origin_allowed,
    is_own_origin,
    ticket_of,
)
from gather_bridge.errors import SocketRefused
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import secret_hash
from gather_clients.web.strangers import log_stranger
from gather_contracts.names import OBJECT_ID_PATTERN

_PROJECT: Final = re.compile(OBJECT_ID_PATTERN)

UNAUTHORIZED: Final = (
    "send a token as Authorization: Bearer <token>; a WebSocket also takes a ticket as the subprotocol "
    "gather.ticket.<ticket>"
)
TICKET_SPENT: Final = "the ticket is unknown, used or too old: get another one"


@dataclass(frozen=True, slots=True)
class Grant:
    """Which project a client may use, and by what."""

    project_id: str
    """In lower case."""
    sha256: str
    """Of its token; "" for an anonymous client."""
    session: str = ""
    """The id of the session that it came by; "": by none."""


class Gate:
    """Lets requests in."""

    def __init__(
        self,
        access: Access,
        tickets: Tickets,
        allowed_origins: Collection[str],
        *,
        sessions: Sessions | None = None,
        users: ProxyUsers | None = None,
    ) -> None:
        """`sessions` is None where no page is served, `users` where no proxy signs people in."""
        self._access = access
        self._tickets = tickets
        self._allowed_origins = allowed_origins
        self._sessions = sessions
        self._users = users

    async def enter(
        self, connection: HTTPConnection, project_id: str, subprotocols: Collection[str] = ()
    ) -> Grant:
        """Return what the client may use; raises SocketRefused. Only a WebSocket has `subprotocols`."""
        if not self._is_origin_allowed(connection):
            raise SocketRefused(403, "origin_not_allowed", "pages of this origin may not connect")
        who = await self._who(connection, project_id, subprotocols)
        verdict = self._access.verdict_of(who.sha256, project_id)
        # Before anything is said about the project, so that strangers learn nothing.
        if verdict is Verdict.UNKNOWN:
            log_stranger(connection.scope, who.sha256)
            raise SocketRefused(401, "unauthorized", UNAUTHORIZED)
        if verdict is Verdict.OTHER_PROJECT:
            raise SocketRefused(404, "not_found", "no such project")
        if not _PROJECT.fullmatch(project_id):
            raise SocketRefused(400, "invalid_request", "projectId must be 24 hexadecimal digits")
        return Grant(project_id.lower(), who.sha256, who.id)

    async def _who(
        self, connection: HTTPConnection, project_id: str, subprotocols: Collection[str]
    ) -> Session:
        token = bearer_token(connection.headers.get("authorization"), subprotocols)
        if token is None and (ticket := ticket_of(subprotocols)) is not None:
            return Session(sha256=await self._redeemed(connection, ticket, project_id))
        if token is None and _may_use_session(connection):
            visitor = await self.visitor(connection)
            if visitor is not None and visitor.project_id in {None, project_id.lower()}:
                return visitor
        sha256 = self._access.digest(token)
        await self._access.learn(sha256, token)
        return Session(sha256=sha256)

    async def visitor(self, connection: HTTPConnection) -> Session | None:
        """Return who looks at the page: a session's holder, whom a proxy names, or anyone if that is set.

        None: they have to sign in first. Raises SocketRefused if that cannot be known now.
        """
        try:
            found = self._sessions and await self._sessions.find(cookie_of(connection))
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "sessions cannot be looked up now; try again") from None
        if found:
            await self._access.learn(found.sha256)
        elif self._users is not None and (digest := self._users.digest(connection)) is not None:
            found = Session(sha256=digest)
        elif self._access.verdict_of("", "") is Verdict.ALLOWED:
            return Session(sha256="")
        return found if found and self._access.rights_of(found.sha256) is not None else None

    async def signed_in(self, token: str | None, ticket: str | None) -> Session | None:
        """Return the session that a token or a ticket is good for, or None; raises SocketRefused."""
        if ticket:
            redeemed = await self._take(ticket)
            found = redeemed and Session(sha256=redeemed.sha256, project_id=redeemed.project_id)
        else:
            found = Session(sha256=self._access.digest(token or "?"))
        if found:
            await self._access.learn(found.sha256, token or None)
        return found if found and found.sha256 and self._access.rights_of(found.sha256) else None

    def _is_origin_allowed(self, connection: HTTPConnection) -> bool:
        if is_origin_allowed(connection.headers.get("origin"), self._allowed_origins):
            return True
        return self._sessions is not None and is_own_origin(connection)

    async def _take(self, text: str) -> Ticket | None:
        try:
            return await self._tickets.redeem(text)
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "tickets cannot be redeemed now; try again") from None

    async def _redeemed(self, connection: HTTPConnection, text: str, project_id: str) -> str:
        ticket = await self._take(text)
        if ticket is None:
            log_stranger(connection.scope, secret_hash(text))
            raise SocketRefused(401, "unauthorized", TICKET_SPENT)
        if ticket.project_id != project_id.lower():
            raise SocketRefused(404, "not_found", "no such project")
        await self._access.learn(ticket.sha256)
        return ticket.sha256


def _may_use_session(connection: HTTPConnection) -> bool:
    """Return whether a browser's session counts here: for what only reads, and asked for by our own pages.

    `SameSite=Strict` keeps the cookie off other sites' requests already.
    """
    is_reading = connection.scope["type"] == "websocket" or connection.scope["method"] == "GET"
    return is_reading and connection.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
