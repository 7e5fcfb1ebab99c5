"""Kept answers in a real Redis: found again, bounded in time, size and number, and done without."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from dev.service_process import ServiceProcess
from gather_worker.llm import answer_cache
from gather_worker.llm.answer_cache import ENTRY_MAX_BYTES, INDEX, PREFIX, AnswerCache, KeptAnswer, cache_key

RedisWithout = Callable[[str, str], Awaitable[Redis]]
ANSWER = KeptAnswer(text="{}", writer="m/x", reserve_id="r", cost_usd=0.5, tokens_in=10, tokens_out=2)


@pytest.fixture
async def redis(redis_without: RedisWithout) -> Redis:
    """The database, without answers of other tests."""
    return await redis_without(PREFIX, INDEX)


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[AnswerCache]:
    """A cache of one hour."""
    made = AnswerCache(redis_url, timeout_s=2, ttl_s=3600)
    yield made
    await made.close()


def key_of(**changed: object) -> str:
    """Return a key with one part of the question changed."""
    parts = {
        "version": "v1", "schema": {"type": "object"}, "parameters": {"max_tokens": 8}, "scope": "s",
        "model": "m", "messages": [{"role": "user", "content": "hello"}], **changed,
    }  # fmt: skip
    return cache_key(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "v2"}, {"schema": {"type": "array"}}, {"parameters": {"max_tokens": 9}}, {"scope": "t"},
        {"model": "n"}, {"messages": [{"role": "user", "content": "hello "}]}, {"messages": []},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_whatever_can_change_an_answer_changes_its_key(changed: dict[str, object]) -> None:
    """And nothing else does."""
    assert key_of(**changed) != key_of() == key_of()


async def test_an_answer_is_found_again_for_its_time(cache: AnswerCache, redis: Redis) -> None:
    """Whole, with what it came to."""
    assert await cache.get(key_of()) is None
    await cache.put(key_of(), ANSWER)
    assert await cache.get(key_of()) == ANSWER
    assert 3500 < await redis.ttl(key_of()) <= 3600
    assert 3500 < await redis.ttl(INDEX) <= 3600


async def test_the_oldest_answers_go(redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is shared with the events of all runs."""
    monkeypatch.setattr(answer_cache, "ENTRIES_MAX", 3)
    cache = AnswerCache(redis_url, timeout_s=2, ttl_s=3600)
    keys = [key_of(scope=str(number)) for number in range(5)]
    for key in keys:
        await cache.put(key, ANSWER)
    assert [await cache.get(key) is not None for key in keys] == [False, False, True, True, True]
    assert await redis.zcard(INDEX) == 3
    await cache.close()


async def test_a_huge_answer_is_not_kept(cache: AnswerCache, redis: Redis) -> None:
    """Longer than ten notes at their greatest length."""
    await cache.put(key_of(), ANSWER.model_copy(update={"text": "x" * ENTRY_MAX_BYTES}))
    assert await cache.get(key_of()) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"text": 7}'])
async def test_what_is_not_an_answer_is_none(cache: AnswerCache, redis: Redis, text: str) -> None:
    """Another version's, or another program's."""
    await redis.set(key_of(), text)
    assert await cache.get(key_of()) is None


async def test_without_redis_there_is_no_cache(redis_url: str, redis_store: ServiceProcess) -> None:
    """Nothing is raised, and Redis is not asked for a while, so that no request waits for it twice."""
    now = 0.0
    cache = AnswerCache(redis_url, timeout_s=1, ttl_s=60, clock=lambda: now)
    with redis_store.absent():
        await cache.put(key_of(), ANSWER)
        assert await cache.get(key_of()) is None
    await cache.put(key_of(), ANSWER)
    assert await cache.get(key_of()) is None
    now = answer_cache.QUIET_S
    await cache.put(key_of(), ANSWER)
    assert await cache.get(key_of()) == ANSWER
    await cache.close()
