"""The broker's lists, and what the doors share beside them, in Redis.

A task stays in its list until its run exists: it is read there, its run is made, and it is taken out by its
bytes. So there are no unacknowledged messages, no visibility time-out, and other tasks' messages are never
touched. One door at a time holds a lease, so that tasks are taken in their order.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gather_bridge.celery_door.celery_settings import BrokerOptions
from gather_clients.redis_calls import RedisCalls, connect, trouble
from gather_clients.redis_place import RedisPlace
from gather_contracts import names

LEASE_MS: Final = 5000
WINDOW: Final = 2000
"""Messages that one look passes over; the next goes on behind them."""
TAKEN_MAX: Final = 100
"""Messages that one look brings."""
MESSAGE_MAX_BYTES: Final = 2**20
"""A longer one is left where it is."""
REVOKED_MAX: Final = 50_000
REVOKED_S: Final = 24 * 3600
"""As many ids as a Celery worker remembers, and for longer than one does (3 h)."""
REQUESTS_S: Final = 30 * 86_400

PEEK: Final = """
local lease, me = KEYS[1], ARGV[1]
local holder = redis.call('GET', lease)
if holder and holder ~= me then return {holder} end
redis.call('SET', lease, me, 'PX', ARGV[2])
local name, window, skip, most, longest, hold, revoked =
  ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
local function is_held(text)
  local id = redis.call('GET', hold .. redis.sha1hex(text))
  return id and (id == '' or not redis.call('ZSCORE', revoked, id))
