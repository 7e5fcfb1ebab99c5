"""One-use tickets: what a browser's page connects with, so that it never holds a token.

A ticket is kept in Redis by its hash; the bridge that gets it takes it out and so redeems it once.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Final

from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import secret_hash
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names

TICKET_S: Final = 30
"""OWASP's WebSocket cheat sheet asks for short-lived, one-use tickets."""
RANDOM_BYTES: Final = 32
TICKET_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for."""

    project_id: str
    """In lower case; it opens no other."""
    sha256: str
    """Of the token that it came from: once that is revoked, the ticket and its sockets end; "": anonymous."""


class Tickets:
    """Issues and redeems tickets; raises EventLogUnavailable."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float, lifetime_s: int = TICKET_S) -> None:
        """`timeout_s` is for each call."""
        # Never sent twice: the first redeeming may have had its effect.
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s, repeats=0)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self.lifetime_s = lifetime_s

    async def issue(self, ticket: Ticket) -> str:
        """Return a new ticket's text."""
        text = secrets.token_urlsafe(RANDOM_BYTES)
        body = json.dumps({"project_id": ticket.project_id, "sha256": ticket.sha256})
        key = self._key(names.bridge_ticket(secret_hash(text)))
        await self._calls.call(self._redis.set(key, body, ex=self.lifetime_s))
        return text

    async def redeem(self, text: str) -> Ticket | None:
        """Return what the ticket stands for, once; None if it is unknown, used or too old."""
        if len(text) > TICKET_MAX:
            return None
        body = await self._calls.call(self._redis.getdel(self._key(names.bridge_ticket(secret_hash(text)))))
        try:
            return None if body is None else Ticket(**json.loads(body))
        except (ValueError, TypeError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
