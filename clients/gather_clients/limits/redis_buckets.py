"""Buckets in Redis: one script, one round trip, Redis's clock, and keys that expire."""

from collections.abc import Sequence
from typing import Final

from gather_clients.limits.buckets import BucketsUnavailableError
from gather_clients.limits.gcra import LimitState, Policy, state_of
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of

CHARGE_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local backlog = math.min(math.max((redis.call('GET', KEYS[1]) or now) - now, 0), capacity)
if backlog + interval > capacity then return {0, backlog} end
backlog = backlog + interval
redis.call('SET', KEYS[1], string.format('%.0f', now + backlog), 'PX', math.ceil(backlog / 1000))
return {1, backlog}
"""
LOOK_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local found = {}
for place, key in ipairs(KEYS) do found[place] = (redis.call('GET', key) or now) - now end
return found
"""
"""`gcra.charge`, run where the backlog is. Microseconds since 1970 are exact in Lua's numbers (below 2^53)
but not in their default text form, hence the format."""


class RedisBuckets:
    """Buckets that all replicas with the same Redis charge.

    `timeout_s` is for each call, connecting included; `prefix` keeps one room's buckets apart from another's.
    """

    def __init__(self, where: str | RedisPlace, timeout_s: float, *, prefix: str) -> None:
        self._key = place_of(where).key
        self._prefix = prefix
        redis = connect(where, timeout_s)
        # The error's text may hold the address; its name is enough.
        self._redis = RedisCalls(
            redis, timeout_s, lambda error: BucketsUnavailableError(type(error).__name__)
        )
        self._charge = redis.register_script(CHARGE_SCRIPT)
        self._look = redis.register_script(LOOK_SCRIPT)

    async def charge(self, bucket: str, policy: Policy) -> LimitState:
        """Charge one request.

        Raises:
            BucketsUnavailableError: Redis did not answer in time.
        """
        keys, arguments = [self._key(self._prefix + bucket)], [policy.interval_us, policy.capacity_us]
        admitted, backlog_us = await self._redis.call(self._charge(keys=keys, args=arguments))
        return LimitState(policy, bool(admitted), int(backlog_us))

    async def look(self, buckets: Sequence[tuple[str, Policy]]) -> list[LimitState]:
        """Return the buckets' states and charge nothing; errors as for `charge`."""
        keys = [self._key(self._prefix + bucket) for bucket, _ in buckets]
        found = await self._redis.call(self._look(keys=keys))
        return [
            state_of(policy, int(backlog_us)) for (_, policy), backlog_us in zip(buckets, found, strict=True)
        ]

    async def ping(self) -> None:
        """Return if Redis answers, with the errors of `charge`."""
        await self._redis.call(self._redis.redis.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.close()
