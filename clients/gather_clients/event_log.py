"""The event log: a Redis stream that remembers a project's events, and the channel that announces them.

A channel alone loses what is sent while nobody listens, so one script appends to the stream and publishes,
and nothing can come between. A missing Redis is never a reason to stop: callers catch `EventLogUnavailable`.
"""

import asyncio
import logging
import re
import secrets
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from gather_clients.events.epochs import leads_to
from gather_clients.redis_calls import RedisCalls, connect, trouble
from gather_clients.redis_place import RedisPlace, place_of
from gather_clients.stored_event import StoredEvent, read_entry, read_message
from gather_contracts import names
from gather_contracts.events import EVENT_MAX_BYTES, Event, encode_event

LOG_MAX_EVENTS: Final = 10_000
"""A run of 500 iterations makes about 1,100 events; the log holds the last nine such runs of a project."""
PLACE_BYTES: Final = 128
"""Offset and epoch, as the log adds them to an event."""
LOG_EXPIRY_S: Final = 7 * 24 * 3600
"""A week after the last event the log goes; MongoDB and the resource hold the truth."""

APPEND_SCRIPT: Final = """
local sent = redis.call('GET', KEYS[3])
if sent then return {-tonumber(sent), ''} end
if KEYS[4] and (tonumber(redis.call('GET', KEYS[4])) or 0) > tonumber(ARGV[9]) then return {0, ''} end
local info = redis.call('INFO', 'replication')
local server = string.match(info, 'master_replid:(%w+)')
if not server then return redis.error_reply('NOREPLID this server names no replication id') end
if string.find(info, 'role:slave') then return redis.error_reply('READONLY this server is a replica') end
local known = redis.call('HMGET', KEYS[2], 'epoch', 'server', 'offset')
local epoch = known[1]
if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1], KEYS[2])
  epoch = ''
elseif not known[2] or (epoch == ARGV[7]
    and (tonumber(known[3]) or 0) < tonumber(ARGV[8])) then
  epoch = ''
end
local offset = redis.call('HINCRBY', KEYS[2], 'offset', 1)
if epoch == '' or known[2] ~= server then
  epoch = string.sub(epoch .. ARGV[5] .. string.format('%08x', offset), -64)
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'server', server)
end
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
if KEYS[4] then redis.call('SET', KEYS[4], ARGV[9], 'EX', ARGV[3]) end
redis.call('PUBLISH', ARGV[6], text)
return {offset, epoch}
"""
"""Gives the event its offset and epoch, appends and publishes it, all or nothing; negative: was sent before.

0: a successor of the writer has sent one since, so that this one, of a writer that may be dead, is late.

The offset is also the stream's id (`<offset>-0`). The epoch gets another block (see `epochs`) where the log
may have gone back: where the server's replication id is another one than at the event before, as after each
start of a Redis and each promotion of a replica. A log without events or without the id, and one that is
shorter than this client has seen it, starts a new epoch. The JSON text is spliced, since a decoder in Lua
would turn empty lists into objects. What somebody else has added, with the time as its id, is taken out: no
event could ever follow it.
"""

