"""Work that can wait, by key: scheduled twice it is done once, and never more waits than a limit allows."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayQueue(Generic[T]):
    """Up to `limit` pieces of work, each under its key and due at a time; for one event loop."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._waiting: dict[str, tuple[float, T]] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: str, work: T, delay_s: float) -> bool:
        """Keep the work until it is due; return False where there is no room.

        Work that waits under the key already keeps its time, so that asking again never delays it.
        """
        due, _ = self._waiting.get(key, (self._clock() + delay_s, None))
        if key not in self._waiting and len(self._waiting) >= self._limit:
            return False
        self._waiting[key] = (due, work)
        self._changed.set()
        return True

    async def next(self) -> T:
        """Return the work that is due first, as soon as it is due."""
        while True:
            self._changed.clear()
            key = min(self._waiting, key=lambda key: self._waiting[key][0], default=None)
            if key is not None and self._waiting[key][0] <= self._clock():
                return self._waiting.pop(key)[1]
            remaining_s = None if key is None else self._waiting[key][0] - self._clock()
            try:
                async with asyncio.timeout(remaining_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
