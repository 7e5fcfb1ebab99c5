"""A MongoDB that is optional: few connections, no wait without an end, and an address that may change."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from gather_clients.configuration import secret_now

T = TypeVar("T")

POOL_MAX: Final = 4
CLOSE_TIMEOUT_S: Final = 5.0
"""The driver waits until each task of its own has ended, without a limit."""

_LOGGER = logging.getLogger(__name__)


class MongoConnection:
    """A client whose every wait is at most `timeout_s`, and for an answer `answer_s` more.

    The driver keeps user and password for good. So after a failure the address is read again from its file,
    and the client opened again if it is another one: a password may be replaced, and connections cut.
    """

    def __init__(
        self, uri: str, timeout_s: float, appname: str, *, answer_s: float = 0.0, **options: Any
    ) -> None:
        """Raises ValueError if `uri` is no address, without any part of it."""
        limit_ms = int(timeout_s * 1000)
        self._uri = uri
        self._options = {
            "serverSelectionTimeoutMS": limit_ms,
            "connectTimeoutMS": limit_ms,
            "socketTimeoutMS": limit_ms + int(answer_s * 1000),
            "maxPoolSize": POOL_MAX,
            "tz_aware": True,
            "appname": appname,
            **options,
        }
        self.client = self._opened(uri)
        self._closing: set[asyncio.Task[None]] = set()
        """Clients of former addresses."""

    async def call(self, work: Awaitable[T], limit_s: float) -> T:
        """Return the work's result; raises PyMongoError, and TimeoutError after `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except (PyMongoError, TimeoutError):
            self._read_again()
            raise

    async def close(self) -> None:
        """Close the connections, within `CLOSE_TIMEOUT_S`."""
        closing = {asyncio.create_task(self.client.close()), *self._closing}
        _, late = await asyncio.wait(closing, timeout=CLOSE_TIMEOUT_S)
        for each in late:
            each.cancel()
        if late:
            _LOGGER.warning("clients of MongoDB that did not close: %d", len(late))

    def _read_again(self) -> None:
        uri = secret_now("MONGODB_URI", self._uri)
        if uri == self._uri:
            return
        try:
            opened = self._opened(uri)
        except ValueError as error:
            _LOGGER.warning("the former address stays: %s", error)
            return
        closing = asyncio.create_task(self.client.close())  # which may wait for a server that is gone
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self.client, self._uri = opened, uri
        _LOGGER.info("MONGODB_URI has changed: MongoDB is called at its new address")

    def _opened(self, uri: str) -> AsyncMongoClient[dict[str, Any]]:
        try:
            return AsyncMongoClient(uri, **self._options)
        except (PyMongoError, ValueError):
            raise ValueError("MONGODB_URI: is not the address of a MongoDB") from None