REMEMBERED_MAX: Final = 10_000
"""Projects whose last offset a client remembers."""
CHECK_INTERVAL_S: Final = 2.0
"""How often a subscriber sees that Redis takes writes and that its connection is heard."""
PROBE_EXPIRY_S: Final = 60
REPEAT_WINDOW_S: Final = 60
"""How long an event without a key of its own is known again; the client repeats a call within seconds."""
KEEPALIVE: Final = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""A subscriber only listens, so only the kernel can tell it within half a minute that its peer is gone."""


SCRIPT_LINE: Final = re.compile(r"The user executing the script can't.* @user_script:([0-9]+)")
"""Where a user lacks a permission, Redis names only the line."""
DAMAGED: Final = ("WRONGTYPE", "not an integer", "out of range", "ID specified in XADD")
"""In what Redis answers where a key of ours holds something else."""

_LOGGER = logging.getLogger(__name__)


class EventLogUnavailable(Exception):  # noqa: N818 - named for what the caller does
    """Redis did not answer in time; live progress pauses, nothing else is lost."""

    @classmethod
    def because(cls, failure: Exception) -> "EventLogUnavailable":
        """Return the error for a call that failed this way."""
        said = trouble(failure)
        if place := SCRIPT_LINE.search(said):
            said = (
                f"{said.partition(' script: ')[0]}: {APPEND_SCRIPT.splitlines()[int(place[1]) - 1].strip()}"
            )
        if isinstance(failure, ResponseError) and any(words in said for words in DAMAGED):
            return EventLogDamaged(said)
        return cls(said)


class EventLogDamaged(EventLogUnavailable):
    """A key of one project holds what is no event log; other projects' logs are as well as before."""


