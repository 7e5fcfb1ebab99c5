"""Who listens to this process, however: counted, with a share for each address, asked to leave in turn."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gather_bridge.errors import SocketRefused
from gather_bridge.metrics import Metrics

TICK_S: Final = 0.05


class Listeners:
    """The open listeners.

    Args:
        most: at once.
        share: at once from one address; 0: no limit.
    """

    def __init__(self, metrics: Metrics, most: int, share: int = 0) -> None:
        self._metrics = metrics
        self._most = most
        self._share = share
        self._leave: dict[object, Callable[[], None]] = {}
        self._addresses: Counter[str] = Counter()
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Return whether the process ends."""
        return self._is_draining

    @contextmanager
    def admitted(self, address: str, leave: Callable[[], None]) -> Iterator[None]:
        """Count a listener until the block ends; raises SocketRefused. `leave` makes it end soon."""
        if len(self._leave) >= self._most:
            raise SocketRefused(503, "too_many_sockets", "too many clients are connected; try again later")
        if self._share and self._addresses[address] >= self._share:
            raise SocketRefused(503, "too_many_sockets", "too many clients of this address are connected")
        key = object()
        self._leave[key] = leave
        self._addresses[address] += 1
        self._metrics.sockets.set(len(self._leave))
        try:
            yield
        finally:
            del self._leave[key]
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            self._metrics.sockets.set(len(self._leave))

    async def drain(self, lead_s: float, spread_s: float, is_hurried: Callable[[], bool]) -> None:
        """Have all leave, evenly over `spread_s` and in no order, so that they do not come back all at once.

        Args:
            lead_s: time for the cluster to send new clients elsewhere, before the first leaves.
            spread_s: from then to the last one's leaving.
            is_hurried: says when to stop waiting.
        """
        self._is_draining = True
        if not self._leave:
            return
        now_s = asyncio.get_running_loop().time
        begin_s = now_s() + lead_s
        end_s = begin_s + spread_s
        leaves_at_s: dict[object, float] = {}
        while self._leave and now_s() < end_s + TICK_S and not is_hurried():
            for key, leave in tuple(self._leave.items()):
                due_s = leaves_at_s.setdefault(key, random.uniform(max(begin_s, now_s()), end_s))  # noqa: S311
                if now_s() >= due_s:
                    leave()
            await asyncio.sleep(TICK_S)
