"""The script that counts limits in a real Redis, past any brain."""

import asyncio
import secrets

from redis.asyncio import Redis

from gather_brain.limits.policy import Policy
from gather_brain.limits.redis_buckets import KEY_PREFIX, RedisAccounts


async def test_the_script_admits_exactly_the_burst_however_many_ask(redis_url: str, redis: Redis) -> None:
    """Atomic, from several clients at once; the key goes when its backlog does."""
    policy, account = Policy(per_minute=1, burst=37), secrets.token_hex(8)
    clients = [RedisAccounts(redis_url, timeout_s=30) for _ in range(2)]
    try:
        standings = await asyncio.gather(*(clients[turn % 2].charge(account, policy) for turn in range(80)))
    finally:
        for client in clients:
            await client.close()
    admitted = sorted(standing.available for standing in standings if standing.admitted)
    assert admitted == list(range(37))
    assert all(standing.available == 0 for standing in standings if not standing.admitted)
    life_ms = await redis.pttl(KEY_PREFIX + account)
    assert 0 < life_ms <= policy.capacity_us // 1000


async def test_an_account_that_is_free_again_leaves_nothing_in_redis(redis_url: str, redis: Redis) -> None:
    """Whoever names many projects fills nothing up."""
    accounts, account = RedisAccounts(redis_url, timeout_s=30), secrets.token_hex(8)
    try:
        assert (await accounts.charge(account, Policy(per_minute=6000, burst=1))).admitted
    finally:
        await accounts.close()
    while await redis.exists(KEY_PREFIX + account):
        pass
