"""Live numbers from events: bounded, never backwards, and implausible ones ignored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.event_log import EventLogUnavailable
from gather_clients.stored_event import StoredEvent
from gather_contracts.events import Deduplicating, IterationComplete
from gather_operator import live_numbers as module
from gather_operator.decisions.facts import Numbers
from gather_operator.live_numbers import Listener, LiveNumbers
from tests.support.events.stored_events import stored

LIMIT_S = 30


def event(iteration: int = 1, **fields: Any) -> IterationComplete:
    values: dict[str, Any] = {
        "project_id": "p", "run": "film", "run_uid": "uid", "department": "story", "department_name": "Story",
        "iteration": iteration, "total_iterations": 10, "quality_score": 50, "items_created": 6 * iteration,
        "threshold": 80, **fields,
    }  # fmt: skip
    return IterationComplete(**values)


def test_the_latest_iteration_counts() -> None:
    """An older one that comes late changes nothing."""
    numbers = LiveNumbers()
    assert numbers.take(event(2, cost_usd=0.5, tokens=100))
    assert not numbers.take(event(1))
    assert numbers.of_run("uid") == {"story": Numbers(2, 12, 50, 0.5, 100)}


def test_the_same_event_twice_is_no_change() -> None:
    """As after a refill."""
    numbers = LiveNumbers()
    numbers.take(event())
    assert not numbers.take(event())


def test_other_events_have_no_numbers() -> None:
    """Nor have events without a run's UID."""
    numbers = LiveNumbers()
    assert not numbers.take(Deduplicating(project_id="p", run="film", run_uid="uid", department="story"))
    assert not numbers.take(event(run_uid=""))


@pytest.mark.parametrize(
    "fields",
    [
        {"iteration": -1},
        {"items_created": -5},
        {"quality_score": 100.5},
        {"quality_score": float("nan")},
        {"cost_usd": float("inf")},
        {"tokens": 2**50},
    ],
)
def test_implausible_numbers_are_ignored(fields: dict[str, Any]) -> None:
    """Anyone may publish; the API server would refuse the whole status for them."""
    assert not LiveNumbers().take(event(**fields))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In runs, the least recently updated going first, and in departments."""
    monkeypatch.setattr(module, "RUNS_MAX", 2)
    monkeypatch.setattr(module, "DEPARTMENTS_MAX", 2)
    numbers = LiveNumbers()
    for uid in ("a", "b", "a", "c"):
        numbers.take(event(run_uid=uid, iteration=len(numbers.of_run(uid)) + 1))
    assert (numbers.of_run("a") != {}, numbers.of_run("b")) == (True, {})
    for slug in ("one", "two", "three"):
        numbers.take(event(run_uid="d", department=slug))
    assert set(numbers.of_run("d")) == {"one", "two"}


class Log:
    """An event log whose connection breaks once; its tail has what was missed."""

    def __init__(self, live: list[list[IterationComplete]], tail: list[IterationComplete]) -> None:
        self.live = live
        self.kept = tail
        self.tails: list[str] = []

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[AsyncIterator[StoredEvent]]:
        yield self._events(self.live.pop(0))

    async def _events(self, events: list[IterationComplete]) -> AsyncIterator[StoredEvent]:
        for heard in events:
            yield stored(heard)
        if self.live:
            raise EventLogUnavailable("connection reset")
        await asyncio.Event().wait()

    async def tail(self, project_id: str, _: int) -> list[IterationComplete]:
        self.tails.append(project_id)
        return self.kept


async def test_after_a_broken_connection_the_tail_fills_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart and a break are the same thing."""
    monkeypatch.setattr(module, "RECONNECT", Backoff(0, 0))
    log = Log([[event(1)], [event(4)]], [event(2), event(3)])
    numbers, heard, done = LiveNumbers(), [], asyncio.Event()

    def notify(uid: str) -> None:
        heard.append((uid, numbers.of_run(uid)["story"].iterations))
        if heard[-1][1] == 4:
            done.set()

    listener = Listener(log, numbers, notify, lambda: ["p"])  # type: ignore[arg-type]
    task = asyncio.create_task(listener.run())
    async with asyncio.timeout(LIMIT_S):
        await done.wait()
    await end_tasks([task])
    assert log.tails == ["p", "p"]
    assert numbers.of_run("uid")["story"].iterations == 4


async def test_numbers_of_another_shard_s_runs_are_not_kept() -> None:
    """Neither live ones nor those of the log's end; every project's channel is heard by every shard."""
    log = Log([[event(2), event(3, run_uid="mine")]], [event(1)])
    numbers, done = LiveNumbers(), asyncio.Event()
    listener = Listener(log, numbers, lambda _: done.set(), lambda: ["p"], "mine".__eq__)  # type: ignore[arg-type]
    task = asyncio.create_task(listener.run())
    async with asyncio.timeout(LIMIT_S):
        await done.wait()
    await end_tasks([task])
    assert numbers.of_run("mine")["story"].iterations == 3
    assert numbers.of_run("uid") == {}


async def test_whatever_the_log_raises_listening_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours, or of the library, must not end the operator."""
    monkeypatch.setattr(module, "RECONNECT", Backoff(0, 0))
    log = Log([[], [event(4)]], [])
    failures = iter([UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")])
    whole = log.tail

    async def tail(project_id: str, limit: int) -> list[IterationComplete]:
        for failure in failures:
            raise failure
        return await whole(project_id, limit)

    monkeypatch.setattr(log, "tail", tail)
    done = asyncio.Event()
    listener = Listener(log, LiveNumbers(), lambda _: done.set(), lambda: ["p"])  # type: ignore[arg-type]
    task = asyncio.create_task(listener.run())
    async with asyncio.timeout(LIMIT_S):
        await done.wait()
    await end_tasks([task])
