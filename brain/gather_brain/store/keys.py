"""API keys in Neo4j: only their hashes, with the projects that each may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gather_brain.limits.policy import LimitName, read_limit, write_limit
from gather_brain.store.cypher import key_queries
from gather_brain.store.database import Database, time_text
from gather_clients.limits.gcra import Policy


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept; `projects` is ("*",) for a service key, `limits` are its own."""

    id: str
    name: str
    sha256: str
    projects: tuple[str, ...]
    limits: Mapping[LimitName, Policy] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as `keys list` shows it; times are ISO 8601 in UTC."""

    id: str
    name: str
    projects: tuple[str, ...]
    created_at: str
    revoked_at: str | None
    expires_at: str | None
    limits: tuple[str, ...]


class KeyStore:
    """Creates, finds, lists and revokes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, key: StoredKey) -> None:
        """Keep a new key's hash and what it may do."""
        await self._database.write(
            "key_create",
            key_queries.CREATE_KEY,
            id=key.id,
            name=key.name,
            sha256=key.sha256,
            projects=list(key.projects),
            limits=[write_limit(name, policy) for name, policy in key.limits.items()],
            expires_at=None if key.expires_at is None else time_text(key.expires_at),
            now=time_text(datetime.now(UTC)),
        )

    async def find(self, sha256: str) -> StoredKey | None:
        """Return the key with that hash, or None if there is none or it is revoked; it may have expired."""
        rows = await self._database.read("key_find", key_queries.FIND_KEY, sha256=sha256)
        if not rows:
            return None
        row = rows[0]
        expires_at = None if row["expiresAt"] is None else datetime.fromisoformat(row["expiresAt"])
        limits = dict(map(read_limit, row["limits"]))
        return StoredKey(row["id"], row["name"], row["sha256"], tuple(row["projects"]), limits, expires_at)

    async def list(self) -> list[ListedKey]:
        """Return all keys, oldest first."""
        rows = await self._database.read("key_list", key_queries.LIST_KEYS)
        return [
            ListedKey(
                id=row["id"],
                name=row["name"],
                projects=tuple(row["projects"]),
                created_at=row["createdAt"],
                revoked_at=row["revokedAt"],
                expires_at=row["expiresAt"],
                limits=tuple(row["limits"]),
            )
            for row in rows
        ]

    async def revoke(self, key_id: str) -> bool:
        """Make a key invalid from now on; False if there is no such key."""
        return bool(
            await self._database.write(
                "key_revoke", key_queries.REVOKE_KEY, id=key_id, now=time_text(datetime.now(UTC))
            )
        )
