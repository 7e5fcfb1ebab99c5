"""The webhooks in Redis: the operator registers a run's URL, the bridge keeps how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gather_bridge.live.replay import Position
from gather_clients.event_log import LOG_EXPIRY_S, EventLogUnavailable
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names

REGISTRATIONS_MAX: Final = 100_000
"""Entries of the list that are looked at; each is 36 bytes."""
PAGE: Final = 1000
HEADS_AT_ONCE: Final = 500
"""Commands of one pipeline."""

HOLD_SCRIPT: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
RELEASE_SCRIPT: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


@dataclass(frozen=True, slots=True)
class Registration:
    """Where one run's events go, and which of them were delivered."""

    run_uid: str
    project_id: str
    run: str
    url: str
    position: Position
    failures: int = 0
    """Of the event after the position."""
    failing_since_s: float | None = None
    """Unix time of the first of them."""
    ended: str = ""
    """Why nothing more is sent; empty while it goes on."""


def parse_registration(run_uid: str, fields: dict[str, str]) -> Registration | None:
    """Return the registration in a Redis hash, or None if it is unreadable or gone."""
    try:
        since = fields.get("failing_since", "")
        return Registration(
            run_uid=run_uid,
            project_id=fields["project_id"],
            run=fields["run"],
            url=fields["url"],
            position=Position(fields.get("epoch", ""), int(fields.get("offset", "0"))),
            failures=int(fields.get("failures") or 0),
            failing_since_s=float(since) if since else None,
            ended=fields.get("ended", ""),
        )
    except (KeyError, ValueError):
        return None


class Registrations:
    """Reads what the operator registered; writes only fields of its own."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float) -> None:
        """`timeout_s` is for each call."""
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s, decode_responses=True)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self._hold = self._redis.register_script(HOLD_SCRIPT)
        self._release = self._redis.register_script(RELEASE_SCRIPT)

    async def listed(self) -> list[str]:
        """Return the UIDs of registered runs; raises EventLogUnavailable."""
        found: list[str] = []
        cursor = 0
        while True:
            cursor, page = await self._calls.call(
                self._redis.sscan(self._key(names.WEBHOOK_REGISTRATIONS), cursor, count=PAGE)
            )
            found += (str(uid) for uid in page)
            if not cursor or len(found) >= REGISTRATIONS_MAX:
                return found

    async def heads(self, project_ids: Sequence[str]) -> dict[str, Position]:
        """Return where the projects' logs end, as far as can be read; raises EventLogUnavailable."""
        found: dict[str, Position] = {}
        for first in range(0, len(project_ids), HEADS_AT_ONCE):
            asked = project_ids[first : first + HEADS_AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for project_id in asked:
                pipeline.hmget(self._key(names.event_log_meta(project_id)), "epoch", "offset")
            answers = await self._calls.call(pipeline.execute(raise_on_error=False))
            for project_id, answer in zip(asked, answers, strict=True):
                if isinstance(answer, list) and str(answer[1]).isdecimal():
                    found[project_id] = Position(answer[0] or "", int(answer[1]))
        return found

    async def load(self, run_uid: str) -> Registration | None:
        """Return a registration, or None if there is none; raises EventLogUnavailable."""
        key = self._key(names.webhook_registration(run_uid))
        return parse_registration(run_uid, await self._calls.call(self._redis.hgetall(key)))

    async def save(self, registration: Registration) -> None:
        """Keep how far a run's events were delivered, and all else: Redis may have lost it.

        Raises EventLogUnavailable.
        """
        since = registration.failing_since_s
        await self._put(
            registration.run_uid,
            {
                "project_id": registration.project_id,
                "run": registration.run,
                "url": registration.url,
                "epoch": registration.position.epoch,
                "offset": registration.position.offset,
                "failures": registration.failures,
                "failing_since": "" if since is None else str(since),
            },
        )

    async def end(self, run_uid: str, why: str) -> None:
        """Send nothing more for a run, also if it is registered again; raises EventLogUnavailable."""
        await self._put(run_uid, {"ended": why})
        await self.forget(run_uid)

    async def forget(self, run_uid: str) -> None:
        """Take a run off the list; raises EventLogUnavailable."""
        await self._calls.call(self._redis.srem(self._key(names.WEBHOOK_REGISTRATIONS), run_uid))

    async def hold(self, holder: str, duration_s: float) -> bool:
        """Take or renew the lease on delivering; return whether it is held. Raises EventLogUnavailable."""
        arguments: list[str | int] = [holder, int(duration_s * 1000)]
        return bool(await self._calls.call(self._hold(keys=[self._key(names.WEBHOOK_LEASE)], args=arguments)))

    async def release(self, holder: str) -> None:
        """Let another take the lease at once; raises EventLogUnavailable."""
        await self._calls.call(self._release(keys=[self._key(names.WEBHOOK_LEASE)], args=[holder]))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _put(self, run_uid: str, fields: dict[Any, Any]) -> None:
        key = self._key(names.webhook_registration(run_uid))
        both = self._redis.pipeline(transaction=True)
        both.hset(key, mapping=fields)
        both.expire(key, LOG_EXPIRY_S)
        await self._calls.call(both.execute())
