"""The connection to MongoDB: one project's database, and patience while it is unavailable.

While MongoDB is unavailable every call is repeated with growing waits for `patience_s`, after SIGTERM for
what is left of the grace period, and then raises StoreUnavailable. What MongoDB refuses it would refuse every
time, so that raises at once: InvalidInput for a user or a password that is not accepted, WriteRefused for the
rest. A password that was accepted before in this process, or that its file no longer has, was replaced
meanwhile; the next attempt reads the new one, so that raises StoreUnavailable.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from bson.errors import BSONError
from pymongo import AsyncMongoClient
from pymongo.errors import InvalidOperation, PyMongoError
from pymongo.write_concern import WriteConcern

from gather_clients.backoff import Backoff
from gather_clients.configuration import secret_now
from gather_clients.mongodb.refusals import Refusal, refusal_of, trouble_of
from gather_contracts import names
from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.errors import InvalidInput, StoreUnavailable, WorkerError, WriteRefused
from gather_worker.metrics import METER

T = TypeVar("T")
Document = dict[str, Any]

SELECT_TIMEOUT_MS: Final = 2_000
OPERATION_TIMEOUT_S: Final = 10.0
FOLLOWED: Final = WriteConcern(w=1)
"""For a write that one with the client's concern follows at once: both are in one journal, so that what
confirms that one has this one too."""
BACKOFF: Final = Backoff(0.2, 5.0)

_LOGGER = logging.getLogger(__name__)


class ProjectDatabase:
    """One project's database, as one worker uses it."""

    def __init__(self, uri: str, project_id: str, attempt: Attempt, patience_s: float) -> None:
        """Raises InvalidInput if `uri` is no address."""
        self._uri = uri
        self._attempt = attempt
        self._patience_s = patience_s
        self._was_accepted = False
        self.failures = 0
        """Calls without an answer: a killed MongoDB may have lost what it had not confirmed."""
        self._client = _opened(uri)
        self.project_id = project_id
        self.database = self._client[names.gather_database(project_id)]
        self.items = self.database[names.ITEMS_COLLECTION]
        self.checkpoints = self.database[names.CHECKPOINTS_COLLECTION]

    @property
    def client(self) -> AsyncMongoClient[Document]:
        """Return the connection, for what belongs to no project."""
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def persist(
        self,
        operation: Callable[[], Awaitable[T]],
        collection: str = names.ITEMS_COLLECTION,
        timeout_s: float = OPERATION_TIMEOUT_S,
    ) -> T:
        """Return the operation's result; it is tried again while MongoDB is unavailable.

        Raises StoreUnavailable, and InvalidInput or WriteRefused for what would be refused every time.
        """
        ends_at = time.monotonic() + self._patience_s
        failures = 0
        while True:
            try:
                with METER.timing(Timer.STORE):
                    async with asyncio.timeout(timeout_s):
                        result = await operation()
                self._was_accepted = True
            except (PyMongoError, BSONError, TimeoutError) as error:
                if refusal := refusal_of(error):
                    # Not chained: MongoDB's own message can hold the note.
                    raise self._refused(refusal, collection) from None
                if isinstance(error, BSONError | InvalidOperation):
                    raise
                failures += 1
                self.failures += 1
                wait_s = BACKOFF.wait_s(failures)
                left_s = min(ends_at - time.monotonic(), self._attempt.saving_remaining_s)
                if left_s <= wait_s:
                    raise StoreUnavailable(trouble_of(error)) from error
                level = logging.ERROR if failures == 1 else logging.WARNING
                _LOGGER.log(level, "%s; retrying", trouble_of(error))
            else:
                return result
            await self._attempt.back_off(wait_s)

    def _refused(self, refusal: Refusal, collection: str) -> WorkerError:
        if refusal.is_of_credentials and self._was_accepted:
            return StoreUnavailable(f"{refusal}; it was accepted until now, the next attempt reads it again")
        if refusal.is_of_credentials and secret_now("MONGODB_URI", self._uri) != self._uri:
            return StoreUnavailable(f"{refusal}; it was replaced meanwhile, the next attempt reads it again")
        if refusal.is_of_credentials:
            return InvalidInput(f"settings: {refusal}")
        return WriteRefused(f"{self.database.name}.{collection}: {refusal}")


def _opened(uri: str) -> AsyncMongoClient[Document]:
    try:
        return AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=SELECT_TIMEOUT_MS,
            connectTimeoutMS=SELECT_TIMEOUT_MS,
            socketTimeoutMS=int(OPERATION_TIMEOUT_S * 1000),
            maxPoolSize=4,
            # What is acknowledged survives a mongod that is killed, and a change of primaries.
            w="majority",
            journal=True,
            tz_aware=True,
            appname=names.WORKER_NAME,
        )
    except (PyMongoError, ValueError) as error:
        # The library's text may quote the address, and with it the password.
        raise InvalidInput(f"settings: MONGODB_URI: it is malformed ({type(error).__name__})") from None
