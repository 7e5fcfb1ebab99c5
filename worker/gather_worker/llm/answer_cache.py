"""Good answers of the model, kept in Redis for a while: a question that was paid for is not paid for twice.

Its first use is the crash between an answer and the checkpoint. Only answers that passed their check are
kept, so no failure is. While Redis is unavailable there is no cache, and nothing else changes.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from gather_clients.redis_calls import RedisCalls, connect, trouble
from gather_clients.redis_place import RedisPlace, place_of

ENTRY_MAX_BYTES: Final = 128 * 1024
"""Ten items at their greatest length are 120 KB; a longer answer is not kept."""
ENTRIES_MAX: Final = 2_000
"""Of all runs together; the oldest go. At 5 KB each, as measured with ten notes, 10 MB of Redis."""
PATIENCE_S: Final = 0.5
"""For one call."""
QUIET_S: Final = 30.0
"""How long a Redis that did not answer is not asked, so that it slows no request."""
PREFIX: Final = "gather:llm:answer:"
INDEX: Final = "gather:llm:answers"
"""A sorted set of the kept answers' keys by the time they came, for the bound on their number."""

_LOGGER = logging.getLogger(__name__)


class KeptAnswer(BaseModel):
    """An answer's text, who wrote it, and what it came to under which reserve."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    text: str
    writer: str
    reserve_id: str
    cost_usd: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0


def cache_key(
    model: str,
    messages: Sequence[Mapping[str, str]],
    *,
    version: str,
    schema: Mapping[str, Any],
    parameters: Mapping[str, Any],
    scope: str,
) -> str:
    """Return the name under which a question's answer is kept; whatever could change the answer is in it.

    `scope` sets questions apart that are equal in words and still want answers of their own, such as two
    iterations between which no note was kept.
    """
    parts = [model, version, list(messages), dict(schema), dict(parameters), scope]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{PREFIX}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


class _RedisUnavailable(Exception):  # noqa: N818 - named for what it says
    pass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one kind of kept values may take of Redis; `index` is the key of the list of their keys."""

    index: str
    entries: int
    """Of all runs together; the oldest go."""
    entry_bytes: int
    ttl_s: int


class BoundedCache:
    """Values kept in one Redis, within bounds; without Redis there are none, and nothing else changes.

    A call takes `timeout_s` at most, and `PATIENCE_S`; after one that failed there is none for `QUIET_S`.
    """

    def __init__(
        self,
        redis: str | RedisPlace,
        timeout_s: float,
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = place_of(redis).key
        self._calls = RedisCalls(
            connect(redis, timeout_s, repeats=0),
            min(timeout_s, PATIENCE_S),
            lambda error: _RedisUnavailable(trouble(error)),
        )
        self._bounds = bounds
        self._clock = clock
        self._quiet_until_s = float("-inf")

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under each key, None if there is nothing or Redis is unavailable."""
        if not keys or self._is_quiet:
            return [None] * len(keys)
        try:
            found: list[bytes | None] = await self._calls.call(
                self._calls.redis.mget([self._key(key) for key in keys])
            )
        except _RedisUnavailable as error:
            self._pause(error)
            return [None] * len(keys)
        return found

    async def put(self, values: Mapping[str, str]) -> None:
        """Keep the values by their keys, unless they are too long or Redis is unavailable."""
        fitting = {
            self._key(key): value
            for key, value in values.items()
            if len(value.encode()) <= self._bounds.entry_bytes
        }
        if not fitting or self._is_quiet:
            return
        try:
            await self._calls.call(self._write(fitting))
        except _RedisUnavailable as error:
            self._pause(error)

    async def _write(self, values: Mapping[str, str]) -> None:
        """Store the values, and drop the oldest beyond the bound on their number."""
        redis, bounds, index = self._calls.redis, self._bounds, self._key(self._bounds.index)
        async with redis.pipeline(transaction=True) as pipe:
            for key, value in values.items():
                pipe.set(key, value, ex=bounds.ttl_s)
            pipe.zadd(index, dict.fromkeys(values, time.time()))
            pipe.expire(index, bounds.ttl_s)
            pipe.zcard(index)
            *_, count = await pipe.execute()
        if count > bounds.entries:
            dropped: Any = await redis.zpopmin(index, count - bounds.entries)
            await redis.unlink(*(each for each, _ in dropped))

    @property
    def _is_quiet(self) -> bool:
        return self._clock() < self._quiet_until_s

    def _pause(self, error: Exception) -> None:
        self._quiet_until_s = self._clock() + QUIET_S
        _LOGGER.warning("answers are not kept: %s", error)


class AnswerCache:
    """The answers kept in one Redis, for `ttl_s` seconds each."""

    def __init__(
        self,
        redis: str | RedisPlace,
        timeout_s: float,
        ttl_s: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept = BoundedCache(redis, timeout_s, Bounds(INDEX, ENTRIES_MAX, ENTRY_MAX_BYTES, ttl_s), clock)

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.close()

    async def get(self, key: str) -> KeptAnswer | None:
        """Return the kept answer, None if there is none or Redis is unavailable."""
        (text,) = await self._kept.get([key])
        try:
            return KeptAnswer.model_validate_json(text) if text else None
        except ValidationError:
            return None

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep a good answer, unless it is too long or Redis is unavailable."""
        await self._kept.put({key: answer.model_dump_json()})