end
local found, scanned = {}, 0
for i = 2, #KEYS do
  local length = redis.call('TYPE', KEYS[i]).ok == 'list' and redis.call('LLEN', KEYS[i]) or 0
  local place = math.min(length, math.max(skip - scanned, 0))
  scanned = scanned + place
  while place < length and scanned < window + skip do
    local chunk = redis.call('LRANGE', KEYS[i], -(place + 50), -(place + 1))
    for j = #chunk, 1, -1 do
      local text = chunk[j]
      if #text <= longest
          and (string.find(text, name, 1, true) or not string.find(text, '"task":', 1, true))
          and not is_held(text) then
        found[#found + 1] = i - 2
        found[#found + 1] = text
        if #found >= 2 * most then return {me, scanned, found} end
      end
    end
    place = place + #chunk
    scanned = scanned + #chunk
  end
end
return {me, scanned, found}
"""
"""Renews the lease and returns candidates in the order in which Celery would take them."""

RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class BrokerUnavailable(Exception):  # noqa: N818 - a state, said as one
    """Redis does not answer in time, or refuses."""

    @classmethod
    def because(cls, error: Exception) -> "BrokerUnavailable":
        """Return the error with what is wrong in one sentence."""
        return cls(trouble(error))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message where it lies."""

    queue: str
    key: str
    payload: bytes

    @property
    def digest(self) -> str:
        """Return what tells messages apart."""
        return hashlib.sha1(self.payload, usedforsecurity=False).hexdigest()


class TaskQueue:
    """The lists of some queues, in the order of their priorities."""

    def __init__(
        self, broker: RedisPlace, timeout_s: float, queues: Sequence[str], options: BrokerOptions, task: str
    ) -> None:
        client = connect(broker, timeout_s)
        self._calls = RedisCalls(client, 2 * timeout_s, BrokerUnavailable.because)
        self._key = broker.key
        self._task = task
        self._skip = 0
        first = min(options.priority_steps)
        self._places = [
            (queue, f"{options.global_keyprefix}{queue}" + ("" if step == first else f"{options.sep}{step}"))
            for step in sorted(options.priority_steps)
            for queue in queues
        ]
        self.queues = tuple(queues)

    async def peek(self, me: str) -> list[Waiting] | None:
        """Return waiting messages that may be ours, None if another door has the lease.

        Raises BrokerUnavailable, as every call here does.
        """
        keys = [self._key(names.CELERY_LEASE), *(key for _, key in self._places)]
        limits = [LEASE_MS, self._task, WINDOW, self._skip, TAKEN_MAX, MESSAGE_MAX_BYTES]
        values = [me, *limits, self._key(names.CELERY_HOLD), self._key(names.CELERY_REVOKED)]
        answer = await self._calls.call(self._calls.redis.eval(PEEK, len(keys), *keys, *map(str, values)))
        if len(answer) == 1:
            return None
        _, scanned, found = answer
        # Behind so many messages of others the next look goes on; in front of them nothing is missed, since
        # it begins again at the end.
        self._skip = scanned if not found and scanned >= WINDOW + self._skip else 0
        return [
            Waiting(self._places[place][0], self._places[place][1], payload)
            for place, payload in zip(found[::2], found[1::2], strict=True)
        ]

    async def remove(self, waiting: Waiting) -> bool:
        """Take the message out of its list; return whether it was still there."""
        return bool(await self._calls.call(self._calls.redis.lrem(waiting.key, -1, waiting.payload)))  # type: ignore[arg-type] # bytes are fine

    async def hold(self, waiting: Waiting, seconds: float, task_id: str = "") -> None:
        """Leave the message alone for so long, or until the task of that id is revoked."""
        key = self._key(names.CELERY_HOLD) + waiting.digest
        await self._calls.call(self._calls.redis.set(key, task_id, px=max(int(seconds * 1000), 1)))

    async def release(self, me: str) -> None:
        """Let another door go on at once."""
        key = self._key(names.CELERY_LEASE)
        await self._calls.call(self._calls.redis.eval(RELEASE, 1, key, me))

    async def lengths(self) -> dict[str, int]:
        """Return how many messages wait in each queue, others' too."""
        async with self._calls.redis.pipeline(transaction=False) as pipe:
            for _, key in self._places:
                pipe.llen(key)
            sizes = await self._calls.call(pipe.execute(raise_on_error=False))
        total = dict.fromkeys(self.queues, 0)
        for (queue, _), size in zip(self._places, sizes, strict=True):
            total[queue] += size if isinstance(size, int) else 0
        return total

    async def remember_revoked(self, ids: Iterable[str]) -> None:
        """Remember that these were revoked, whichever task they are of."""
        now, key = time.time(), self._key(names.CELERY_REVOKED)
        scores: dict[Any, Any] = dict.fromkeys(ids, now)
        if not scores:
            return
        async with self._calls.redis.pipeline(transaction=True) as pipe:
            pipe.zadd(key, scores)
            pipe.zremrangebyscore(key, "-inf", now - REVOKED_S)
            pipe.zremrangebyrank(key, 0, -REVOKED_MAX - 1)
            pipe.expire(key, REVOKED_S)
            await self._calls.call(pipe.execute())

    async def revoked_of(self, ids: Sequence[str]) -> set[str]:
        """Return which of these were revoked."""
        if not ids:
            return set()
        scores = await self._calls.call(self._calls.redis.zmscore(self._key(names.CELERY_REVOKED), list(ids)))
        return {task_id for task_id, score in zip(ids, scores, strict=True) if score is not None}

    async def all_revoked(self) -> list[str]:
        """Return all that were revoked, the oldest first."""
        found = await self._calls.call(self._calls.redis.zrange(self._key(names.CELERY_REVOKED), 0, -1))
        return [each.decode("utf-8", "replace") for each in found]

    async def keep_request(self, task_id: str, request: dict[str, Any]) -> None:
        """Keep what a task's end is owed."""
        key = self._key(names.CELERY_REQUESTS)
        async with self._calls.redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, task_id, json.dumps(request))
            pipe.expire(key, REQUESTS_S)
            await self._calls.call(pipe.execute())

    async def request_of(self, task_id: str) -> dict[str, Any] | None:
        """Return what was kept, None if there is nothing that can be read."""
        text = await self._calls.call(self._calls.redis.hget(self._key(names.CELERY_REQUESTS), task_id))
        try:
            request = json.loads(text) if text else None
        except ValueError:
            return None
        return request if isinstance(request, dict) else None

    async def forget_request(self, task_id: str) -> None:
        """Forget it."""
        await self._calls.call(self._calls.redis.hdel(self._key(names.CELERY_REQUESTS), task_id))

    async def tasks_with_requests(self) -> list[str]:
        """Return the ids of the tasks whose end is still owed something."""
        found = await self._calls.call(self._calls.redis.hkeys(self._key(names.CELERY_REQUESTS)))
        return [each.decode("utf-8", "replace") for each in found]

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
