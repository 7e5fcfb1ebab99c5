"""From a key to the projects that it may use: the only way to a `ProjectRepository`."""

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from gather_brain.auth.api_keys import BootstrapKey, is_well_formed
from gather_brain.embeddings.slots import Place
from gather_brain.errors import NotFoundError, UnauthorizedError, UnavailableError
from gather_brain.limits.policy import DEFAULTS, LimitName
from gather_brain.store.database import Database
from gather_brain.store.keys import StoredKey
from gather_brain.store.repository import ProjectRepository
from gather_clients.issued_secrets import ALL_PROJECTS, secret_hash
from gather_clients.limits.gcra import Policy

logger = logging.getLogger(__name__)

CACHE_S: Final = 3.0
"""How long a looked-up key is cached: revoking takes effect within it (5 s are promised)."""
CACHE_MAX: Final = 4096
"""Valid keys, and unknown ones in a cache of their own; the oldest are dropped, so that a flood of unknown
keys neither grows memory nor evicts valid ones."""
LOOK_UPS_MAX: Final = 4
"""Concurrent look-ups, of Neo4j's 20 connections: anybody can make up well-formed keys."""
LOOK_UP_WAIT_S: Final = 1.0
"""Hundreds of look-ups fit in it, unless Neo4j is unavailable."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key, its projects and its limits."""

    key_id: str
    projects: frozenset[str]
    limits: Mapping[LimitName, Policy] = field(default_factory=dict)
    expires_at: datetime | None = None

    def policy(self, name: LimitName) -> Policy:
        """Return the key's own limit, or the default."""
        return self.limits.get(name, DEFAULTS[name])

    def names(self, project_id: str) -> bool:
        """Return whether the key is for this project by name: to it the project is there, if empty."""
        return project_id in self.projects

    def require(self, project_id: str) -> None:
        """Check that the key may use a project.

        Raises:
            NotFoundError: it may not; the same as for a project that does not exist.
        """
        if ALL_PROJECTS not in self.projects and project_id not in self.projects:
            logger.warning("project refused", extra={"key_id": self.key_id})
            raise NotFoundError

    def open(self, database: Database, project_id: str, place: Place) -> ProjectRepository:
        """Return the project's repository, searched by the vectors in `place`; errors as for `require`."""
        self.require(project_id)
        return ProjectRepository(database, project_id, place, is_named=self.names(project_id))


_Cached = tuple[float, Principal | None]
"""Until when it is valid, and whose key it is."""


class KeyFinder(Protocol):
    """A store of keys by their hash."""

    async def find(self, sha256: str) -> StoredKey | None:
        """Return the key that is valid now, or None."""


class KeyRing:
    """The keys of the keys file, and those in the store as of the last few seconds."""

    def __init__(
        self,
        bootstrap: Sequence[BootstrapKey],
        store: KeyFinder,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._bootstrap = {
            key.sha256: Principal(f"file:{key.name}", _lower(key.projects), key.limits, key.expires_at)
            for key in bootstrap
        }
        self._store = store
        self._clock = clock
        self._now = now
        self._valid: OrderedDict[str, _Cached] = OrderedDict()
        self._unknown: OrderedDict[str, _Cached] = OrderedDict()
        self._look_ups = asyncio.Semaphore(LOOK_UPS_MAX)

    async def principal_of(self, key: str | None) -> Principal:
        """Return whose key it is.

        Raises:
            UnauthorizedError: no key, or one that is not valid now.
            UnavailableError: the store of keys is unavailable.
        """
        principal = None if key is None else await self._find(key)
        if principal is None or (principal.expires_at is not None and principal.expires_at <= self._now()):
            raise UnauthorizedError
        return principal

    async def _find(self, key: str) -> Principal | None:
        sha256 = secret_hash(key)
        for known, principal in self._bootstrap.items():
            if hmac.compare_digest(known, sha256):
                return principal
        if not is_well_formed(key):
            return None
        cached = self._cached(sha256)
        if cached is None:
            try:
                async with asyncio.timeout(LOOK_UP_WAIT_S):
                    await self._look_ups.acquire()
            except TimeoutError:
                raise UnavailableError from None
            try:
                # Another request may have looked up the same key meanwhile.
                cached = self._cached(sha256) or await self._look_up(sha256)
            finally:
                self._look_ups.release()
        return cached[1]

    def _cached(self, sha256: str) -> _Cached | None:
        cached = self._valid.get(sha256) or self._unknown.get(sha256)
        return cached if cached is not None and cached[0] > self._clock() else None

    async def _look_up(self, sha256: str) -> _Cached:
        # Counted from the query, not from its answer: a revocation may have come between.
        until = self._clock() + CACHE_S
        stored = await self._store.find(sha256)
        principal = None
        if stored is not None and hmac.compare_digest(stored.sha256, sha256):
            principal = Principal(stored.id, _lower(stored.projects), stored.limits, stored.expires_at)
        self._valid.pop(sha256, None)
        self._unknown.pop(sha256, None)
        cache = self._unknown if principal is None else self._valid
        cache[sha256] = (until, principal)
        if len(cache) > CACHE_MAX:
            cache.popitem(last=False)
        return until, principal


def _lower(projects: Sequence[str]) -> frozenset[str]:
    return frozenset(project.lower() for project in projects)
