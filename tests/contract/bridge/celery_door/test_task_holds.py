"""Messages that are left alone for a while in a queue of a real Redis."""

import uuid
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from gather_bridge.celery_door.celery_settings import BrokerOptions
from gather_bridge.celery_door.task_queue import TAKEN_MAX, TaskQueue
from gather_clients.redis_place import place_of
from gather_contracts import names

ME = "door@test"


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[TaskQueue]:
    """One queue of the test's own; the lease is all doors' of this Redis."""
    name = f"holds-{uuid.uuid4().hex[:8]}"
    made = TaskQueue(place_of(redis_url), 5, (name,), BrokerOptions(), "film")
    with Redis.from_url(redis_url) as redis:
        redis.delete(names.CELERY_LEASE)
        redis.rpush(
            name, *(f'{{"task": "film", "n": {n}, "q": "{name}"}}' for n in range(2 * TAKEN_MAX, -1, -1))
        )
        yield made
        redis.delete(name, names.CELERY_LEASE, names.CELERY_REVOKED)
        for key in redis.scan_iter(f"{names.CELERY_HOLD}*"):
            redis.delete(key)
    await made.close()


async def test_a_task_that_is_held_is_out_of_the_way_until_it_is_revoked(queue: TaskQueue) -> None:
    """However long it is held."""
    for look in range(2):
        found = await queue.peek(ME) or []
        assert len(found) == TAKEN_MAX
        for place, waiting in enumerate(found):
            await queue.hold(waiting, 3600, f"id-{look}-{place}")
    held = found[7]
    due = await queue.peek(ME) or []
    assert len(due) == 1
    await queue.remember_revoked(["id-1-7"])
    assert await queue.peek(ME) == [held, *due]
    await queue.hold(held, 3600)
    assert await queue.peek(ME) == due
