"""Celery as a library: an application whose broker and results are reached as Gather reaches Redis.

Celery's own code stores results, sends callbacks, goes on with chains and completes chords. The connections
are ours: Sentinels, TLS, a password that changes in its file, an old primary that says READONLY. A final
state in the result backend is never replaced by another one, whichever door writes late.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import redis
from celery import Celery, states  # type: ignore[import-untyped]
from celery.backends.redis import RedisBackend  # type: ignore[import-untyped]
from kombu.transport import redis as kombu_redis
from redis.backoff import NoBackoff
from redis.connection import URL_QUERY_ARGUMENT_PARSERS, Connection, ConnectionPool, SSLConnection
from redis.connection import UnixDomainSocketConnection as UnixConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.retry import Retry
from redis.sentinel import Sentinel

from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_clients.redis_calls import FileCredentials
from gather_clients.redis_place import RedisPlace, read_address
from gather_contracts.names import digest

CALL_TIMEOUT_S: Final = 5.0
NAME: Final = "gather-door"
_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = cast("Any", URL_QUERY_ARGUMENT_PARSERS)

SET_UNLESS_FINAL: Final = """
local held = redis.call('GET', KEYS[1])
if held then
  local is_read, meta = pcall(cjson.decode, held)
  local status = is_read and type(meta) == 'table' and meta.status
  if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return 0 end
end
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
else redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
"""


class GatherRunFailed(Exception):  # noqa: N818 - the name that clients read in `exc_type`
    """A task has failed; its one argument is {error, message, details}."""


class _LeavesReplicas(Connection):
    """A connection that ends when its server is a replica: its name may lead to another server by now."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return the answer; raises the library's ConnectionError, which has the command sent again."""
        try:
            return super().read_response(*args, **options)
        except ReadOnlyError as error:
            cast("Any", self).disconnect()
            raise RedisConnectionError("this Redis is a read-only replica") from error


class _OverTls(_LeavesReplicas, SSLConnection):
    pass


def redis_pool(place: RedisPlace, timeout_s: float) -> ConnectionPool:
    """Return connections that wait for the network `timeout_s` at most, as `redis_calls.connect` has them."""
    address = read_address(place.url)
    common: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1),
        **{name: _PARSERS.get(name, str)(value) for name, value in address.options.items()},
    }
    sentinels = {
        k.removeprefix("sentinel_"): common.pop(k) for k in list(common) if k.startswith("sentinel_")
    }
    if address.has_tls and place.ca_file:
        common["ssl_ca_certs"] = str(place.ca_file)
    own = {**common, "db": address.database}
    if address.password:
        own["credential_provider"] = FileCredentials(place)
    if address.path:
        own.pop("socket_connect_timeout")
        return ConnectionPool(connection_class=UnixConnection, path=address.path, **own)
    if address.service:
        tls: dict[str, Any] = {"ssl": True} if address.has_tls else {}
        manager: Any = cast("Any", Sentinel)(address.hosts, sentinel_kwargs={**common, **sentinels, **tls})
        pool: ConnectionPool = manager.master_for(address.service, **own, **tls).connection_pool
        return pool
    ((host, port),) = address.hosts
    kind = _OverTls if address.has_tls else _LeavesReplicas
    return ConnectionPool(connection_class=kind, host=host, port=port, **own)


class ResultBackend(RedisBackend):  # type: ignore[misc] # Celery has no types
    """Celery's results in Redis; the first final state of a task stays."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pool = redis_pool(*self.app.gather_results)

    def _get_pool(self, **_: Any) -> ConnectionPool:
        return self._pool

    def disconnect(self) -> None:
        """Close the connections, which an application leaves open when it is closed."""
        self._pool.disconnect()

    def ensure(self, fun: Callable[..., Any], args: Any, **_: Any) -> Any:
        """Call once: the caller tries again, later and in order."""
        return fun(*args)

    def _set(self, key: bytes, value: bytes | str, expires: int | None = None) -> None:
        self.client.eval(
            SET_UNLESS_FINAL, 1, key, value, int(self.expires if expires is None else expires) or 0
        )

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> Any:
        """Return what is stored of an exception; of ours error, message and details stand beside it."""
        stored = super().prepare_exception(exc, serializer)
        if isinstance(exc, GatherRunFailed) and isinstance(stored, dict):
            return {**exc.args[0], **stored}
        return stored


class _Channel(kombu_redis.Channel):
    """kombu's channel over our connections."""

    def _get_pool(self, asynchronous: bool = False) -> ConnectionPool:  # noqa: ARG002 - kombu's signature
        place, timeout_s = cast("Any", self).connection.client.transport_options["gather_broker"]
        database = read_address(place.url).database
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=database)
        return redis_pool(place, timeout_s)


class BrokerTransport(kombu_redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = _Channel


def open_app(settings: CelerySettings) -> Any:
    """Return a Celery application that listens, sends and stores, and runs nothing itself."""
    timeout_s = settings.redis_timeout_s
    app: Any = Celery(NAME, set_as_current=False)
    app.gather_results = (settings.results, timeout_s)
    options = settings.broker_options
    app.conf.update(
        # Where the broker is, our channel knows. By the address kombu tells the brokers of a process apart.
        broker_url=f"redis://{digest(settings.broker.url)}/{read_address(settings.broker.url).database}",
        broker_transport=BrokerTransport,
        broker_transport_options={
            "gather_broker": (settings.broker, timeout_s),
            "global_keyprefix": options.global_keyprefix,
            "sep": options.sep,
            "priority_steps": list(options.priority_steps),
        },
        broker_connection_timeout=timeout_s,
        broker_connection_retry=False,
        task_publish_retry=False,
        task_create_missing_queues=True,
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        result_serializer="json",
        result_backend=f"{__name__}:ResultBackend",
        result_backend_transport_options=(
            {"global_keyprefix": settings.result_key_prefix} if settings.result_key_prefix else {}
        ),
        result_expires=settings.result_expires_s,
        result_cache_max=-1,
        enable_utc=True,
        timezone="UTC",
        worker_send_task_events=True,
    )
    return app


FINAL_STATES: Final = frozenset({states.SUCCESS, states.FAILURE, states.REVOKED})
REDIS_ERRORS: Final = (redis.RedisError, OSError)
