"""What a bridge sends over a WebSocket, without its heartbeats, which come for ever."""

import json
import time
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import ClientConnection


def frames_of(socket: ClientConnection, limit_s: float) -> Iterator[dict[str, Any]]:
    """Yield the frames that are no heartbeats; raises TimeoutError after `limit_s`."""
    ends_at = time.monotonic() + limit_s
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=max(0.0, ends_at - time.monotonic())))
        if frame["type"] != "heartbeat":
            yield frame
