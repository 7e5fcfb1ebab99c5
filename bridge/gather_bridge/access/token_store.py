"""Tokens made by `gather-bridge tokens`, in Redis by their hash, where every bridge sees them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gather_bridge.access.token_file import Projects
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import is_issued, new_secret
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names

PREFIX: Final = "gbt_"
"""Secret scanners find tokens by it."""
TOKENS_MAX: Final = 10_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StoredToken(BaseModel):
    """A token as it is kept; not itself, only its hash."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    sha256: Sha256
    projects: Projects
    cancel: bool = False
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_token() -> str:
    """Return a new token."""
    return new_secret(PREFIX)


def is_well_formed(token: str) -> bool:
    """Return whether it could come from `new_token`: others are not looked up."""
    return is_issued(token, PREFIX)


class TokenStore:
    """Reads and changes the stored tokens; each call raises EventLogUnavailable."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float) -> None:
        """`timeout_s` is for each call."""
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)

    async def find(self, hashes: Iterable[str]) -> Mapping[str, StoredToken | None]:
        """Return the tokens with these hashes, None for those that are not there."""
        asked = list(hashes)
        if not asked:
            return {}
        found = await self._calls.call(cast("Any", self._redis.hmget(self._key(names.BRIDGE_TOKENS), asked)))
        return {sha256: _read(text) for sha256, text in zip(asked, found, strict=True)}

    async def all(self) -> list[StoredToken]:
        """Return every token, the oldest first; one that cannot be read is left out."""
        found = await self._calls.call(cast("Any", self._redis.hvals(self._key(names.BRIDGE_TOKENS))))
        tokens = [token for text in found if (token := _read(text)) is not None]
        return sorted(tokens, key=lambda token: (token.created_at, token.id))

    async def put(self, token: StoredToken) -> None:
        """Keep a token."""
        text = token.model_dump_json()
        await self._calls.call(
            cast("Any", self._redis.hset(self._key(names.BRIDGE_TOKENS), token.sha256, text))
        )

    async def revoke(self, token_id: str) -> bool:
        """Revoke a token, also once more; return False if there is none with this id."""
        for token in await self.all():
            if token.id == token_id:
                if token.revoked_at is None:
                    await self.put(token.model_copy(update={"revoked_at": datetime.now(UTC)}))
                return True
        return False

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()


def _read(text: bytes | None) -> StoredToken | None:
    try:
        return None if text is None else StoredToken.model_validate_json(text)
    except ValidationError:
        return None
