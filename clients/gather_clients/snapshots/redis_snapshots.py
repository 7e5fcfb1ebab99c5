"""Runs' snapshots in Redis: there without MongoDB, gone with Redis' data."""

from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import ValidationError

from gather_clients.event_log import LOG_EXPIRY_S, EventLogUnavailable
from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.redis_place import RedisPlace, place_of
from gather_contracts import names
from gather_contracts.snapshots.run_state import RunState

RUNS_MAX: Final = 100
"""Of one project, the newest."""
TEXT_MAX: Final = 64 * 1024
"""A run of 32 departments takes 25 KiB at most; what is larger is not ours."""
SAME_NAME_MAX: Final = 5
"""Runs made one after the other under one name, the newest."""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Which run a name in a namespace stands for."""

    project_id: str
    run_uid: str


def read_state(text: bytes | str | None) -> RunState | None:
    """Return the state in a snapshot, None if there is none that can be read."""
    try:
        return None if text is None or len(text) > TEXT_MAX else RunState.model_validate_json(text)
    except ValidationError:
        return None


class RedisSnapshots:
    """Writes and reads; each call raises EventLogUnavailable."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float) -> None:
        """`timeout_s` is for each call."""
        self._key = place_of(redis).key
        self._redis = connect(redis, timeout_s)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)

    async def put(self, state: RunState, created_s: float) -> None:
        """Keep the state for a week, joined with what is there; `created_s` is the run's age as Unix time.

        So a replica that was replaced, and writes late, undoes nothing.
        """
        index = self._key(names.run_snapshots(state.project_id))
        key = self._key(names.run_snapshot(state.project_id, state.run_uid))
        known = read_state(await self._calls.call(cast("Any", self._redis.get(key))))
        if known is not None and known.run_uid == state.run_uid:
            state = known.joined(state)
        whole = self._redis.pipeline(transaction=True)
        whole.set(key, state.model_dump_json(), ex=LOG_EXPIRY_S)
        whole.zadd(index, {f"{state.run}/{state.run_uid}": created_s})
        whole.zremrangebyrank(index, 0, -RUNS_MAX - 1)
        whole.expire(index, LOG_EXPIRY_S)
        if state.namespace:
            named = self._key(names.runs_of_name(state.namespace, state.run))
            whole.zadd(named, {f"{state.project_id}/{state.run_uid}": created_s})
            whole.zremrangebyrank(named, 0, -SAME_NAME_MAX - 1)
            whole.expire(named, LOG_EXPIRY_S)
        await self._calls.call(whole.execute())

    async def newest(self, project_id: str, limit: int, run: str | None = None) -> list[RunState]:
        """Return a project's newest snapshots, the newest first; only those of one name if `run` is given."""
        found: list[bytes] = await self._calls.call(
            cast("Any", self._redis.zrevrange(self._key(names.run_snapshots(project_id)), 0, RUNS_MAX - 1))
        )
        pairs = [member.decode("utf-8", "replace").rpartition("/")[::2] for member in found]
        uids = [uid for name, uid in pairs if run is None or name == run][:limit]
        if not uids:
            return []
        texts = await self._calls.call(
            cast("Any", self._redis.mget([self._key(names.run_snapshot(project_id, uid)) for uid in uids]))
        )
        return [state for text in texts if (state := read_state(text)) is not None]

    async def place(self, namespace: str, run: str) -> RunPlace | None:
        """Return the newest run of that name in that namespace."""
        named = self._key(names.runs_of_name(namespace, run))
        found: list[bytes] = await self._calls.call(cast("Any", self._redis.zrevrange(named, 0, 0)))
        project_id, separator, uid = (found[0] if found else b"").decode("utf-8", "replace").partition("/")
        return RunPlace(project_id, uid) if separator else None

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
