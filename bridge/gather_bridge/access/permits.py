"""Judges tokens, at the door and for as long as somebody listens with one.

Tokens of the file are known; those of the store are looked up by their hash and known for a few seconds.
Whoever listens is asked about again every `WATCH_S`, all in one look-up: revoking takes effect within 5 s.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from gather_bridge.access.proxy_users import ProxyUsers
from gather_bridge.access.token_file import TOKEN_MAX, Rights, Token, Verdict, read_tokens
from gather_bridge.access.token_store import StoredToken, is_well_formed
from gather_bridge.errors import SocketRefused, TokensFileError
from gather_bridge.watched_file import WatchedFile
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import secret_hash

logger = logging.getLogger(__name__)

RELOAD_INTERVAL_S: Final = 2
"""Between two looks at the file."""
WATCH_S: Final = 1.0
"""Between two looks at those who listen; with a look-up's time, and this one's, less than 5 s."""
KNOWN_S: Final = 2.0
"""A looked-up token is asked about again after this time."""
KNOWN_MAX: Final = 4096
DIGEST_LENGTH: Final = len(secret_hash(""))
LOOK_UPS_MAX: Final = 4
"""At once: anybody can make up a well-formed token."""


class Finder(Protocol):
    """Where stored tokens are looked up."""

    async def find(self, hashes: Iterable[str]) -> Mapping[str, StoredToken | None]:
        """Return the tokens with these hashes; raises EventLogUnavailable."""


class Ends(Protocol):
    """Where it is known which sessions have ended."""

    async def ended(self, ids: Collection[str]) -> frozenset[str]:
        """Return which of these are no longer there; raises EventLogUnavailable."""


@dataclass(frozen=True, slots=True)
class _Held:
    digest: str
    project_id: str
    session: str
    end: Callable[[], None]


class Access:
    """Judges every handshake, and everybody who listens."""

    def __init__(
        self,
        path: Path,
        *,
        allow_anonymous: bool,
        store: Finder | None = None,
        users: ProxyUsers | None = None,
        sessions: Ends | None = None,
        is_file_needed: bool = True,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` counts seconds. Raises TokensFileError, also if nobody could ever connect."""
        self._path = path
        self._allow_anonymous = allow_anonymous
        self._store = store
        self._users = users
        self._sessions = sessions
        self._clock = clock
        self._now = now
        self._file = WatchedFile(path, RELOAD_INTERVAL_S, clock)
        self._listed: dict[str, Rights] = {}
        self._found: OrderedDict[str, tuple[float, StoredToken | None]] = OrderedDict()
        self._look_ups = asyncio.Semaphore(LOOK_UPS_MAX)
        self._held: dict[object, _Held] = {}
        if self._file.is_there or (is_file_needed and not allow_anonymous):
            self._take(read_tokens(path))
        if not (self._listed or allow_anonymous or store):
            raise TokensFileError(
                "GATHER_BRIDGE_TOKENS_FILE: the tokens file names nobody: add {name, sha256, projects}, "
                "or set GATHER_BRIDGE_ALLOW_ANONYMOUS=true to let everyone listen"
            )

    def digest(self, token: str | None) -> str:
        """Return the form in which a token is known here: "" without one, "?" for what is no token."""
        if token is None:
            return ""
        return secret_hash(token) if len(token) <= TOKEN_MAX else "?"

    async def learn(self, digest: str, token: str | None = None) -> None:
        """Look a token up unless it is known; raises SocketRefused if that is not possible now.

        `token` is its text where it came from outside: one that we did not make is not looked up.
        """
        self._reload_if_changed()
        if self._store is None or len(digest) != DIGEST_LENGTH or digest in self._listed:
            return
        if token is not None and not is_well_formed(token):
            return
        known = self._found.get(digest)
        if known is not None and known[0] > self._clock():
            return
        try:
            async with self._look_ups:
                await self._look_up([digest])
        except EventLogUnavailable:
            if known is None:
                logger.warning("tokens cannot be looked up: Redis is unavailable")
                raise SocketRefused(503, "unavailable", "tokens cannot be checked now; try again") from None

    def verdict(self, token: str | None, project_id: str) -> Verdict:
        """Return what the token may do now, as far as it is known."""
        return self.verdict_of(self.digest(token), project_id)

    def verdict_of(self, digest: str, project_id: str) -> Verdict:
        """Return what the token with this digest may do now."""
        if not digest:
            return Verdict.ALLOWED if self._allow_anonymous else Verdict.UNKNOWN
        rights = self.rights_of(digest)
        if rights is None:
            return Verdict.UNKNOWN
        return Verdict.ALLOWED if rights.opens(project_id) else Verdict.OTHER_PROJECT

    def rights_of(self, digest: str) -> Rights | None:
        """Return what a token or a signed-in person may do now, None if it is none of ours."""
        self._reload_if_changed()
        if self._users is not None and (rights := self._users.rights(digest)) is not None:
            return rights
        return self._listed.get(digest) or self._stored_rights(digest)

    @contextmanager
    def held(
        self, digest: str, project_id: str, end: Callable[[], None], session: str = ""
    ) -> Iterator[None]:
        """Have `end` called as soon as the token no longer allows the project, until the block ends.

        Or as soon as the session with this id has ended.
        """
        key = object()
        self._held[key] = _Held(digest, project_id, session, end)
        try:
            yield
        finally:
            del self._held[key]

    async def watch(self) -> None:
        """Look after those who listen, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.look_again()
            except EventLogUnavailable as error:
                # Nobody can revoke one now either; without Redis there is nothing to hear.
                logger.info("tokens cannot be looked up", extra={"error": str(error)[:300]})

    async def look_again(self) -> None:
        """End what a token no longer allows; raises EventLogUnavailable where it cannot be known."""
        self._reload_if_changed()
        ended: frozenset[str] = frozenset()
        try:
            digests = {held.digest for held in self._held.values()}
            await self._look_up([d for d in digests if len(d) == DIGEST_LENGTH and d not in self._listed])
            sessions = {held.session for held in self._held.values() if held.session}
            ended = await self._sessions.ended(sessions) if self._sessions is not None else ended
        finally:
            for held in tuple(self._held.values()):
                is_allowed = self.verdict_of(held.digest, held.project_id) is Verdict.ALLOWED
                if not is_allowed or held.session in ended:
                    held.end()

    async def _look_up(self, digests: list[str]) -> None:
        if self._store is None or not digests:
            return
        # Counted from the question, not from the answer: a revocation may have come between.
        until_s = self._clock() + KNOWN_S
        for digest, token in (await self._store.find(digests)).items():
            self._found[digest] = (until_s, token)
            self._found.move_to_end(digest)
        held = {each.digest for each in self._held.values()} if len(self._found) > KNOWN_MAX else set()
        for digest in tuple(self._found):
            if len(self._found) <= KNOWN_MAX:
                break
            if digest not in held:
                del self._found[digest]

    def _stored_rights(self, digest: str) -> Rights | None:
        token = self._found.get(digest, (0.0, None))[1]
        if token is None or token.sha256 != digest or not token.is_valid(self._now()):
            return None
        return Rights.of(token.projects, may_cancel=token.cancel)

    def _take(self, tokens: list[Token]) -> None:
        self._listed = {t.sha256: Rights.of(t.projects, may_cancel=t.cancel) for t in tokens}

    def _reload_if_changed(self) -> None:
        if not self._file.has_changed():
            return
        try:
            self._take(read_tokens(self._path))
            logger.info("tokens file read again", extra={"tokens": len(self._listed)})
        except TokensFileError as error:
            logger.warning(
                "tokens file not read again; the tokens read before stay valid", extra={"error": str(error)}
            )
