"""Redis: reach, password, the rights that events and kept answers need, eviction and persistence.

The rights are tried by one script on keys of its own, which it deletes before it ends.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from gather_clients.redis_calls import NotPrimaryError, connect
from gather_clients.redis_place import RedisPlace
from gather_worker.check.findings import Finding, lacking, ok, warn

NAME: Final = "Redis"
WITHOUT: Final = "runs go on without events and without kept answers"
PROBE_SCRIPT: Final = """
local refused = {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) ~= 'table' or not answer.err then return true end
  table.insert(refused, name .. ': ' .. answer.err)
  return false
end
if not try('DEL', KEYS[1], KEYS[2], KEYS[3]) then return refused end
try('XADD', KEYS[1], 'MAXLEN', '~', 10, '1-0', 'event', '{}')
try('HSET', KEYS[2], 'epoch', '0')
try('HMGET', KEYS[2], 'epoch', 'server')
try('INFO', 'replication')
try('HINCRBY', KEYS[2], 'offset', 1)
try('SET', KEYS[3], '1', 'EX', 10)
try('GET', KEYS[3])
try('EXISTS', KEYS[1])
try('EXPIRE', KEYS[2], 10)
try('PUBLISH', ARGV[1], '{}')
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return refused
"""
"""What the event log's own script does, and nothing is left of it."""
CHANNEL: Final = "automated-gather:check"
"""No project's; what listens to all projects takes nothing from it."""


@dataclass(slots=True)
class RedisFacts:
    """What Redis said."""

    error: str = ""
    kind: str = ""
    """Of the error: malformed, refused, unreachable, denied, readonly."""
    refused: list[str] = field(default_factory=list)
    version: str = ""
    max_memory: int | None = None
    """0: no limit; None: not told."""
    eviction: str = ""
    is_persistent: bool | None = None


async def check_redis(redis: RedisPlace, timeout_s: float) -> list[Finding]:
    """Return what was found."""
    return redis_findings(await _gather(redis, timeout_s))


async def _gather(redis: RedisPlace, timeout_s: float) -> RedisFacts:
    facts = RedisFacts()
    try:
        client = connect(redis, timeout_s, repeats=0, decode_responses=True)
    except ValueError:
        facts.kind = "malformed"
        return facts
    try:
        async with client:
            await _look(client, redis, facts)
    except (RedisError, OSError, TimeoutError) as error:
        facts.kind, facts.error = kind_of(error), f"{type(error).__name__}: {str(error)[:200]}"
    return facts


async def _look(client: Redis, place: RedisPlace, facts: RedisFacts) -> None:
    await client.ping()
    key = place.key(f"automated-gather:check:{secrets.token_hex(8)}")
    keys = [key, f"{key}:meta", f"{key}:sent"]
    facts.refused = list(await _awaited(client.eval(PROBE_SCRIPT, len(keys), *keys, place.key(CHANNEL))))
    try:
        info = await client.info()
    except ResponseError:
        return
    facts.version = str(info.get("redis_version", ""))
    facts.max_memory = int(info.get("maxmemory", 0))
    facts.eviction = str(info.get("maxmemory_policy", ""))
    saves = await _saves(client)
    facts.is_persistent = bool(info.get("aof_enabled")) or saves


async def _saves(client: Redis) -> bool:
    try:
        return bool((await client.config_get("save")).get("save"))
    except (ResponseError, NoPermissionError):
        return False


async def _awaited(answer: Any) -> Any:
    return await answer if asyncio.iscoroutine(answer) or hasattr(answer, "__await__") else answer


def kind_of(error: Exception) -> str:
    """Return what kind of failure this is."""
    text = str(error).lower()
    if isinstance(error, AuthenticationError) or "wrongpass" in text or "noauth" in text:
        return "refused"
    if isinstance(error, NoPermissionError) or "noperm" in text:
        return "denied"
    if isinstance(error, ReadOnlyError | NotPrimaryError):
        return "readonly"
    if isinstance(error, ResponseError):
        return "answered"
    return "unreachable"


FAILURES: Final = {
    "malformed": (
        "REDIS_URL is malformed",
        ("write redis://:PASSWORD@HOST:6379/0; special characters of a password need %-codes"),
    ),
    "refused": ("Redis does not accept the user or the password", "mend the password in REDIS_URL"),
    "denied": (
        "the user may not run what events need",
        (
            "grant +@all, EVAL included, on ~automated-gather:* ~gather:llm:* &automated-gather:* "
            "(ACL SETUSER)"
        ),
    ),
    "readonly": ("this Redis is a read-only replica", "name its primary in REDIS_URL"),
    "answered": ("Redis refuses", "see what it says"),
    "unreachable": (
        "Redis cannot be reached",
        ("mend host, port and TLS (rediss://) in REDIS_URL; see that workers can reach it"),
    ),
}


def redis_findings(facts: RedisFacts) -> list[Finding]:
    """Return what the facts mean."""
    if facts.kind:
        text, fix = FAILURES[facts.kind]
        said = f" ({facts.error})" if facts.error else ""
        return [lacking(NAME, f"{text}{said}; {WITHOUT}", fix)]
    if facts.refused:
        if any("READONLY" in each for each in facts.refused):
            text, fix = FAILURES["readonly"]
            return [lacking(NAME, f"{text}; {WITHOUT}", fix)]
        text, fix = FAILURES["denied"]
        return [lacking(NAME, f"{text}: {'; '.join(facts.refused[:3])}; {WITHOUT}", fix)]
    found = [ok(NAME, f"reached, version {facts.version or 'not told'}; may append and publish events")]
    if facts.max_memory and facts.eviction != "noeviction":
        found.append(warn("Redis memory", f"full at {facts.max_memory:,} bytes it drops keys "
                          f"({facts.eviction}): events, and queued evaluations",
                          "set maxmemory-policy noeviction"))  # fmt: skip
    if facts.is_persistent is False:
        found.append(warn("Redis data", "it writes nothing to disk: a restart loses events, and evaluations "
                          "that are queued", "set appendonly yes"))  # fmt: skip
    if facts.max_memory is None:
        text = "the user may not run INFO: eviction and persistence are unknown"
        found.append(
            warn("Redis memory", text, "grant +info, or see that they are noeviction and appendonly")
        )
    return found
