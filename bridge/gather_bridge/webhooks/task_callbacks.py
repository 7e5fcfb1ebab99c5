"""Callbacks of tasks in Redis: the HTTP door puts one there when its run has ended, the bridge delivers it.

The GatherRun holds the truth: as long as it does not say what became of its callback, the door puts it here
again. So Redis may be lost meanwhile; a callback that was delivered just before comes twice, by one id.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gather_bridge.webhooks.registrations import PAGE, REGISTRATIONS_MAX
from gather_clients.event_log import EventLogUnavailable
from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_clients.stored_event import StoredEvent
from gather_contracts import names

EVENT_TYPE: Final = "task_ended"
"""In the header X-Gather-Event."""
KEPT_S: Final = 8 * 86_400
"""How long what became of a callback is known, as with events of the outbox."""
REASON_MAX: Final = 200

PUT_SCRIPT: Final = """
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'waiting' then return state end
if not state then
  redis.call('HSET', KEYS[1], 'state', 'waiting', 'project_id', ARGV[2], 'url', ARGV[3], 'text', ARGV[4],
    'written', ARGV[5])
end
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('SADD', KEYS[2], ARGV[1])
return 'waiting'
"""


class CallbackState(StrEnum):
    """What became of a callback."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class Callback:
    """What is to be sent."""

    run_uid: str
    project_id: str
    url: str
    text: str
    """The body."""


class TaskCallbacks:
    """Where callbacks wait, and a source of webhooks; each call raises EventLogUnavailable."""

    def __init__(
        self, redis: str | RedisPlace, timeout_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`timeout_s` is for each call; `clock` is Unix time in seconds."""
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s, decode_responses=True)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self._put = self._redis.register_script(PUT_SCRIPT)
        self._clock = clock

    async def put(self, callback: Callback) -> CallbackState:
        """Have a callback delivered, unless it is known; return what has become of it."""
        keys = [self._key(names.task_callback(callback.run_uid)), self._key(names.TASK_CALLBACKS)]
        arguments: list[str | int | float] = [
            callback.run_uid, callback.project_id, callback.url, callback.text, self._clock(), KEPT_S,
        ]  # fmt: skip
        return CallbackState(await self._calls.call(self._put(keys=keys, args=arguments)))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    # --- a source of webhooks

    def concerns(self, event: StoredEvent) -> bool:  # noqa: ARG002 - callbacks are no events of a log
        """Return False: a sweep finds callbacks."""
        return False

    async def begin(self) -> None:
        """Nothing is remembered."""

    async def runs(self) -> list[str]:
        """Return the UIDs of the runs whose callback waits."""
        found: list[str] = []
        cursor = 0
        while True:
            cursor, page = await self._calls.call(
                self._redis.sscan(self._key(names.TASK_CALLBACKS), cursor, count=PAGE)
            )
            found += map(str, page)
            if not cursor or len(found) >= REGISTRATIONS_MAX:
                return found

    async def waiting(self, run_uid: str) -> list[Waiting]:
        """Return the run's callback, if it still waits."""
        fields = await self._calls.call(self._redis.hgetall(self._key(names.task_callback(run_uid))))
        found = _waiting(run_uid, fields)
        if found is None:
            # Its fields were evicted, or spoilt: the door puts it again.
            await self._calls.call(self._redis.srem(self._key(names.TASK_CALLBACKS), run_uid))
            return []
        return [found]

    async def delivered(self, event: Waiting) -> None:
        """Note that the receiver has it; its text goes."""
        await self._end(event.run_uid, CallbackState.DELIVERED, "")

    async def failed(self, event: Waiting, reason: str) -> None:
        """Note an attempt that failed."""
        since_s = event.failing_since_s or event.written_s
        fields: dict[Any, Any] = {
            "failures": event.failures,
            "failing_since": since_s,
            "due": event.due_s,
            "reason": reason[:REASON_MAX],
        }
        await self._calls.call(
            self._redis.hset(self._key(names.task_callback(event.run_uid)), mapping=fields)
        )

    async def give_up(self, event: Waiting, reason: str, written_before_s: float) -> None:  # noqa: ARG002
        """Send it no more."""
        await self._end(event.run_uid, CallbackState.GIVEN_UP, reason)

    async def _end(self, run_uid: str, state: CallbackState, reason: str) -> None:
        key = self._key(names.task_callback(run_uid))
        all_of_it = self._redis.pipeline(transaction=True)
        all_of_it.hset(key, mapping={"state": state.value, "reason": reason[:REASON_MAX]})
        all_of_it.hdel(key, "text", "url")
        all_of_it.expire(key, KEPT_S)
        all_of_it.srem(self._key(names.TASK_CALLBACKS), run_uid)
        await self._calls.call(all_of_it.execute())


def _waiting(run_uid: str, fields: dict[str, str]) -> Waiting | None:
    """Return what a hash holds, None if that is nothing to send."""
    if fields.get("state") != CallbackState.WAITING:
        return None
    try:
        since = fields.get("failing_since")
        return Waiting(
            id=names.callback_id(run_uid),
            run_uid=run_uid,
            project_id=fields["project_id"],
            url=fields["url"],
            type=EVENT_TYPE,
            text=fields["text"],
            written_s=float(fields["written"]),
            failures=int(fields.get("failures", 0)),
            failing_since_s=float(since) if since else None,
            due_s=float(fields.get("due", 0)),
        )
    except (KeyError, ValueError):
        return None
