"""When a door's watch is said to have brought all there is, and which runs count as active."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gather_bridge.task_runs import watched_runs
from gather_bridge.task_runs.watched_runs import WatchedRuns
from gather_clients.background_tasks import end_tasks
from gather_clients.kube_api.cluster_errors import Missing


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
        await end_tasks([task])


def body(name: str, phase: str = "Running") -> dict[str, Any]:
    """Return a run as a watch brings it."""
    return {
        "metadata": {
            "name": name, "namespace": "films", "uid": f"uid-{name}", "resourceVersion": "7",
            "creationTimestamp": "2026-11-30T00:00:00Z",
        },
        "spec": {"projectId": "0" * 24, "userId": "me"},
        "status": {"phase": phase, "completionTime": "2026-11-30T00:01:00Z"},
    }  # fmt: skip


class AskedRuns(SilentRuns):
    """Its watch brings what there is at once, and each run may be asked for by name."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        super().__init__()
        self.bodies = {each["metadata"]["name"]: each for each in bodies}

    async def watch(
        self, _: Any, on_open: Callable[[], None]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Mark the end of what there is, and say no more."""
        on_open()
        yield "BOOKMARK", {"metadata": {"annotations": {watched_runs.BEGINNING_ENDS: "true"}}}
        await asyncio.Event().wait()

    async def get(self, name: str) -> dict[str, Any]:
        """Return one; raises Missing."""
        if name not in self.bodies:
            raise Missing(name)
        return self.bodies[name]


def expecting(*made: str) -> WatchedRuns:
    """Return a watch that has brought nothing yet of these runs, which were made."""
    watched = WatchedRuns(cast("Any", None), "", print, print)
    for name in made:
        with watched.expecting(name):
            pass
    return watched


@pytest.mark.parametrize(
    ("brought", "active"),
    [
        ([], 1),
        ([("ADDED", "Running")], 1),
        ([("ADDED", "Running"), ("MODIFIED", "Succeeded")], 0),
        ([("ADDED", "Running"), ("MODIFIED", "Succeeded"), ("DELETED", "Succeeded")], 0),
        ([("DELETED", "Running")], 0),
    ],
)
def test_a_run_is_active_from_its_making_to_its_end(brought: list[tuple[str, str]], active: int) -> None:
    """Also one that comes and goes between two looks."""
    watched = expecting("a")
    for kind, phase in brought:
        watched._apply(kind, body("a", phase))
    assert watched.active() == active


def test_a_run_that_comes_before_its_making_is_answered_is_one() -> None:
    watched = expecting()
    with watched.expecting("a"):
        watched._apply("ADDED", body("a"))
        watched._apply("DELETED", body("a"))
    assert watched.active() == 0


def test_what_was_not_made_is_not_active() -> None:
    watched = expecting()
    with pytest.raises(OSError, match="no answer"), watched.expecting("a"):
        raise OSError("no answer")
    assert watched.active() == 0


def test_a_run_that_the_watch_never_brings_is_active_for_a_while_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, made_s = expecting("a", "b"), time.monotonic()
    watched.expect_no_more("b")
    assert watched.active() == 1
    later = SimpleNamespace(monotonic=lambda: made_s + watched_runs.EXPECTED_S + 1)
    monkeypatch.setattr(watched_runs, "time", later)
    assert watched.active() == 0


async def test_a_watch_from_nothing_asks_for_the_runs_that_are_expected() -> None:
    """They may have come and gone while nothing was heard."""
    watched = WatchedRuns(cast("Any", AskedRuns(body("there"))), "", print, print)
    for name in ("there", "gone"):
        with watched.expecting(name):
            pass
    task = asyncio.create_task(watched.run())
    try:
        async with asyncio.timeout(30):
            await watched.synced.wait()
        assert watched.active() == 1
        assert list(watched.tasks) == ["there"]
    finally:
        await end_tasks([task])
