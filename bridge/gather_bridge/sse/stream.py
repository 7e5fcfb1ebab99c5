"""One client's event stream from its first byte to its last."""

import asyncio
import json
import random
from typing import Final

from starlette.types import Receive, Send

from gather_bridge.access.asked import Asked
from gather_bridge.errors import ClientGone
from gather_bridge.live.batch import Batch
from gather_bridge.live.follower import Follower
from gather_bridge.live.frames import LOG_AWAY, CloseCode, SessionEnded
from gather_bridge.metrics import CLIENT, Metrics
from gather_bridge.sse import wire_format
from gather_clients.event_log import EventLogUnavailable

MEDIA_TYPE: Final = "text/event-stream"
RETRY_MS: Final = (1000, 5000)
"""After so long a browser comes back; each client has a time of its own, so that they do not come at once."""
HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store, no-transform"),
    # nginx, and what understands it: no buffering.
    (b"x-accel-buffering", b"no"),
    # A stream that has ended leaves nothing of its connection to others.
    (b"connection", b"close"),
]


class EventStream:
    """Sends one project's events as the answer to a request."""

    def __init__(
        self, send: Send, follower: Follower, metrics: Metrics, project_id: str, asked: Asked
    ) -> None:
        self._send = send
        self._follower = follower
        self._metrics = metrics
        self._project_id = project_id
        self._asked = asked

    async def run(self, receive: Receive) -> None:
        """Send until either side ends it."""
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._write(f"retry: {random.randint(*RETRY_MS)}\n\n".encode())  # noqa: S311 - no secret
        hearing = asyncio.create_task(self._hear(receive))
        end: tuple[CloseCode, str] | None = None
        try:
            await self._follower.run(self._project_id, self._asked.position, self._pass_on, self._asked.run)
        except ClientGone:
            self._metrics.closed.labels(why=CLIENT).inc()
        except SessionEnded as ended:
            end = ended.code, ended.reason
        except EventLogUnavailable:
            end = LOG_AWAY
        finally:
            hearing.cancel()
        await self._finish(end)

    async def _finish(self, end: tuple[CloseCode, str] | None) -> None:
        """Say why it ends, in an event that has no place in the log."""
        last = b""
        if end is not None:
            self._metrics.closed.labels(why=end[0].name.lower()).inc()
            last = f"event: close\ndata: {json.dumps({'code': end[0], 'reason': end[1]})}\n\n".encode()
        await self._send({"type": "http.response.body", "body": last})

    async def _pass_on(self, batch: Batch) -> None:
        """Write a batch; waits while the client reads nothing, until the server ends the connection."""
        for chunk in wire_format.chunks(batch):
            await self._write(chunk)
        self._metrics.frames.inc(len(batch.texts))

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _hear(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._follower.end(ClientGone())
