"""From a key to the projects that it may use: the one door to a `ProjectRepository`."""

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gather_brain.errors import NotFoundError, UnauthorizedError
from gather_brain.keys import ALL_PROJECTS, BootstrapKey, is_well_formed, key_hash
from gather_brain.store.database import Database
from gather_brain.store.keys import StoredKey
from gather_brain.store.repository import ProjectRepository

logger = logging.getLogger(__name__)

CACHE_S: Final = 3.0
"""How long a key's look-up counts: revoking takes effect within it (5 s are promised)."""
CACHE_MAX: Final = 4096
"""Unknown keys are remembered too; the oldest go, so that a flood of them cannot grow memory."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key and its projects."""

    key_id: str
    projects: frozenset[str]

    def open(self, database: Database, project_id: str, model: str) -> ProjectRepository:
        """Return the project's repository.

        Raises:
            NotFoundError: the key may not use the project; the same as for one that does not exist.
        """
        if ALL_PROJECTS in self.projects or project_id in self.projects:
            return ProjectRepository(database, project_id, model)
        logger.warning("project refused", extra={"key_id": self.key_id})
        raise NotFoundError


class FindsKeys(Protocol):
    """Where keys are kept by their hash."""

    async def find(self, sha256: str) -> StoredKey | None:
        """Return the key that is valid now, or None."""


class KeyRing:
    """Knows the keys of the keys file always, and those in the store as of the last few seconds."""

    def __init__(
        self, bootstrap: Sequence[BootstrapKey], store: FindsKeys, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bootstrap = {
            key.sha256: Principal(f"file:{key.name}", _lower(key.projects)) for key in bootstrap
        }
        self._store = store
        self._clock = clock
        self._found: OrderedDict[str, tuple[float, Principal | None]] = OrderedDict()

    async def principal_of(self, key: str | None) -> Principal:
        """Return who a key stands for.

        Raises:
            UnauthorizedError: no key, or not a valid one.
            UnavailableError: the store of keys is away.
        """
        principal = None if key is None else await self._known(key)
        if principal is None:
            raise UnauthorizedError
        return principal

    async def _known(self, key: str) -> Principal | None:
        sha256 = key_hash(key)
        for known, principal in self._bootstrap.items():
            if hmac.compare_digest(known, sha256):
                return principal
        return await self._stored(sha256) if is_well_formed(key) else None

    async def _stored(self, sha256: str) -> Principal | None:
        now = self._clock()
        until, principal = self._found.get(sha256, (now, None))
        if until > now:
            return principal
        stored = await self._store.find(sha256)
        principal = None
        if stored is not None and hmac.compare_digest(stored.sha256, sha256):
            principal = Principal(stored.id, _lower(stored.projects))
        self._found[sha256] = (now + CACHE_S, principal)
        self._found.move_to_end(sha256)
        while len(self._found) > CACHE_MAX:
            self._found.popitem(last=False)
        return principal


def _lower(projects: Sequence[str]) -> frozenset[str]:
    return frozenset(project.lower() for project in projects)
