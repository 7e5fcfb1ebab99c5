"""A log in memory, and clients that listen to it through a hub."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gather_bridge.live.batch import Batch
from gather_bridge.live.follower import Follower, Limits
from gather_bridge.live.hub import Hub
from gather_bridge.live.pages import Pages
from gather_bridge.live.replay import Position
from gather_bridge.metrics import Metrics
from gather_clients.background_tasks import end_tasks
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import Deduplicating
from tests.support.events.stored_events import stored

P = "66f1a2b3c4d5e6f708192a3b"


class MemoryLog:
    """A log in memory that can be unavailable, lose its data, and be trimmed."""

    def __init__(self) -> None:
        self.epoch = ""
        self.events: list[StoredEvent] = []
        self.is_away = False
        self.reads = 0

    def append(self, department: str = "story") -> StoredEvent:
        self.epoch = self.epoch or "e1"
        offset = self.events[-1].offset + 1 if self.events else 1
        sent = Deduplicating(project_id=P, run="film", department=department, offset=offset, epoch=self.epoch)
        event = stored(sent)
        self.events.append(event)
        return event

    def lose(self, epoch: str = "") -> None:
        self.epoch, self.events = epoch, []

    async def position(self, project_id: str) -> tuple[str, int]:  # noqa: ARG002 - one project
        await self._answer()
        return (self.epoch, self.events[-1].offset) if self.events else ("", 0)

    async def read(self, project_id: str, after_offset: int, limit: int = 1000) -> list[StoredEvent]:  # noqa: ARG002
        await self._answer()
        self.reads += 1
        return [e for e in self.events if e.offset > after_offset][:limit]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.is_away:
            raise EventLogUnavailable("away")


@dataclass
class Listening:
    """A client that takes everything at once, or nothing while it is slow."""

    start: Position = field(default_factory=Position)
    hello: dict[str, Any] = field(default_factory=dict)
    got: list[Any] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, batch: Batch) -> None:
        await self.reads.wait()
        if not self.greeted.is_set():
            self.start, self.hello = batch.reached, json.loads(batch.texts[0])
            self.greeted.set()
            return
        for body in map(json.loads, batch.texts):
            self.got.append(body["reason"] if body["type"] == "hello" else body["offset"])

    async def received(self) -> list[Any]:
        """Return what has arrived once nothing does: offsets of events, and of greetings their reason."""
        for _ in range(200):
            await asyncio.sleep(0)
        got, self.got = self.got, []
        return got


@asynccontextmanager
async def listening(hub: Hub, project: str = P, asked: Position | None = None) -> AsyncIterator[Listening]:
    """Join as a client that wants live events."""
    client = Listening()
    client.reads.set()
    follower = Follower(
        hub,
        Pages(hub._log),
        metrics=Metrics(),
        limits=Limits(replay_events=1000, heartbeat_interval_s=3600, send_timeout_s=5),
        is_live=lambda: True,
    )
    following = asyncio.create_task(follower.run(project, asked, client.take))
    greeted = asyncio.create_task(client.greeted.wait())
    await asyncio.wait({following, greeted}, return_when=asyncio.FIRST_COMPLETED)
    greeted.cancel()
    try:
        if following.done():
            following.result()
        yield client
    finally:
        await end_tasks([following])
