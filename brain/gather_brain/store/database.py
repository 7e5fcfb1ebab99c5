"""The Neo4j driver, with a limit on every wait and its errors turned into the brain's own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, LiteralString, Self

import neo4j
from neo4j.auth_management import AsyncAuthManager, AsyncAuthManagers
from neo4j.exceptions import DriverError, Neo4jError
from neo4j.vector import Vector

from gather_brain.embeddings.slots import SlotName
from gather_brain.errors import UnavailableError
from gather_brain.store.cypher import schema_queries
from gather_brain.store.cypher.answer_queries import ROWS
from gather_brain.store.overview_cache import OverviewCache
from gather_brain.vectors import Matrix
from gather_clients.backoff import Backoff

CONNECT_TIMEOUT_S: Final = 3.0
"""A Neo4j that is there accepts within milliseconds."""
RETRY_S: Final = 2.0
"""Enough for a deadlock; if Neo4j is unavailable, the caller soon gets 503."""
READ_RETRY: Final = Backoff(first_s=0.1, last_s=1.0, jitter=(0.8, 1.2))
PROBE_TIMEOUT_S: Final = 2.0
SCHEMA_TIMEOUT_S: Final = 120.0
"""A constraint whose making is broken off leaves an index of its name, which the next start drops."""

REFUSALS: Final[Mapping[str, str]] = {
    "Neo.ClientError.Security.Unauthorized": "Neo4j refuses NEO4J_USER or NEO4J_PASSWORD",
    "Neo.ClientError.Security.AuthenticationRateLimit": (
        "Neo4j was given a wrong NEO4J_PASSWORD too often, and lets nobody in for some seconds"
    ),
    "Neo.ClientError.Security.CredentialsExpired": (
        "Neo4j wants the password of NEO4J_USER to be changed first, and then in NEO4J_PASSWORD"
    ),
    "Neo.ClientError.Security.Forbidden": "NEO4J_USER may not do that in Neo4j",
    "Neo.ClientError.Database.DatabaseNotFound": (
        "Neo4j has no database of the name in GATHER_BRAIN_NEO4J_DATABASE"
    ),
    "Neo.DatabaseError.Transaction.TransactionStartFailed": (
        "Neo4j has met an error, such as a full disk, and has to be started again once that is mended"
    ),
}
"""What a person must change, by Neo4j's code; it is tried again all the same, since a password may be
replaced while the brain runs."""

Record = Mapping[str, Any]


Credentials = Callable[[], tuple[str, str]]
"""Returns user and password, as they are now."""


def _auth(credentials: Credentials) -> AsyncAuthManager:
    async def read() -> tuple[str, str]:
        return credentials()

    return AsyncAuthManagers.basic(read)


class Database:
    """One Neo4j database; `observe` gets each query's kind and duration in seconds.

    `refusal` says what Neo4j refused last that a person must change, "" since a query succeeded. `overviews`
    is what this process keeps of departments.
    """

    refusal = ""

    def __init__(
        self,
        uri: str,
        credentials: Credentials | None,
        *,
        database: str,
        timeout_s: float,
        pool_size: int,
        observe: Callable[[str, float], None] | None = None,
    ) -> None:
        self.overviews = OverviewCache()
        self._database = database
        self._timeout_s = timeout_s
        self._observe = observe
        self._auth = _auth(credentials) if credentials else None
        self._driver = neo4j.AsyncGraphDatabase.driver(
            uri,
            auth=self._auth,
            connection_timeout=CONNECT_TIMEOUT_S,
            connection_acquisition_timeout=CONNECT_TIMEOUT_S,
            max_transaction_retry_time=RETRY_S,
            max_connection_pool_size=pool_size,
            # A connection that was idle may be to a server that has restarted since.
            liveness_check_timeout=5.0,
            max_connection_lifetime=300.0,
            keep_alive=True,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
            user_agent="gather-brain",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    async def read(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        """Run one reading query, with one trip to Neo4j where a transaction of our own would take three.

        Raises:
            UnavailableError: Neo4j is unavailable or slow; the same can succeed later.
        """

        async def work() -> list[Record]:
            failures, first_failure = 0, 0.0
            while True:
                try:
                    async with self._driver.session(
                        database=self._database, default_access_mode=neo4j.READ_ACCESS
                    ) as session:
                        timed = neo4j.Query(query, timeout=self._timeout_s)
                        return await _records(await session.run(timed, parameters))
                except (DriverError, Neo4jError) as failure:
                    first_failure = first_failure or time.monotonic()
                    if not failure.is_retryable() or time.monotonic() - first_failure > RETRY_S:
                        raise
                failures += 1
                await asyncio.sleep(READ_RETRY.wait_s(failures))

        return await self._observed(kind, work, self._timeout_s)

    async def write(self, kind: str, query: LiteralString, **parameters: Any) -> list[Record]:
        """Run one writing query in a transaction of its own, with the errors of `read`."""
        return await self._write(kind, query, parameters, self._timeout_s)

    async def write_checked(
        self, kind: str, query: LiteralString, check: Callable[[Sequence[Record]], None], **parameters: Any
    ) -> list[Record]:
        """Do as `write` does, but nothing at all if `check` raises an error for what the query returns."""
        return await self._write(kind, query, parameters, self._timeout_s, check)

    async def _write(
        self,
        kind: str,
        query: LiteralString,
        parameters: dict[str, Any],
        timeout_s: float,
        check: Callable[[Sequence[Record]], None] = lambda _: None,
    ) -> list[Record]:
        async def checked(result: neo4j.AsyncResult) -> list[Record]:
            records = await _records(result)
            check(records)
            return records

        async def work() -> list[Record]:
            # Begins with the query's own trip to Neo4j, where a session would take one more.
            return await self._driver.execute_query(
                neo4j.Query(query, timeout=timeout_s),
                parameters,
                database_=self._database,
                bookmark_manager_=None,
                result_transformer_=checked,
            )

        return await self._observed(kind, work, timeout_s)

    async def prepare(self) -> None:
        """Create constraints and indexes where they are missing, but for those of vectors.

        The index that a constraint left whose making was broken off goes first.

        Raises:
            UnavailableError: as for `read`.
        """
        left = await self.read("schema", schema_queries.LEFT_OF_CONSTRAINTS, names=schema_queries.CONSTRAINTS)
        for index in left:
            await self.write("schema", schema_queries.DROP_NAMED_INDEX, name=index["name"])
        for statement in schema_queries.STATEMENTS:
            await self._write("schema", statement, {}, SCHEMA_TIMEOUT_S)

    async def prepare_vectors(self, slot: SlotName, dimensions: int) -> None:
        """Create the slot's vector index, or replace one that differs or has failed; errors as for `read`."""
        found = await self.read("schema", schema_queries.INDEX_STATE, name=schema_queries.INDEX_NAME[slot])
        if found and (
            found[0]["state"] == "FAILED"
            or found[0]["dimensions"] != dimensions
            or not schema_queries.FILTERED.issubset(found[0]["properties"])
        ):
            await self.drop_vectors(slot)
        parameters = {"dimensions": dimensions}
        await self._write("schema", schema_queries.CREATE_INDEX[slot], parameters, SCHEMA_TIMEOUT_S)

    async def drop_vectors(self, slot: SlotName) -> None:
        """Drop the slot's vector index, if it is there; errors as for `read`."""
        await self.write("schema", schema_queries.DROP_INDEX[slot])

    async def has_vectors(self, slot: SlotName) -> bool:
        """Return whether the slot has a vector index, in whatever state; errors as for `read`."""
        name = schema_queries.INDEX_NAME[slot]
        return bool(await self.read("schema", schema_queries.INDEX_STATE, name=name))

    async def is_index_online(self, slot: SlotName) -> bool:
        """Return whether the slot's vector index is complete; errors as for `read`."""
        found = await self.read("probe", schema_queries.INDEX_STATE, name=schema_queries.INDEX_NAME[slot])
        return bool(found) and found[0]["state"] == "ONLINE"

    async def is_serving(self, slot: SlotName) -> bool:
        """Return whether Neo4j answers now and the slot's vector index serves; False for every failure."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await self.is_index_online(slot)
        except (UnavailableError, TimeoutError):
            return False

    async def _observed(
        self, kind: str, work: Callable[[], Awaitable[list[Record]]], timeout_s: float
    ) -> list[Record]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                records = await work()
                self.refusal = ""
                return records
        except (DriverError, Neo4jError, OSError, TimeoutError) as failure:
            self.refusal = refusal_of(failure)
            await self._read_again(failure)
            if is_temporary(failure):
                raise UnavailableError from failure
            raise
        finally:
            if self._observe:
                self._observe(kind, time.perf_counter() - started)

    async def _read_again(self, failure: Exception) -> None:
        """Read a refused password again.

        The driver does so by itself only for connections that it has; without this a brain whose connections
        were cut when the password was replaced would use the old one until its restart.
        """
        if self._auth and isinstance(failure, Neo4jError):
            await self._auth.handle_security_exception(await self._auth.get_auth(), failure)


async def _records(result: neo4j.AsyncResult) -> list[Record]:
    # Not `data()`, which visits every float of a vector: 0.1 s for 200 of them.
    records: list[Record] = [dict(record) async for record in result]
    return records[0][ROWS] if records and [*records[0]] == [ROWS] else records


def refusal_of(failure: BaseException | None) -> str:
    """Return what Neo4j refuses and which setting to change, "" where that is not the trouble."""
    return REFUSALS.get(failure.code or "", "") if isinstance(failure, Neo4jError) else ""


def is_temporary(failure: Exception) -> bool:
    """Return whether trying again later can help: Neo4j unavailable, busy, starting or slow."""
    if isinstance(failure, Neo4jError):
        code = failure.code or ""
        return (
            failure.is_retryable()
            or code.startswith(
                (
                    "Neo.TransientError",
                    # A full or broken disk; no query is the cause.
                    "Neo.DatabaseError.Transaction",
                    "Neo.ClientError.Security",
                    "Neo.ClientError.Database.DatabaseNotFound",
                    # A change of model ended while the request was under way.
                    "Neo.ClientError.Schema.IndexNotFound",
                    # Somebody deleted what the query had found and waited for; it will not find that again.
                    "Neo.ClientError.Statement.EntityNotFound",
                )
            )
            or "Timed" in code
            or "Terminated" in code
        )
    return isinstance(failure, OSError | TimeoutError) or (
        isinstance(failure, DriverError) and not isinstance(failure, neo4j.exceptions.ConfigurationError)
    )


def vector_parameter(vector: Matrix) -> Vector:
    """Return a vector as a query takes it: as bytes, in Neo4j's own type.

    Of a list the driver writes out every number for its log, even where nobody reads that: 0.25 ms each.
    """
    return Vector.from_numpy(vector)


def is_whole(row: Record, *names: str) -> bool:
    """Return False for the row of a node that was deleted while the query read it: all in it is null."""
    return all(row[name] is not None for name in names)


def time_text(moment: datetime, timespec: str = "seconds") -> str:
    """Return a time as Neo4j keeps it for us: ISO 8601 in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
