"""Appends events as the rooms do, each with its number and the time at which it was due."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gather_clients.event_log import EventLog, EventLogUnavailable
from gather_contracts.events import IterationComplete

RETRY_S: Final = 0.1


@dataclass
class Publisher:
    """Counts what it has appended: `count` of a project is the number of its last event."""

    log: EventLog
    projects: Sequence[str]
    count: dict[str, int] = field(default_factory=dict)
    retries: int = 0

    async def append(self, project: str) -> None:
        """Append a project's next event, however long it takes: the same key is appended once."""
        number = self.count.get(project, 0) + 1
        self.count[project] = number
        event = IterationComplete(
            project_id=project, run="bench", run_uid="0b0f8a8e-6d0c-4f5c-9a6e-2f4c9f3f7d11",
            at="2026-05-01T11:00:00.000Z", department="story", department_name=str(time.monotonic_ns()),
            iteration=1, total_iterations=9, quality_score=83.25, items_created=number, threshold=80,
            cost_usd=0.0123, tokens=123456,
        )  # fmt: skip
        while True:
            try:
                await self.log.append(event, f"bench:{number}")
            except EventLogUnavailable:
                self.retries += 1
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def fill(self, count: int) -> None:
        """Append so many events to each project."""

        async def one(project: str) -> None:
            for _ in range(count):
                await self.append(project)

        await asyncio.gather(*map(one, self.projects))

    async def steadily(self, per_s: float, seconds: float) -> None:
        """Append to the projects in turn, each event when it is due or the one before it is done."""
        per_project = per_s / len(self.projects)
        begin_s = time.monotonic()

        async def one(place: int, project: str) -> None:
            due_s = begin_s + place / per_s
            while due_s < begin_s + seconds:
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await self.append(project)
                due_s += 1 / per_project

        await asyncio.gather(*(one(place, project) for place, project in enumerate(self.projects)))
