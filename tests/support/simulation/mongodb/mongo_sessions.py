"""Commands to the MongoDB in memory, and sessions with transactions, both as the driver carries them out.

A write of a replica set is sent once more after a broken connection, under the number by which the server
knows it again; `with_transaction` repeats what is worth it.
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    NetworkTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from tests.support.simulation.mongodb.mongo_in_memory import NO_SUCH_TRANSACTION, MongoInMemory, transient
from tests.support.simulation.processes import CURRENT
from tests.support.simulation.virtual_time import monotonic
from tests.support.simulation.wire import Unreachable, Wire

T = TypeVar("T")

SELECTION_S: Final = 2.0
SOCKET_S: Final = 10.0
TRANSACTION_RETRY_S: Final = 120.0
TRANSIENT: Final = "TransientTransactionError"


class Calls:
    """Commands to one server over the wire."""

    def __init__(self, server: MongoInMemory, wire: Wire) -> None:
        self.server = server
        self._wire = wire

    async def send(
        self,
        what: str,
        effect: Callable[[], T],
        *,
        is_repeatable: bool = True,
        limit_s: float = SOCKET_S,
    ) -> T:
        """Return what the server answers; a broken connection is tried once more where that is safe."""
        done: list[T] = []

        def once() -> T:
            if not done:
                done.append(effect())
            return done[0]

        try:
            return await self._wire.call("mongodb", what, once, limit_s=limit_s)
        except Unreachable as error:
            if error.kind != "reset" or not (is_repeatable and self.server.has_transactions):
                raise await self._failure(error) from error
        try:
            return await self._wire.call("mongodb", f"{what} again", once, limit_s=limit_s)
        except Unreachable as error:
            raise await self._failure(error) from error

    async def _failure(self, error: Unreachable) -> ConnectionFailure:
        if error.kind == "refused":
            await asyncio.sleep(SELECTION_S)
            return ServerSelectionTimeoutError("no server")
        return NetworkTimeout("timed out") if error.kind == "timeout" else AutoReconnect("connection closed")


class Session:
    """One session of one worker."""

    def __init__(self, calls: Calls) -> None:
        self.session_id: Mapping[str, Any] = {"id": uuid.uuid4().bytes}
        self.key: bytes = self.session_id["id"]
        self.number = 0
        self.is_in_transaction = False
        self._has_begun = False
        self._calls = calls
        self._process = CURRENT.get()

    async def with_transaction(self, callback: Callable[["Session"], Awaitable[T]], **_: Any) -> T:
        """Run the callback in a transaction, again and again where that may help."""
        began_s = monotonic()
        while True:
            self.number += 1
            self.is_in_transaction, self._has_begun = True, False
            try:
                result = await callback(self)
            except BaseException as error:
                await self._abort()
                if _has_label(error, TRANSIENT) and monotonic() - began_s < TRANSACTION_RETRY_S:
                    await asyncio.sleep(random.random() * 0.05)  # noqa: S311 - no secret
                    continue
                raise
            if await self._commit(began_s):
                return result

    async def end_session(self) -> None:
        """Its transaction, if one is open, ends."""
        if self.is_in_transaction:
            await self._abort()

    def join(self, number: int) -> None:
        """At the server: take a command into the transaction of that number, which its first one begins."""
        if number != self.number:
            raise transient("the transaction is over", NO_SUCH_TRANSACTION)
        if not self._has_begun:
            self._calls.server.begin(self.key, self._process)
            self._has_begun = True

    async def _commit(self, began_s: float) -> bool:
        """Return whether it is committed; False: the whole transaction has to be tried again."""
        number = self.number
        try:
            while True:
                try:
                    await self._calls.send("commit", lambda: self._calls.server.commit(self.key, number))
                except ConnectionFailure:
                    if monotonic() - began_s > TRANSACTION_RETRY_S:
                        raise
                    continue
                except PyMongoError as error:
                    if _has_label(error, TRANSIENT) and monotonic() - began_s < TRANSACTION_RETRY_S:
                        return False
                    raise
                return True
        finally:
            self.is_in_transaction = False

    async def _abort(self) -> None:
        self.is_in_transaction = False
        if self._has_begun:
            with_errors = self._calls.send("abort", lambda: self._calls.server.abort(self.key))
            try:
                await with_errors
            except PyMongoError:
                return


def _has_label(error: BaseException, label: str) -> bool:
    return isinstance(error, PyMongoError) and error.has_error_label(label)
