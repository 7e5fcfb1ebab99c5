"""The department's events for the run's webhook, written into the outbox before anybody hears of them.

MongoDB is waited for as for notes, so that an attempt that ends without it is repeated by the next one, with
its events. What is refused is not: the run does not fail because of its webhook.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from pymongo import AsyncMongoClient

from gather_clients.outbox.event_insert import insert_event
from gather_contracts import names
from gather_contracts.events import Event
from gather_worker.errors import WriteRefused

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)


class Store(Protocol):
    """What waits for MongoDB."""

    @property
    def client(self) -> AsyncMongoClient[dict[str, Any]]:
        """Return the connection."""

    async def persist(self, operation: Callable[[], Awaitable[T]], collection: str) -> T:
        """Return the operation's result; raises StoreUnavailable or WriteRefused."""


class OutboxEvents:
    """Writes the events of a run whose document says that it has an outbox."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url

    async def write(self, event: Event) -> None:
        """Write the event, once however often it is sent; raises StoreUnavailable."""
        try:
            await self._store.persist(
                lambda: insert_event(self._store.client, event, self._url), names.OUTBOX_EVENTS
            )
        except WriteRefused as refused:
            _LOGGER.error("the run's webhook does not get %s: %s", event.type, refused)  # noqa: TRY400 - no trace
