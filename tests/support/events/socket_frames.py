"""What a bridge sends over a WebSocket, without its heartbeats, of which one follows the other."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from websockets.sync.client import ClientConnection

LIMIT_S: Final = 300
"""Longer than a run of a test takes."""


def frames_of(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    """Yield the frames that are no heartbeats; raises TimeoutError after `LIMIT_S`."""
    ends_at = time.monotonic() + LIMIT_S
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=max(0.0, ends_at - time.monotonic())))
        if frame["type"] != "heartbeat":
            yield frame
