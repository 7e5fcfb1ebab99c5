"""The event log: a Redis stream that remembers a project's events, and the channel that announces them.

A channel alone loses what is sent while nobody listens, so one script appends to the stream and publishes,
and nothing can come between. A missing Redis is never a reason to stop: callers catch `EventLogUnavailable`.
"""

import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from gather_clients.redis_calls import RedisCalls, connect
from gather_contracts import names
from gather_contracts.events import Event, decode_event, encode_event

LOG_MAX_EVENTS: Final = 10_000
"""A run of 500 iterations makes about 1,100 events; the log holds the last nine such runs of a project."""
LOG_EXPIRY_S: Final = 7 * 24 * 3600
"""A week after the last event the log goes; MongoDB and the resource hold the truth."""

APPEND_SCRIPT: Final = """
local sent = redis.call('GET', KEYS[3])
if sent then return -tonumber(sent) end
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then
  epoch = ARGV[5]
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[2], 'epoch', epoch)
end
local offset = redis.call('HINCRBY', KEYS[2], 'offset', 1)
local text = string.sub(ARGV[1], 1, -2) .. ',"offset":' .. offset .. ',"epoch":"' .. epoch .. '"}'
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], offset .. '-0', 'event', text)
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], offset, 'EX', ARGV[4])
redis.call('PUBLISH', ARGV[6], text)
return offset
"""
"""Gives the event its offset and epoch, appends and publishes it, all or nothing; negative: was sent before.

The offset is also the stream's id (`<offset>-0`). An epoch lives as long as its stream: a Redis that lost its
data starts another one, and readers learn that their offsets are worthless. The JSON text is spliced, since a
decoder in Lua would turn empty lists into objects.
"""

REPEAT_WINDOW_S: Final = 60
"""How long an event without a key of its own is known again; the client repeats a call within seconds."""
KEEPALIVE: Final = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""A subscriber only listens, so only the kernel can tell it within half a minute that its peer is gone."""


DAMAGED: Final = ("WRONGTYPE", "not an integer", "out of range", "ID specified in XADD")
"""In what Redis answers where a key of ours holds something else."""

_LOGGER = logging.getLogger(__name__)


class EventLogUnavailable(Exception):  # noqa: N818 - named for what the caller does
    """Redis did not answer in time; live progress pauses, nothing else is lost."""

    @classmethod
    def because(cls, failure: Exception) -> "EventLogUnavailable":
        """Return the error for a call that failed this way."""
        said = str(failure) or type(failure).__name__
        if isinstance(failure, ResponseError) and any(words in said for words in DAMAGED):
            return EventLogDamaged(said)
        return cls(said)


class EventLogDamaged(EventLogUnavailable):
    """A key of one project holds what is no event log; other projects' logs are as well as before."""


class EventLog:
    """Appends to and reads from the logs of all projects.

    Args:
        redis_url: `redis://host:port/db`.
        timeout_s: for each call, connecting included.
    """

    def __init__(self, redis_url: str, timeout_s: float = 2.0) -> None:
        self._redis_url = redis_url
        self._timeout_s = timeout_s
        self._redis = connect(redis_url, timeout_s, health_check_interval=30)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self._append = self._redis.register_script(APPEND_SCRIPT)

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append and publish an event; return its offset, or None if `idempotency_key` was used before.

        Raises EventLogUnavailable; the event may then have been appended or not.
        """
        keys = [
            names.event_log(event.project_id),
            names.event_log_meta(event.project_id),
            names.event_sent(event.project_id, idempotency_key or secrets.token_hex(16)),
        ]
        arguments: list[str | int] = [
            encode_event(event), LOG_MAX_EVENTS, LOG_EXPIRY_S,
            LOG_EXPIRY_S if idempotency_key else REPEAT_WINDOW_S,
            secrets.token_hex(8), names.channel(event.project_id),
        ]  # fmt: skip
        offset = int(await self._calls.call(self._append(keys=keys, args=arguments)))
        return None if idempotency_key and offset < 0 else abs(offset)

    async def position(self, project_id: str) -> tuple[str, int]:
        """Return the log's epoch and its last offset; ("", 0) if it has no events."""
        both = self._redis.pipeline(transaction=True)
        both.hgetall(names.event_log_meta(project_id))
        both.exists(names.event_log(project_id))
        meta, exists = await self._calls.call(both.execute())
        if not (meta and exists):
            return "", 0
        try:
            return meta[b"epoch"].decode(), int(meta[b"offset"])
        except (KeyError, ValueError) as error:
            raise EventLogDamaged(f"{names.event_log_meta(project_id)} is not ours") from error

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[Event]:
        """Return up to `limit` events that follow `after_offset`, oldest first."""
        entries = await self._calls.call(
            self._redis.xrange(names.event_log(project_id), min=f"({after_offset}-0", max="+", count=limit)
        )
        return [decode_event(fields.get(b"event", b"")) for _, fields in entries]

    async def tail(self, project_id: str, limit: int = 1000) -> list[Event]:
        """Return those of the last `limit` entries that can be read, oldest first."""
        key = names.event_log(project_id)
        entries = await self._calls.call(self._redis.xrevrange(key, count=limit))
        events: list[Event] = []
        for _, fields in reversed(entries):
            try:
                events.append(decode_event(fields.get(b"event", b"")))
            except ValueError as error:
                _LOGGER.debug("unreadable entry", extra={"log": key, "error": type(error).__name__})
        if unread := len(entries) - len(events):
            _LOGGER.warning("unreadable entries in the event log", extra={"log": key, "entries": unread})
        return events

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Yield an endless iterator over the events of all projects, from now on.

        What is published after this returns is seen. The iterator raises EventLogUnavailable when the
        connection breaks; the caller subscribes again and reads the gap from the log.
        """
        # Without retries: a subscription that came back by itself would hide what it missed.
        own = connect(
            self._redis_url,
            self._timeout_s,
            repeats=0,
            socket_keepalive=True,
            socket_keepalive_options=KEEPALIVE,
        )
        async with own, own.pubsub(ignore_subscribe_messages=False) as subscription:
            await self._calls.call(subscription.psubscribe(names.CHANNEL_PATTERN))
            confirmation = await self._calls.call(subscription.get_message(timeout=self._timeout_s))
            if confirmation is None:
                raise EventLogUnavailable("redis did not confirm the subscription")
            yield self._messages(subscription)

    async def _messages(self, subscription: Any) -> AsyncIterator[Event]:
        while True:
            try:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0)
            except (RedisError, OSError) as error:
                raise EventLogUnavailable.because(error) from error
            if message is None:
                continue
            try:
                event = decode_event(message["data"])
            except ValueError:
                continue  # anyone may publish on a channel
            yield event

    async def ping(self) -> None:
        """Raise EventLogUnavailable unless Redis answers."""
        await self._calls.call(self._redis.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
