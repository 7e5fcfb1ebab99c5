"""The script that counts limits in a real Redis, past any brain."""

import asyncio
import secrets

from redis.asyncio import Redis

from gather_clients.limits.gcra import Policy
from gather_clients.limits.redis_buckets import RedisBuckets

KEY_PREFIX = "a-room:limit:"


async def test_the_script_admits_exactly_the_burst_however_many_ask(redis_url: str, redis: Redis) -> None:
    """Atomic, from several clients at once; the key goes when its backlog does."""
    policy, bucket = Policy(per_minute=1, burst=37), secrets.token_hex(8)
    clients = [RedisBuckets(redis_url, timeout_s=30, prefix=KEY_PREFIX) for _ in range(2)]
    try:
        states = await asyncio.gather(*(clients[turn % 2].charge(bucket, policy) for turn in range(80)))
    finally:
        for client in clients:
            await client.close()
    admitted = sorted(state.available for state in states if state.admitted)
    assert admitted == list(range(37))
    assert all(state.available == 0 for state in states if not state.admitted)
    life_ms = await redis.pttl(KEY_PREFIX + bucket)
    assert 0 < life_ms <= policy.capacity_us // 1000


async def test_a_bucket_that_is_free_again_leaves_nothing_in_redis(redis_url: str, redis: Redis) -> None:
    """A caller that names many projects fills nothing up."""
    buckets, bucket = RedisBuckets(redis_url, timeout_s=30, prefix=KEY_PREFIX), secrets.token_hex(8)
    try:
        assert (await buckets.charge(bucket, Policy(per_minute=6000, burst=1))).admitted
    finally:
        await buckets.close()
    while await redis.exists(KEY_PREFIX + bucket):
        pass