class EventLog:
    """Appends to and reads from the logs of all projects.

    Args:
        redis: its address, or its place.
        timeout_s: for each call, connecting included.
        on_foreign: called for each message and entry that is no event of ours.
        is_compared: whether a log's first event is looked up when it is heard. All databases of a Redis share
            their channels, and to a project without events any first one seems to be the next.
    """

    def __init__(
        self,
        redis: str | RedisPlace,
        timeout_s: float = 2.0,
        on_foreign: Callable[[], None] = lambda: None,
        *,
        is_compared: bool = False,
    ) -> None:
        self._is_compared = is_compared
        self._on_foreign = on_foreign
        self._place = place_of(redis)
        self._key = self._place.key
        self._timeout_s = timeout_s
        self._redis = connect(self._place, timeout_s, health_check_interval=30)
        self._calls = RedisCalls(self._redis, 2 * timeout_s, EventLogUnavailable.because)
        self._append = self._redis.register_script(APPEND_SCRIPT)
        self._reached: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._writer = ("", 0)

    def write_as(self, writer: str, epoch: int) -> None:
        """Be one of the writers by a name that follow one another: events of an earlier one are refused."""
        self._writer = writer, epoch

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Append and publish an event; return its offset, or None if there is nothing to append.

        That is where `idempotency_key` was used before, or where a later writer has written (`write_as`).

        Raises EventLogUnavailable; the event may then have been appended or not. Raises ValueError for one
        that no reader would take, which the contract's own bounds rule out.
        """
        text = encode_event(event)
        if len(text.encode()) > EVENT_MAX_BYTES - PLACE_BYTES:
            raise ValueError(f"{event.type} is larger than {EVENT_MAX_BYTES} bytes")
        keys = [
            self._key(names.event_log(event.project_id)),
            self._key(names.event_log_meta(event.project_id)),
            self._key(names.event_sent(event.project_id, idempotency_key or secrets.token_hex(16))),
        ]
        project_id = event.project_id.lower()
        writer, epoch_of_writer = self._writer
        if writer:
            keys.append(self._key(names.event_writer(event.project_id, writer)))
        arguments: list[str | int] = [
            text, LOG_MAX_EVENTS, LOG_EXPIRY_S,
            LOG_EXPIRY_S if idempotency_key else REPEAT_WINDOW_S,
            secrets.token_hex(4), self._key(names.channel(event.project_id)),
            *self._reached.get(project_id, ("", 0)), epoch_of_writer,
        ]  # fmt: skip
        offset, epoch = await self._calls.call(self._append(keys=keys, args=arguments))
        if offset > 0:
            self._reach(project_id, epoch.decode(), offset)
        if offset == 0:
            _LOGGER.info("an event came after those of a successor: %s", event.type)
        return None if offset == 0 or (idempotency_key and offset < 0) else abs(offset)

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:
        """Return whether an event with this key was appended; raises EventLogUnavailable."""
        key = self._key(names.event_sent(project_id, idempotency_key))
        return await self._calls.call(self._redis.get(key)) is not None

    def _reach(self, project_id: str, epoch: str, offset: int) -> None:
        """Remember how far a project's log has come; answers may arrive in another order than given."""
        known_epoch, known_offset = self._reached.pop(project_id, ("", 0))
        self._reached[project_id] = (epoch, max(offset, known_offset if known_epoch == epoch else 0))
        if len(self._reached) > REMEMBERED_MAX:
            self._reached.popitem(last=False)

    async def position(self, project_id: str) -> tuple[str, int]:
        """Return the log's epoch and its last offset; ("", 0) if it has no events."""
        both = self._redis.pipeline(transaction=True)
        key = self._key(names.event_log_meta(project_id))
        both.hgetall(key)
        both.exists(self._key(names.event_log(project_id)))
        meta, exists = await self._calls.call(both.execute())
        if not (meta and exists):
            return "", 0
        try:
            return meta[b"epoch"].decode(), int(meta[b"offset"])
        except (KeyError, ValueError) as error:
            raise EventLogDamaged(f"{key} is not ours") from error

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        """Return up to `limit` entries that follow `after_offset`, oldest first.

        What is no event is there only where it has taken the place of one.
        """
        key = self._key(names.event_log(project_id))
        entries = await self._calls.call(
            self._redis.xrange(key, min=f"({after_offset}-0", max="+", count=limit)
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
        key = self._key(names.event_log(project_id))
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
            self._place,
            self._timeout_s,
            repeats=0,
            socket_keepalive=True,
            socket_keepalive_options=KEEPALIVE,
        )
        async with own, own.pubsub(ignore_subscribe_messages=False) as subscription:
            await self._calls.call(subscription.psubscribe(self._key(names.CHANNEL_PATTERN)))
            confirmation = await self._calls.call(subscription.get_message(timeout=self._timeout_s))
            if confirmation is None:
                raise EventLogUnavailable("redis did not confirm the subscription")
            await self.check()
            yield self._messages(subscription)

    async def _messages(self, subscription: Any) -> AsyncIterator[StoredEvent]:
        loop = asyncio.get_running_loop()
        checked_s = heard_s = loop.time()
        while True:
            try:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is not None:
                    heard_s = loop.time()
                elif heard_s < checked_s:
                    raise EventLogUnavailable("redis is silent")
                if loop.time() - checked_s >= CHECK_INTERVAL_S:
                    await self.check()
                    checked_s = loop.time()
                    await subscription.ping()
            except (RedisError, OSError) as error:
                raise EventLogUnavailable.because(error) from error
            if message is not None and message["type"] == "pmessage":
                event = await self._event_of(message)
                if event is not None:
                    yield event

    async def _event_of(self, message: dict[str, Any]) -> StoredEvent | None:
        """Return a message's event; None if it is none of this log: anyone may publish on a channel."""
        try:
            project_id = message["channel"].decode().removeprefix(self._key(names.channel("")))
            event = read_message(message["data"], project_id)
            if not self._is_compared or event.offset > 1 or await self._has_first(event):
                return event
        except (ValueError, EventLogDamaged):
            pass
        self._on_foreign()
        return None

    async def _has_first(self, event: StoredEvent) -> bool:
        epoch, _ = await self.position(event.project_id)
        return leads_to(event.epoch, event.offset, epoch)

    async def check(self) -> None:
        """Raise EventLogUnavailable unless Redis takes a write: one that is full, or a replica, does not."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._calls.call(
                    self._redis.set(self._key(names.EVENT_LOG_PROBE), "1", ex=PROBE_EXPIRY_S)
                )
        except TimeoutError as error:
            raise EventLogUnavailable("REDIS_URL: Redis does not answer") from error

    async def ping(self) -> None:
        """Raise EventLogUnavailable unless Redis answers."""
        await self._calls.call(self._redis.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
