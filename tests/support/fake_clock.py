"""A clock for tests of what depends on time: seconds pass only when the test says so."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Gives `now_s` to whoever asks what time it is."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now_s
