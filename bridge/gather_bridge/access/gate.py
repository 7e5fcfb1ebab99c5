"""The way in, for every address of a project: origin, ticket or token, project; strangers learn nothing."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from gather_bridge.access.permits import Access
from gather_bridge.access.tickets import Tickets
from gather_bridge.access.token_file import Verdict, bearer_token, is_origin_allowed, ticket_of
from gather_bridge.errors import SocketRefused
from gather_clients.event_log import EventLogUnavailable
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


class Gate:
    """Lets requests in."""

    def __init__(self, access: Access, tickets: Tickets, allowed_origins: Collection[str]) -> None:
        self._access = access
        self._tickets = tickets
        self._allowed_origins = allowed_origins

    async def enter(
        self, connection: HTTPConnection, project_id: str, subprotocols: Collection[str] = ()
    ) -> Grant:
        """Return what the client may use; raises SocketRefused. Only a WebSocket has `subprotocols`."""
        if not is_origin_allowed(connection.headers.get("origin"), self._allowed_origins):
            raise SocketRefused(403, "origin_not_allowed", "pages of this origin may not connect")
        sha256 = await self._digest(connection, project_id, subprotocols)
        verdict = self._access.verdict_of(sha256, project_id)
        # Before anything is said about the project, so that strangers learn nothing.
        if verdict is Verdict.UNKNOWN:
            raise SocketRefused(401, "unauthorized", UNAUTHORIZED)
        if verdict is Verdict.OTHER_PROJECT:
            raise SocketRefused(404, "not_found", "no such project")
        if not _PROJECT.fullmatch(project_id):
            raise SocketRefused(400, "invalid_request", "projectId must be 24 hexadecimal digits")
        return Grant(project_id.lower(), sha256)

    async def _digest(
        self, connection: HTTPConnection, project_id: str, subprotocols: Collection[str]
    ) -> str:
        token = bearer_token(connection.headers.get("authorization"), subprotocols)
        if token is None and (ticket := ticket_of(subprotocols)) is not None:
            return await self._redeemed(ticket, project_id)
        sha256 = self._access.digest(token)
        await self._access.learn(sha256, token)
        return sha256

    async def _redeemed(self, text: str, project_id: str) -> str:
        try:
            ticket = await self._tickets.redeem(text)
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "tickets cannot be redeemed now; try again") from None
        if ticket is None:
            raise SocketRefused(401, "unauthorized", TICKET_SPENT)
        if ticket.project_id != project_id.lower():
            raise SocketRefused(404, "not_found", "no such project")
        await self._access.learn(ticket.sha256)
        return ticket.sha256
