"""Fair admission to a limited resource: the waiting request that has used least goes next."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Flow:
    """One request's turns; `used` starts level with the requests that are being served when it comes."""

    used: float


@dataclass(order=True, slots=True)
class _Waiting:
    used: float
    number: int
    admitted: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Admits `places` at a time, by start-time fair queueing (Goyal, Vin and Cheng, 1996).

    A request that needs one turn goes before the further turns of longer ones, and none starves: each turn
    moves its own request back, and one that comes later starts no further in front than the last admitted.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[_Waiting] = []
        self._virtual_time = 0.0
        self._number = 0

    def join(self) -> Flow:
        """Return the flow of a request that comes now."""
        return Flow(self._virtual_time)

    @asynccontextmanager
    async def turn(self, flow: Flow, cost: float) -> AsyncIterator[None]:
        """Wait for a place and hold it; `cost` is what the turn takes, in one unit for all turns."""
        self._number += 1
        waiting = _Waiting(flow.used, self._number, asyncio.get_running_loop().create_future())
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
            first = heapq.heappop(self._waiting)
            if not first.admitted.cancelled():
                self._free -= 1
                self._virtual_time = max(self._virtual_time, first.used)
                first.admitted.set_result(None)
