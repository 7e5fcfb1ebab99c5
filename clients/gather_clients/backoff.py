"""How long to wait after repeated failures: twice as long each time, up to a limit."""

import random
from dataclasses import dataclass
from typing import Final

DOUBLINGS_MAX: Final = 60
"""Enough for any limit, and no overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits of `first_s`, twice that, and so on up to `last_s` seconds.

    `jitter` says which part of a wait is waited: a number drawn between the two, so that many callers do not
    come back all at once. (0, 1) is full jitter; (1, 1) is none.
    """

    first_s: float
    last_s: float
    jitter: tuple[float, float] = (1.0, 1.0)

    def wait_s(self, failures: int, chance: float | None = None) -> float:
        """Return the wait after so many failures in a row, 1 at least; `chance`, 0 to 1, is drawn if None."""
        whole_s = min(self.first_s * 2.0 ** min(max(failures - 1, 0), DOUBLINGS_MAX), self.last_s)
        drawn = random.random() if chance is None else chance  # noqa: S311 - spreads load, no secret
        least, most = self.jitter
        return whole_s * (least + (most - least) * drawn)
