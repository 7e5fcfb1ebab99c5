"""Celery events on their way out: a thread of their own, so that a Redis that hangs delays nothing else."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

EVENTS_MAX: Final = 1000
CLOSE_S: Final = 2.0


class CeleryEvents:
    """Sends one event after the other; the oldest are dropped while they cannot be sent."""

    def __init__(self, send: Callable[..., None], on_dropped: Callable[[], None]) -> None:
        """`send` may take as long as it likes; `on_dropped` is called for each event that is lost."""
        self._send = send
        self._on_dropped = on_dropped
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(EVENTS_MAX)
        self._thread = threading.Thread(target=self._run, name="celery-events", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, kind: str, fields: dict[str, Any]) -> None:
        """Send an event soon; returns at once."""
        while True:
            try:
                self._waiting.put_nowait((kind, fields))
            except queue.Full:
                self._drop()
            else:
                return

    def close(self) -> None:
        """End once all are sent, or after some seconds."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)

    def _drop(self) -> None:
        try:
            self._waiting.get_nowait()
        except queue.Empty:
            return
        self._on_dropped()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            kind, fields = item
            self._send(kind, **fields)
