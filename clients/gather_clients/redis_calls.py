"""Calls to a Redis that may be slow or gone: each ends in bounded time, and its failure is one error."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import RedisError


def _checked(url: SecretStr) -> SecretStr:
    try:
        parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        # The library's own text quotes a part of it: of the password, if that has a # or a / in it.
        raise ValueError(
            "is not the address of a Redis; special characters of a password need %-codes"
        ) from None
    return url


CALLS_AT_ONCE: Final = 16
"""Of one client. Each has a connection of its own; opening hundreds takes longer than waiting for a few,
and the library's pool refuses the 101st.
"""

RedisUrl = Annotated[SecretStr, AfterValidator(_checked)]
"""A setting that `connect` takes."""


def connect(redis_url: str, timeout_s: float, *, repeats: int = 1, **options: Any) -> Redis:
    """Return a client whose every wait for the network is at most `timeout_s`.

    A failed command is sent `repeats` times more, at once: after a restart of Redis the first call meets the
    old connection. The library's own retries would wait in between, for many times `timeout_s`.
    """
    client: Redis = Redis.from_url(
        redis_url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), repeats),
        **options,
    )
    return client


class RedisCalls:
    """One Redis, and calls to it that take `limit_s` at most, connecting and repeating included.

    Args:
        redis: as `connect` returns it.
        limit_s: for each call.
        unavailable: makes the caller's error of the failure.
    """

    def __init__(self, redis: Redis, limit_s: float, unavailable: Callable[[Exception], Exception]) -> None:
        self.redis = redis
        self._limit_s = limit_s
        self._unavailable = unavailable
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def call(self, awaitable: Awaitable[Any]) -> Any:
        """Return what Redis answers; raises the caller's error if it does not in time, or refuses."""
        try:
            async with asyncio.timeout(self._limit_s), self._slots:
                return await awaitable
        except (RedisError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from error
        finally:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()  # where it never had its turn

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
