"""The newest events of all feeds, in memory once for all listeners, within a bound that the feeds share."""

from collections import OrderedDict, deque
from typing import Final

from gather_bridge.live.batch import Batch

NEWEST_EVENTS: Final = 256
"""Kept of one project."""
NEWEST_MAX_BYTES: Final = 16 * 1024 * 1024
"""Kept of all projects."""

Line = deque[Batch]
"""One feed's, the oldest first; changed by `NewestEvents` alone."""


class NewestEvents:
    """Keeps them; what is oldest of all makes room, and a feed that ends leaves nothing."""

    def __init__(self, max_bytes: int = NEWEST_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lines: OrderedDict[Batch, Line] = OrderedDict()
        """Whose each batch is, the oldest first."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: Line, batch: Batch) -> None:
        """Keep a batch at the end of a feed's line."""
        line.append(batch)
        self._lines[batch] = line
        self._bytes += batch.size_bytes
        if len(line) > NEWEST_EVENTS:
            self._drop_first(line)
        while self._bytes > self._max_bytes:
            self._drop_first(next(iter(self._lines.values())))

    def clear(self, line: Line) -> None:
        """Keep nothing more of a feed."""
        while line:
            self._drop_first(line)

    def _drop_first(self, line: Line) -> None:
        batch = line.popleft()
        del self._lines[batch]
        self._bytes -= batch.size_bytes
