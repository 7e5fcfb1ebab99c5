"""The connection to MongoDB: one project's database, and patience while it is unavailable.

While MongoDB is unavailable every call is repeated with growing waits for `patience_s`, after SIGTERM for
what is left of the grace period, and then raises StoreUnavailable. What MongoDB refuses it would refuse every
time, so that raises WriteRefused at once.
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
from gather_contracts import names
from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.errors import StoreUnavailable, WriteRefused
from gather_worker.metrics import METER
from gather_worker.services.refusals import refusal_of

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
        self._attempt = attempt
        self._patience_s = patience_s
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
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

        Raises StoreUnavailable, and WriteRefused for what would be refused every time.
        """
        ends_at = time.monotonic() + self._patience_s
        failures = 0
        while True:
            try:
                with METER.timing(Timer.STORE):
                    async with asyncio.timeout(timeout_s):
                        return await operation()
            except (PyMongoError, TimeoutError) as error:
                if refusal := refusal_of(error):
                    # Not chained: MongoDB's own message can hold the note.
                    raise WriteRefused(f"{self.database.name}.{collection}: {refusal}") from None
                if isinstance(error, BSONError | InvalidOperation):
                    raise
                failures += 1
                wait_s = BACKOFF.wait_s(failures)
                left_s = min(ends_at - time.monotonic(), self._attempt.saving_remaining_s)
                if left_s <= wait_s:
                    raise StoreUnavailable(f"MongoDB is unavailable: {type(error).__name__}") from error
                level = logging.ERROR if failures == 1 else logging.WARNING
                _LOGGER.log(level, "MongoDB is unavailable; retrying: %s", type(error).__name__)
            await self._attempt.back_off(wait_s)
