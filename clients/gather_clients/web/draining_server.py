"""uvicorn that drains: after SIGTERM it still accepts requests for a while.

Kubernetes sends SIGTERM and takes a pod out of its Services at the same time; a server that stopped at once
would refuse what Services still send.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType

import uvicorn


class DrainingServer(uvicorn.Server):
    """Serves for `drain_s` after the first SIGTERM, then finishes the requests under way.

    A second SIGTERM ends draining early. `on_drain` is called when it begins, to fail the readiness probe.
    """

    def __init__(self, config: uvicorn.Config, *, drain_s: float, on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain_s = drain_s
        self._on_drain = on_drain
        self._ends_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start draining, or stop."""
        if sig == signal.SIGTERM and self._ends_at is None and self.started:
            self._ends_at = time.monotonic() + self._drain_s
            self._on_drain()
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time is up; uvicorn calls this ten times a second."""
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)
