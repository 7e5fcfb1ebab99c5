"""A file of a mounted Secret, which is read again when it has changed."""

import time
from collections.abc import Callable
from pathlib import Path


class WatchedFile:
    """Says when a file has changed; looks at it once in `interval_s` at most."""

    def __init__(self, path: Path, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds. What is read right after this is what later changes are changes of."""
        self.path = path
        self._interval_s = interval_s
        self._clock = clock
        self._changed_at_ns = self._modified_ns()
        self._looked_at_s = clock()

    @property
    def is_there(self) -> bool:
        """Return whether there was a file at the last look."""
        return bool(self._changed_at_ns)

    def has_changed(self) -> bool:
        """Return whether it is another one than at the last look, also if it has come or gone."""
        if self._clock() - self._looked_at_s < self._interval_s:
            return False
        self._looked_at_s = self._clock()
        before, self._changed_at_ns = self._changed_at_ns, self._modified_ns()
        return self._changed_at_ns != before

    def _modified_ns(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0
