"""How many exports are made at once: of all projects so many, and of one project not all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gather_bridge.errors import SocketRefused

WAIT_S: Final = 5.0
"""For a place; most exports take less."""
WAITING_MAX: Final = 20
WAITING_OF_ONE: Final = 5
"""Of one project: the others' have room to wait, too."""
RETRY_AFTER_S: Final = 5


class ExportSlots:
    """Places for exports."""

    def __init__(self, most: int, most_of_one: int = 1, wait_s: float = WAIT_S) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._wait_s = wait_s
        self._taken: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, project_id: str) -> AsyncIterator[None]:
        """Have a place until the block ends; raises SocketRefused if none is free in time."""
        await self._take(project_id)
        try:
            yield
        finally:
            self._taken[project_id] -= 1
            self._taken += Counter()
            async with self._freed:
                self._freed.notify_all()

    async def _take(self, project_id: str) -> None:
        if self._waiting.total() >= WAITING_MAX or self._waiting[project_id] >= WAITING_OF_ONE:
            raise self._refusal(project_id)
        self._waiting[project_id] += 1
        try:
            async with asyncio.timeout(self._wait_s), self._freed:
                await self._freed.wait_for(lambda: self._is_free(project_id))
                self._taken[project_id] += 1
        except TimeoutError:
            raise self._refusal(project_id) from None
        finally:
            self._waiting[project_id] -= 1
            self._waiting += Counter()

    def _is_free(self, project_id: str) -> bool:
        return self._taken[project_id] < self._most_of_one and self._taken.total() < self._most

    def _refusal(self, project_id: str) -> SocketRefused:
        if self._taken[project_id] >= self._most_of_one:
            message = "another export of this project is being made; try again"
            return SocketRefused(429, "too_many_exports", message, retry_after_s=RETRY_AFTER_S)
        message = "as many exports as this bridge makes at once are being made; try again"
        return SocketRefused(503, "busy", message, retry_after_s=RETRY_AFTER_S)
