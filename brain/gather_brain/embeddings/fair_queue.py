"""Fair admission to a limited resource: who has used least goes next, and now and then the oldest."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

OLDEST_EVERY: Final = 4
"""One turn in so many is the oldest request's: where more short ones come than can be served, one that needs
several turns would never end, and all that was done for it would be lost."""


@dataclass(slots=True)
class Flow:
    """One request's turns; `used` starts level with the requests that are being served when it comes."""

    used: float
    number: int


@dataclass(order=True, slots=True)
class _Waiting:
    used: float
    number: int
    flow: Flow = field(compare=False)
    admitted: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Admits `places` at a time, by start-time fair queueing (Goyal, Vin and Cheng, 1996).

    A request that needs one turn goes before the further turns of longer ones: each turn moves its own
    request back, and one that comes later starts no further in front than the last admitted. None starves,
    since every fourth turn is the oldest request's.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[_Waiting] = []
        self._virtual_time = 0.0
        self._number = 0
        self._joined = 0
        self._admitted = 0

    def join(self) -> Flow:
        """Return the flow of a request that comes now."""
        self._joined += 1
        return Flow(self._virtual_time, self._joined)

    @asynccontextmanager
    async def turn(self, flow: Flow, cost: float) -> AsyncIterator[None]:
        """Wait for a place and hold it; `cost` is what the turn takes, in one unit for all turns."""
        self._number += 1
        waiting = _Waiting(flow.used, self._number, flow, asyncio.get_running_loop().create_future())
        flow.used += cost
        heapq.heappush(self._waiting, waiting)
        self._admit()
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.done() and not waiting.admitted.cancelled():
                # Admitted at the moment in which it gave up: the place goes to the next.
                self._release()
            raise
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        while self._free and self._waiting:
            first = self._next()
            if not first.admitted.cancelled():
                self._free -= 1
                self._admitted += 1
                first.admitted.set_result(None)

    def _next(self) -> _Waiting:
        if self._admitted % OLDEST_EVERY == OLDEST_EVERY - 1:
            oldest = min(self._waiting, key=lambda waiting: waiting.flow.number)
            self._waiting.remove(oldest)
            heapq.heapify(self._waiting)
            return oldest
        first = heapq.heappop(self._waiting)
        self._virtual_time = max(self._virtual_time, first.used)
        return first
