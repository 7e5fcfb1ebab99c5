"""API keys in Neo4j: only their hashes, with the projects that each may use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gather_brain.store.cypher import keys as key_queries
from gather_brain.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept; `projects` is ("*",) for a service key."""

    id: str
    name: str
    sha256: str
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as `keys list` shows it; times are ISO 8601 in UTC."""

    id: str
    name: str
    projects: tuple[str, ...]
    created_at: str
    revoked_at: str | None


class KeyStore:
    """Creates, finds, lists and revokes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, key_id: str, name: str, sha256: str, projects: Sequence[str]) -> None:
        """Keep a new key's hash."""
        await self._database.write(
            "key_create",
            key_queries.CREATE_KEY,
            id=key_id,
            name=name,
            sha256=sha256,
            projects=list(projects),
            now=_now(),
        )

    async def find(self, sha256: str) -> StoredKey | None:
        """Return the key with that hash, or None if there is none or it is revoked."""
        rows = await self._database.read("key_find", key_queries.FIND_KEY, sha256=sha256)
        if not rows:
            return None
        row = rows[0]
        return StoredKey(row["id"], row["name"], row["sha256"], tuple(row["projects"]))

    async def list(self) -> list[ListedKey]:
        """Return all keys, the oldest first."""
        rows = await self._database.read("key_list", key_queries.LIST_KEYS)
        return [
            ListedKey(row["id"], row["name"], tuple(row["projects"]), row["createdAt"], row["revokedAt"])
            for row in rows
        ]

    async def revoke(self, key_id: str) -> bool:
        """Make a key invalid from now on; False if there is no such key."""
        return bool(await self._database.write("key_revoke", key_queries.REVOKE_KEY, id=key_id, now=_now()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
