"""Verdicts on pairs in a real Redis: found again by their project alone, bounded, and done without."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from dev.service_process import ServiceProcess
from gather_worker.services import verdict_cache
from gather_worker.services.verdict_cache import INDEX, PREFIX, VerdictCache

PROJECT, OTHER = "a" * 24, "b" * 24
SAID = {"k1": True, "k2": False}
NewCache = Callable[..., VerdictCache]
RedisWithout = Callable[[str, str], Awaitable[Redis]]


@pytest.fixture
async def redis(redis_without: RedisWithout) -> Redis:
    """The database, without verdicts of other tests."""
    return await redis_without(PREFIX, INDEX)


@pytest.fixture
async def new_cache(redis_url: str) -> AsyncIterator[NewCache]:
    """Caches of one hour."""
    made: list[VerdictCache] = []

    def new(project_id: str = PROJECT) -> VerdictCache:
        made.append(VerdictCache(redis_url, timeout_s=2, ttl_s=3600, project_id=project_id))
        return made[-1]

    yield new
    for each in made:
        await each.close()


async def test_a_verdict_is_found_again_for_its_time(new_cache: NewCache, redis: Redis) -> None:
    """By its own project."""
    await new_cache().put(SAID)
    assert await new_cache().get(["k1", "k2", "k3"]) == SAID
    assert await new_cache().get([]) == {}
    assert await new_cache(OTHER).get(["k1", "k2"]) == {}
    assert 3500 < await redis.ttl(f"{PREFIX}{PROJECT}:k1") <= 3600


async def test_the_oldest_verdicts_go(
    new_cache: NewCache, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is shared with the events of all runs."""
    monkeypatch.setattr(verdict_cache, "ENTRIES_MAX", 3)
    cache = new_cache()
    for number in range(5):
        await cache.put({f"k{number}": True})
    assert sorted(await cache.get([f"k{number}" for number in range(5)])) == ["k2", "k3", "k4"]
    assert await redis.zcard(INDEX) == 3


@pytest.mark.parametrize(
    "text", ["", "true", "10", "\x00", "1" * 10_000], ids=["empty", "a word", "10", "a byte", "long"]
)
async def test_what_is_no_verdict_is_none(new_cache: NewCache, redis: Redis, text: str) -> None:
    """Another version's, or another program's; the others are read."""
    cache = new_cache()
    await cache.put(SAID)
    await redis.set(f"{PREFIX}{PROJECT}:k1", text)
    await redis.lpush(f"{PREFIX}{PROJECT}:k3", "1")
    assert await cache.get(["k1", "k2", "k3"]) == {"k2": False}


async def test_without_redis_there_are_no_verdicts(
    new_cache: NewCache, redis: Redis, redis_store: ServiceProcess
) -> None:
    """Nothing is raised."""
    cache = new_cache()
    with redis_store.absent():
        await cache.put(SAID)
        assert await cache.get(list(SAID)) == {}
