"""Snapshots are written beside everything else: the latest wins, nothing waits, and all is bounded."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_contracts.resource import GatherRun
from gather_contracts.snapshots.run_state import RunState
from gather_operator.snapshots import snapshot_writer
from gather_operator.snapshots.snapshot_writer import OWN_TROUBLE_MAX, RETRY, SnapshotWriter, Store, offering
from gather_operator.work_queue import Next


class Memory:
    """A store that is unavailable when it is told to be, and never takes some runs."""

    def __init__(self, *, is_away: bool = False, refused: Collection[str] = ()) -> None:
        self.states: list[RunState] = []
        self.is_away = is_away
        self.refused = refused
        self.attempts = 0
        self.changed = asyncio.Event()

    async def put(self, state: RunState, created_s: float) -> None:  # noqa: ARG002
        self.changed.set()
        self.attempts += 1
        if self.is_away or state.run_uid in self.refused:
            raise OSError("away")
        self.states.append(state)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.states) < count:
                self.changed.clear()
                await self.changed.wait()
                await asyncio.sleep(0)


def a_run(version: int, uid: str = "u-1", iterations: int = 0) -> GatherRun:
    return GatherRun.model_validate(
        {
            "metadata": {"name": "film", "namespace": "n", "uid": uid, "resourceVersion": str(version)},
            "spec": {"projectId": "66f1a2b3c4d5e6f708192a3b", "userId": "u"},
            "status": {"phase": "Running", "departments": [{"slug": "story", "iterations": iterations}]},
        }
    )


@asynccontextmanager
async def running(writer: SnapshotWriter) -> AsyncIterator[None]:
    task = asyncio.create_task(writer.run())
    yield
    await end_tasks([task])


async def test_a_version_with_the_same_status_is_not_written() -> None:
    """A finalizer that comes and goes costs Redis nothing."""
    memory = Memory()
    writer = SnapshotWriter([memory])
    async with running(writer):
        for version, iterations in ((1, 0), (2, 0), (3, 5), (4, 5), (5, 6)):
            writer.offer(a_run(version, iterations=iterations))
            await asyncio.sleep(0)
        await memory.until(3)
    assert [state.departments["story"].iterations for state in memory.states] == [0, 5, 6]


async def test_each_version_is_written_once() -> None:
    """A pass in which nothing has changed costs nothing."""
    memory = Memory()
    writer = SnapshotWriter([memory])
    async with running(writer):
        for version in (1, 1, 1, 2):
            writer.offer(a_run(version, iterations=version))
        await memory.until(1)
        writer.offer(a_run(3, iterations=3))
        await memory.until(2)
    assert [state.departments["story"].iterations for state in memory.states] == [2, 3]


async def test_a_store_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one has it all at once; back again, this one gets the latest of each run."""
    monkeypatch.setattr(snapshot_writer, "RETRY", Backoff(0.01, 0.01))
    away, here = Memory(is_away=True), Memory()
    stores: list[Store] = [away, here]
    writer = SnapshotWriter(stores)
    async with running(writer):
        for version in range(1, 6):
            writer.offer(a_run(version, iterations=version))
            await here.until(version)
        away.is_away = False
        await away.until(1)
    assert [state.departments["story"].iterations for state in away.states] == [5]


async def test_a_run_that_no_store_takes_holds_up_no_other() -> None:
    """Not even until it is tried again, which is a second later."""
    memory = Memory(refused={"u-1"})
    writer = SnapshotWriter([memory])
    async with running(writer):
        for number in range(1, 5):
            writer.offer(a_run(1, uid=f"u-{number}"))
        async with asyncio.timeout(RETRY.first_s / 2):
            await memory.until(3)
    assert [state.run_uid for state in memory.states] == ["u-2", "u-3", "u-4"]


async def test_a_store_that_takes_nothing_is_asked_less_often() -> None:
    """However many runs wait for it."""
    memory = Memory(is_away=True)
    writer = SnapshotWriter([memory])
    async with running(writer):
        for number in range(100):
            writer.offer(a_run(1, uid=f"u-{number}"))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert memory.attempts == OWN_TROUBLE_MAX + 1


async def test_a_run_that_is_over_is_forgotten() -> None:
    """What waits of it is written still."""
    writer = SnapshotWriter([Memory()])
    known = {"u": a_run(1, uid="u")}

    async def work(_: str) -> Next:
        return Next()

    offer_and_work = offering(writer, known.get, work)
    await offer_and_work("u")
    assert list(writer._offered) == ["u"]
    known.clear()
    await offer_and_work("u")
    (sink,) = writer._sinks
    assert (list(writer._offered), list(sink.waiting)) == ([], ["u"])


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay; what was left out comes with the run's next change."""
    monkeypatch.setattr(snapshot_writer, "WAITING_MAX", 3)
    writer = SnapshotWriter([Memory()])
    for number in range(10):
        writer.offer(a_run(1, uid=f"u-{number}"))
    (sink,) = writer._sinks
    assert list(sink.waiting) == ["u-7", "u-8", "u-9"]
