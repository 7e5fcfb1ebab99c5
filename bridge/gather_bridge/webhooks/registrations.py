"""The webhooks in Redis: the operator registers a run's URL, the bridge keeps how far it has come."""

from dataclasses import dataclass
from typing import Any, Final

from gather_bridge.live.replay import Position
from gather_clients.event_log import LOG_EXPIRY_S, EventLogUnavailable
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names

REGISTRATIONS_MAX: Final = 1000
"""Webhooks served at once; more wait until some have ended."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Where one run's events go, and which of them were delivered."""

    run_uid: str
    project_id: str
    run: str
    url: str
    position: Position
    failing_since_s: float | None = None
    """Unix time of the first failure after the last success."""
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

    async def listed(self) -> list[str]:
        """Return the UIDs of registered runs, at most `REGISTRATIONS_MAX`; raises EventLogUnavailable."""
        found = await self._calls.call(
            self._redis.srandmember(self._key(names.WEBHOOK_REGISTRATIONS), REGISTRATIONS_MAX)
        )
        return sorted(str(uid) for uid in found)

    async def load(self, run_uid: str) -> Registration | None:
        """Return a registration, or None if there is none; raises EventLogUnavailable."""
        key = self._key(names.webhook_registration(run_uid))
        return parse_registration(run_uid, await self._calls.call(self._redis.hgetall(key)))

    async def save(self, run_uid: str, position: Position, failing_since_s: float | None = None) -> None:
        """Keep how far a run's events were delivered; raises EventLogUnavailable."""
        since = "" if failing_since_s is None else str(failing_since_s)
        await self._put(run_uid, {"epoch": position.epoch, "offset": position.offset, "failing_since": since})

    async def end(self, run_uid: str, why: str) -> None:
        """Send nothing more for a run, also if it is registered again; raises EventLogUnavailable."""
        await self._put(run_uid, {"ended": why})
        await self.forget(run_uid)

    async def forget(self, run_uid: str) -> None:
        """Take a run off the list; raises EventLogUnavailable."""
        await self._calls.call(self._redis.srem(self._key(names.WEBHOOK_REGISTRATIONS), run_uid))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _put(self, run_uid: str, fields: dict[Any, Any]) -> None:
        key = self._key(names.webhook_registration(run_uid))
        both = self._redis.pipeline(transaction=True)
        both.hset(key, mapping=fields)
        both.expire(key, LOG_EXPIRY_S)
        await self._calls.call(both.execute())
