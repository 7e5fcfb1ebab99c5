"""Calls to a Redis that may be slow or gone: each ends in bounded time, and its failure is one error."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.connection import URL_QUERY_ARGUMENT_PARSERS
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.maint_notifications import MaintNotificationsConfig

from gather_clients.configuration import ConfigurationError
from gather_clients.redis_place import (
    RedisAddress,
    RedisPlace,
    RedisUrl,
    place_of,
    read_address,
)

__all__ = [
    "FileCredentials",
    "NotPrimaryError",
    "RedisCalls",
    "RedisUrl",
    "connect",
    "refuse_cluster",
    "trouble",
]

_OPTION_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = cast("Any", URL_QUERY_ARGUMENT_PARSERS)
CALLS_AT_ONCE: Final = 16
"""Of one client. Each has a connection of its own; opening hundreds takes longer than waiting for a few,
and the library's pool refuses the 101st.
"""
CLUSTER: Final = (
    "REDIS_URL: this is a Redis Cluster, which Gather cannot use; name a single Redis or Sentinels"
)
TROUBLES: Final[Mapping[type[Exception] | tuple[type[Exception], ...], str]] = {
    AuthenticationError: "REDIS_URL: Redis refuses its user or password",
    NoPermissionError: "REDIS_URL: its user lacks a permission (ACL)",
    ReadOnlyError: "REDIS_URL: this Redis is a read-only replica",
    OutOfMemoryError: "REDIS_URL: this Redis is full (maxmemory)",
    (ClusterError, ClusterDownError, ClusterCrossSlotError, MovedError): CLUSTER,
}
"""What is wrong where an error is of one of these kinds; what Redis says stands after it."""
CERTIFICATE: Final = "certificate verify failed"
NO_PRIMARY: Final = "No master found"
SENTINELS_REFUSE: Final = (
    "REDIS_URL: the Sentinels refuse their user or password (sentinel_username, sentinel_password)"
)
NOT_NAMED: Final = "REDIS_URL: no Sentinel that answers names a primary of this name"
IN_SCRIPT: Final = "The user executing the script can't"


def trouble(error: BaseException) -> str:
    """Return what is wrong in one sentence, with the setting's name where a setting is wrong."""
    said = str(error) or type(error).__name__
    for kind, meaning in TROUBLES.items():
        if isinstance(error, kind):
            return f"{meaning}: {said}"
    if said.startswith(NO_PRIMARY):
        # The library's text for it, with each Sentinel's own error behind.
        wrong = SENTINELS_REFUSE if AuthenticationError.__name__ in said else NOT_NAMED
        return f"{wrong}: {said.partition(' : ')[0]}"
    if CERTIFICATE in said:
        return f"GATHER_REDIS_CA_FILE: the certificate is not trusted: {said}"
    return f"{TROUBLES[NoPermissionError]}: {said}" if IN_SCRIPT in said else said


class FileCredentials(CredentialProvider):
    """User and password of a place, as its file has them now."""

    def __init__(self, place: RedisPlace) -> None:
        """Raises ValueError as `read_address` does."""
        self._place = place
        self._address = read_address(place.url)

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return user and password for a new connection; nothing if there is no password."""
        try:
            address = read_address(self._place.url_now())
        except ValueError:
            address = self._address  # while the file is being replaced
        password = address.password or ""
        return (address.username, password) if address.username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Return the same; the file is small, and in memory."""
        return self.get_credentials()


class _LeavesReplicas(Connection):
    """A connection that ends when its server is a replica: its name may lead to another server by now."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the answer; raises the library's ConnectionError, which has the command sent again."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError as error:
            await self.disconnect()
            raise NotPrimaryError("this Redis is a read-only replica") from error


class NotPrimaryError(RedisConnectionError):
    """The server was a primary, and is a replica now."""


class _OverTls(_LeavesReplicas, SSLConnection):
    pass


class _OverUnix(_LeavesReplicas, UnixDomainSocketConnection):
    pass


class _ThroughSentinels(Redis):
    """Closes its connections to the Sentinels too, which the library leaves open."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(where: str | RedisPlace, timeout_s: float, *, repeats: int = 1, **options: Any) -> Redis:
    """Return a client whose every wait for the network is at most `timeout_s`.

    A failed command is sent `repeats` times more, at once: after a restart of Redis the first call meets the
    old connection, after a failover the old primary. The library's own retries would wait in between, for
    many times `timeout_s`. Nor is a server asked for notices of its maintenance, after which the library
    would wait for 10 s, or given the library's name: three answers before a connection's first command.
    """
    place = place_of(where)
    address = read_address(place.url)
    common = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), repeats),
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "driver_info": None,
        **{name: _OPTION_PARSERS.get(name, str)(value) for name, value in address.options.items()},
        **options,
    }
    if address.has_tls and place.ca_file:
        common["ssl_ca_certs"] = str(place.ca_file)
    own = {**common, "db": address.database}
    if address.password:
        own["credential_provider"] = FileCredentials(place)
    return _by_sentinels(address, common, own) if address.service else _direct(address, own)


def _direct(address: RedisAddress, own: dict[str, Any]) -> Redis:
    if address.path:
        return Redis.from_pool(ConnectionPool(connection_class=_OverUnix, path=address.path, **own))
    ((host, port),) = address.hosts
    kind = _OverTls if address.has_tls else _LeavesReplicas
    return Redis.from_pool(ConnectionPool(connection_class=kind, host=host, port=port, **own))


def _by_sentinels(address: RedisAddress, common: dict[str, Any], own: dict[str, Any]) -> Redis:
    kept = {name: value for name, value in common.items() if not name.startswith("sentinel_")}
    own = {name: value for name, value in own.items() if not name.startswith("sentinel_")}
    kept |= {
        name: common[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in common
    }
    tls: dict[str, Any] = {"ssl": True} if address.has_tls else {}
    sentinels: Any = cast("Any", Sentinel)(address.hosts, sentinel_kwargs={**kept, **tls})
    client: Redis = sentinels.master_for(address.service, redis_class=_ThroughSentinels, **own, **tls)
    return client


async def refuse_cluster(place: RedisPlace, timeout_s: float) -> None:
    """Raise ConfigurationError if it is a Cluster; whatever else is wrong may come right."""
    try:
        async with asyncio.timeout(2 * timeout_s), connect(place, timeout_s, repeats=0) as redis:
            info = await redis.info("cluster")
    except (RedisError, OSError, TimeoutError):
        return
    if info.get("cluster_enabled"):
        raise ConfigurationError(CLUSTER)


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


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
        """Return what Redis answers; raises the caller's error if it does not in time, or refuses.

        Python 3.11's `asyncio.wait_for`, by which the library sends, loses a cancellation that comes with the
        answer; a task that is to end would go on.
        """
        before = _cancellations()
        try:
            async with asyncio.timeout(self._limit_s), self._slots:
                answer = await awaitable
        except (RedisError, OSError, TimeoutError) as error:
            if _cancellations() > before:
                raise asyncio.CancelledError from error
            raise self._unavailable(error) from error
        finally:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()  # where it never had its turn
        if _cancellations() > before:
            raise asyncio.CancelledError
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
