"""kopf's watch of GatherRuns as we run it: what ends it for kopf, it survives with us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_operator.health import WatchCanary
from gather_operator.kube import kopf_supervisor as module
from gather_operator.kube.kopf_supervisor import KopfSupervisor

LIMIT_S = 30


class Seen:
    """What the watch delivered, as (event type, name, version)."""

    def __init__(self, canary: WatchCanary) -> None:
        self.canary = canary
        self.events: list[tuple[str, str, str]] = []
        self.changed = asyncio.Event()

    def deliver(self, kind: str, body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        self.events.append((kind, metadata["name"], metadata["resourceVersion"]))
        self.canary.delivered(metadata["uid"], int(metadata["resourceVersion"]))
        self.changed.set()

    async def until(self, holds: Callable[[list[tuple[str, str, str]]], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds(self.events):
                await self.changed.wait()
                self.changed.clear()


@asynccontextmanager
async def watching(silence_s: float = 1.0) -> AsyncIterator[Seen]:
    """Run the watcher while the block lasts."""
    canary = WatchCanary(silence_s)
    seen = Seen(canary)
    watcher = KopfSupervisor("films", 5, canary, seen.deliver, lambda uid: uid != "of-another-shard")
    task = asyncio.create_task(watcher.run())
    try:
        yield seen
    finally:
        await end_tasks([task])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and start again quickly."""
    monkeypatch.setattr(module, "CHECK_S", 0.05)
    monkeypatch.setattr(module, "RESTART_BACKOFF", Backoff(0.05, 15))


async def test_what_exists_and_what_changes_is_delivered(api: Any) -> None:
    """The first list has no type; what comes and goes has."""
    second = api.run("second", 2)
    third = api.run("third", 3)
    api.runs = []
    api.run("first", 1)
    foreign = api.run("of-another-shard", 4)
    api.scripts = [[
        {"type": "ADDED", "object": foreign},
        {"type": "ADDED", "object": second},
        {"type": "DELETED", "object": third},
    ]]  # fmt: skip
    expected = {("", "first", "1"), ("ADDED", "second", "2"), ("DELETED", "third", "3")}
    async with watching() as seen:
        await seen.until(lambda events: expected <= set(events))
    assert "of-another-shard" not in {name for _, name, _ in seen.events}


@pytest.mark.parametrize("code", [429, 500])
async def test_an_error_event_that_ends_kopf_s_watch_is_healed(api: Any, code: int) -> None:
    """Kopf's own task dies of it silently; a list notices, and the watch is started again."""
    api.run("first", 1)
    api.scripts = [[{"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "no"}}]]
    async with watching() as seen:
        await seen.until(lambda events: len(events) >= 1)
        api.run("first", 7)
        seen.canary.listed([("first", 7)])
        await seen.until(lambda events: events[-1] == ("", "first", "7"))
    assert seen.canary.broken_for_s() == 0


async def test_a_torn_line_is_healed(api: Any) -> None:
    """Half a JSON object, then silence."""
    api.run("first", 1)
    api.scripts = [['{"type": "MODIFIED", "object": {"metadata"']]
    async with watching() as seen:
        await seen.until(lambda events: len(events) >= 1)
        api.run("first", 7)
        seen.canary.listed([("first", 7)])
        await seen.until(lambda events: events[-1] == ("", "first", "7"))


async def test_a_silent_watch_is_healed(api: Any) -> None:
    """The connection is open, and nothing comes."""
    api.run("first", 1)
    async with watching() as seen:
        await seen.until(lambda events: len(events) >= 1)
        seen.canary.listed([("first", 1)])
        api.run("first", 7)
        seen.canary.listed([("first", 7)])
        await seen.until(lambda events: events[-1] == ("", "first", "7"))


async def test_a_watch_that_delivers_is_not_restarted(api: Any) -> None:
    """One watch, however often lists are taken."""
    api.run("first", 1)
    async with watching(silence_s=0.2) as seen:
        await seen.until(lambda events: len(events) >= 1)
        for _ in range(10):
            seen.canary.listed([("first", 1)])
            await asyncio.sleep(0.05)
    assert api.watches == 1


async def test_our_own_tasks_outlive_a_stopped_kopf(api: Any) -> None:
    """Kopf cancels every task of its loop when it stops, so it has a loop of its own."""
    api.run("first", 1)
    ours = asyncio.create_task(asyncio.Event().wait())
    async with watching() as seen:
        await seen.until(lambda events: len(events) >= 1)
    await asyncio.sleep(0)
    assert not ours.done()
    ours.cancel()
