"""A session shares the process with others: much to send must not keep them waiting."""

import asyncio
import json
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect

from gather_bridge.live.batch import Batch
from gather_bridge.live.follower import Follower, Limits
from gather_bridge.live.hub import Hub
from gather_bridge.live.pages import READ_EVENTS, Pages
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from gather_bridge.websocket.session import Session
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import Deduplicating
from tests.support.events.stored_events import stored

P = "66f1a2b3c4d5e6f708192a3b"
EVENTS = 300


class FullLog:
    """A log with `EVENTS` events."""

    async def position(self, project_id: str) -> tuple[str, int]:  # noqa: ARG002 - one project
        return ("e1", EVENTS)

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:
        last = min(after_offset + limit, EVENTS)
        return [
            stored(Deduplicating(project_id=project_id, run="film", department="story", offset=n, epoch="e1"))
            for n in range(after_offset + 1, last + 1)
        ]


class QuickSocket:
    """Takes everything at once, as a socket does while its buffer has room; the client goes at some frame."""

    def __init__(self, gone_after: int) -> None:
        self.sent: list[Any] = []
        self._gone_after = gone_after
        self._gone = asyncio.Event()

    is_flooded = False

    async def send(self, batch: Batch, timeout_s: float) -> None:  # noqa: ARG002
        self.sent += map(json.loads, batch.texts)
        if len(self.sent) >= self._gone_after:
            self._gone.set()

    def make_way(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def close(self, code: int, reason: str) -> None:
        raise WebSocketDisconnect(code, reason)


def session(socket: QuickSocket) -> Session:
    log = FullLog()
    limits = Limits(replay_events=1000, heartbeat_interval_s=5, send_timeout_s=5)
    follower = Follower(
        Hub(log, Metrics()), Pages(log), metrics=Metrics(), limits=limits, is_live=lambda: True
    )
    return Session(cast(WebSocket, socket), socket, follower, Metrics(), limits.send_timeout_s)


async def test_others_have_their_turn_between_two_pages() -> None:
    """A replay of thousands of events to one client delays no other client."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    socket = QuickSocket(gone_after=EVENTS + 1)
    await session(socket).run(P, Position())
    others.cancel()
    assert [frame["offset"] for frame in socket.sent[1:]] == list(range(1, EVENTS + 1))
    assert turns >= EVENTS // READ_EVENTS


async def test_a_client_that_is_gone_is_noticed_in_the_middle_of_a_replay() -> None:
    """Nothing more is written to a connection that no longer exists."""
    socket = QuickSocket(gone_after=20)
    await session(socket).run(P, Position())
    assert 20 <= len(socket.sent) <= 1 + 2 * READ_EVENTS
