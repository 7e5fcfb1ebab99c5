"""What a model has before it, and how long a further request would be held up by that."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SPEED_SHARE = 0.1
"""Of the latest turn in what a turn is taken to cost, so that one slow turn says little."""


@dataclass(slots=True)
class Work:
    """A request under way; `left` is what is still to be embedded of it."""

    left: float


class Backlog:
    """The requests under way, in the unit of their turns' costs, and how fast they are served."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._works: dict[int, Work] = {}
        self._unit_s: float | None = None

    def __len__(self) -> int:
        """Return how many requests are under way."""
        return len(self._works)

    @contextmanager
    def work(self, cost: float) -> Iterator[Work]:
        """Count a request in while it lasts."""
        work = Work(cost)
        self._works[id(work)] = work
        try:
            yield work
        finally:
            del self._works[id(work)]

    def served(self, work: Work, cost: float, duration_s: float) -> None:
        """Note that a turn of a request is done, and how long the model took for it."""
        work.left -= cost
        unit_s = duration_s / cost
        known = unit_s if self._unit_s is None else self._unit_s
        self._unit_s = known + SPEED_SHARE * (unit_s - known)

    def wait_s(self, cost: float) -> float:
        """Return how long those under way would hold up a further request of this cost.

        Each by its own size at most, since turns are fair; 0 before anything was served.
        """
        ahead = sum(min(work.left, cost) for work in self._works.values())
        return ahead * (self._unit_s or 0.0) / self._lanes
