"""Who may go next, where few can at a time: whoever has had least since it came."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Share:
    """What one request has had; it starts level with those that are being served when it comes."""

    had: float


@dataclass(order=True, slots=True)
class _Waiting:
    had: float
    number: int
    admitted: asyncio.Future[None] = field(compare=False)


class Turns:
    """Admits `places` at a time, by start-time fair queueing (Goyal, Vin and Cheng, 1996).

    A request that needs one turn goes before the further turns of longer ones, and none waits for ever: each
    turn moves its own request back, and one that comes later starts no further in front than the last
    admitted.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[_Waiting] = []
        self._now = 0.0
        self._number = 0

    def join(self) -> Share:
        """Return the share of a request that comes now."""
        return Share(self._now)

    @asynccontextmanager
    async def turn(self, share: Share, cost: float) -> AsyncIterator[None]:
        """Wait for a place and hold it; `cost` is what the turn takes, in any unit that all turns share."""
        had, share.had = share.had, share.had + cost
        await self._admission(had)
        try:
            yield
        finally:
            self._free += 1
            self._admit()

    async def _admission(self, had: float) -> None:
        self._number += 1
        waiting = _Waiting(had, self._number, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiting)
        self._admit()
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.done() and not waiting.admitted.cancelled():
                # Admitted in the moment in which it gave up: the place goes on to the next.
                self._free += 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._free and self._waiting:
            first = heapq.heappop(self._waiting)
            if not first.admitted.cancelled():
                self._free -= 1
                self._now = max(self._now, first.had)
                first.admitted.set_result(None)
