"""The event log: a Redis stream that remembers a project's events, and the channel that announces them.

A channel alone loses what is sent while nobody listens, so one script appends to the stream and publishes,
and nothing can come between. A missing Redis is never a reason to stop: callers catch `EventLogUnavailable`.
"""

import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from gather_clients.redis_calls import RedisCalls, connect
from gather_clients.stored_event import StoredEvent, read_entry, read_message
from gather_contracts import names
from gather_contracts.events import EVENT_MAX_BYTES, Event, encode_event

LOG_MAX_EVENTS: Final = 10_000
"""A run of 500 iterations makes about 1,100 events; the log holds the last nine such runs of a project."""
PLACE_BYTES: Final = 64
"""Offset and epoch, as the log adds them to an event."""
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
local is_foreign = false
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', offset .. '-0', 'COUNT', 1000)) do
  is_foreign = redis.call('XDEL', KEYS[1], entry[1]) == 1
end
if is_foreign then redis.call('XSETID', KEYS[1], (offset - 1) .. '-18446744073709551615') end
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
decoder in Lua would turn empty lists into objects. What somebody else has added, with the time as its id, is
taken out: no event could ever follow it.
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
        on_foreign: called for each message and entry that is no event of ours.
    """

    def __init__(
        self, redis_url: str, timeout_s: float = 2.0, on_foreign: Callable[[], None] = lambda: None
    ) -> None:
        self._on_foreign = on_foreign
        self._redis_url = redis_url
        self._timeout_s = timeout_s
        self._redis = connect(redis_url, timeout_s, health_check_interval=30)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self._append = self._redis.register_script(APPEND_SCRIPT)

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append and publish an event; return its offset, or None if `idempotency_key` was used before.

        Raises EventLogUnavailable; the event may then have been appended or not. Raises ValueError for one
        that no reader would take, which the contract's own bounds rule out.
        """
        text = encode_event(event)
        if len(text.encode()) > EVENT_MAX_BYTES - PLACE_BYTES:
            raise ValueError(f"{event.type} is larger than {EVENT_MAX_BYTES} bytes")
        keys = [
            names.event_log(event.project_id),
            names.event_log_meta(event.project_id),
            names.event_sent(event.project_id, idempotency_key or secrets.token_hex(16)),
        ]
        arguments: list[str | int] = [
            text, LOG_MAX_EVENTS, LOG_EXPIRY_S,
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

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        """Return up to `limit` entries that follow `after_offset`, oldest first.

        What is no event is there only where it has taken the place of one.
        """
        entries = await self._calls.call(
            self._redis.xrange(names.event_log(project_id), min=f"({after_offset}-0", max="+", count=limit)
        )
        found: list[StoredEvent] = []
        place = after_offset
        for entry_id, fields in entries:
            entry = read_entry(entry_id, fields, project_id)
            if not entry.is_event:
                self._on_foreign()
                if entry_id != f"{place + 1}-0".encode():
                    continue
            place = entry.offset
            found.append(entry)
        return found

    async def tail(self, project_id: str, limit: int = 1000) -> list[Event]:
        """Return those of the last `limit` entries that can be read, oldest first."""
        key = names.event_log(project_id)
        entries = await self._calls.call(self._redis.xrevrange(key, count=limit))
        events: list[Event] = []
        for entry_id, fields in reversed(entries):
            try:
                events.append(read_entry(entry_id, fields, project_id).decode())
            except ValueError as error:
                _LOGGER.debug("unreadable entry", extra={"log": key, "error": type(error).__name__})
        if unread := len(entries) - len(events):
            _LOGGER.warning("unreadable entries in the event log", extra={"log": key, "entries": unread})
        return events

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[AsyncIterator[StoredEvent]]:
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

    async def _messages(self, subscription: Any) -> AsyncIterator[StoredEvent]:
        while True:
            try:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0)
            except (RedisError, OSError) as error:
                raise EventLogUnavailable.because(error) from error
            if message is None or message["type"] != "pmessage":
                continue
            try:
                project_id = message["channel"].decode().removeprefix(names.channel(""))
                event = read_message(message["data"], project_id)
            except ValueError:
                self._on_foreign()  # anyone may publish on a channel
                continue
            yield event

    async def ping(self) -> None:
        """Raise EventLogUnavailable unless Redis answers."""
        await self._calls.call(self._redis.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
