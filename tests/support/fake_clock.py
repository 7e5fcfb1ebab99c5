"""A clock for tests of what depends on time: seconds pass only when the test says so."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Returns `now_s` when it is called."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now_s
