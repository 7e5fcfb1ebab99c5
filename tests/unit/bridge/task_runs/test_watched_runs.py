"""When a door's watch is said to have brought all there is."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest

from gather_bridge.task_runs import watched_runs
from gather_bridge.task_runs.watched_runs import WatchedRuns


class SilentRuns:
    """A namespace without runs; its API server takes a watch when a test lets it."""

    def __init__(self) -> None:
        self.takes = asyncio.Event()

    async def watch(
        self, _: Any, on_open: Callable[[], None]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Say nothing for ever."""
        await self.takes.wait()
        on_open()
        await asyncio.Event().wait()
        yield "", {}


async def test_a_server_that_is_slow_to_answer_has_not_brought_all_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its silence counts from its answer on: before, nothing at all is known."""
    monkeypatch.setattr(watched_runs, "SETTLE_S", 0.04)
    runs = SilentRuns()
    watched = WatchedRuns(cast("Any", runs), "", print, print)
    task = asyncio.create_task(watched.run())
    try:
        await asyncio.sleep(0.3)
        assert not watched.synced.is_set()
        runs.takes.set()
        async with asyncio.timeout(30):
            await watched.synced.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
