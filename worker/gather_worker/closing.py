"""Clients closed at the end of an attempt."""

import asyncio
import logging
from typing import Final, Protocol

CLOSE_TIMEOUT_S: Final = 2.0

_LOGGER = logging.getLogger(__name__)


class Closable(Protocol):
    """What holds connections."""

    async def close(self) -> None:
        """Close them."""


async def close_within_bounds(opened: Closable) -> None:
    """Close, but not for long: a store that hangs must not hold up the exit."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await opened.close()
    except Exception as error:  # noqa: BLE001 - the attempt is over, and its result must be written
        _LOGGER.warning("%s did not close: %s", type(opened).__name__, type(error).__name__)
