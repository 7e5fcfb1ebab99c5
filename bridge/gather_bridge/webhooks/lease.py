"""Which bridge delivers webhooks: one, though any number serve sockets.

A lease of 12 s in the store that the events come from. Its holder renews it every 2 s and begins no call
later than 6 s after it asked for the last renewal that succeeded: a call takes 5 s, so that it is over before
another bridge begins. After a SIGTERM the lease is given back; after a SIGKILL another has it within 13 s.
"""

import logging
import secrets
import socket
import time
from collections.abc import Callable
from typing import Final, Protocol

from gather_bridge.webhooks.sources import UNAVAILABLE

logger = logging.getLogger(__name__)

DURATION_S: Final = 12.0
RENEW_S: Final = 2.0
ASK_S: Final = 1.0
"""How often a bridge without the lease asks for it."""
VALID_S: Final = 6.0


class LeaseStore(Protocol):
    """Keeps the lease; each call raises what is in UNAVAILABLE."""

    async def hold(self, holder: str, duration_s: float) -> bool:
        """Take or renew it; return whether it is held."""

    async def release(self, holder: str) -> None:
        """Give it back."""


class Lease:
    """This process's part in it."""

    def __init__(self, store: LeaseStore, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._store = store
        self._clock = clock
        self._holder = f"{socket.gethostname()[:200]}_{secrets.token_hex(4)}"
        self._asked_s: float | None = None

    @property
    def is_valid(self) -> bool:
        """Return whether a call may begin now."""
        return self._asked_s is not None and self._clock() - self._asked_s < VALID_S

    async def keep(self) -> float:
        """Take or renew the lease once; return after how many seconds to do so again."""
        asked_s = self._clock()
        try:
            is_held = await self._store.hold(self._holder, DURATION_S)
        except UNAVAILABLE as error:
            # It may still be ours: `is_valid` ends by itself.
            logger.info("the webhooks' lease is not renewed", extra={"error": str(error)[:300]})
            return ASK_S
        self._asked_s = asked_s if is_held else None
        return RENEW_S if is_held else ASK_S

    async def release(self) -> None:
        """Let another bridge go on at once, if the store answers."""
        if self._asked_s is None:
            return
        self._asked_s = None
        try:
            await self._store.release(self._holder)
        except UNAVAILABLE as error:
            logger.info("the webhooks' lease runs out by itself", extra={"error": str(error)[:300]})
