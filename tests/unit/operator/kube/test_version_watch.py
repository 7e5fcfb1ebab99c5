"""What brings runs back into the queue, whatever kopf's watch says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gather_operator.health import Health, WatchCanary
from gather_operator.resync import Resync, round_of
from gather_operator.run_cache import RunCache, RunVersion


class Queue:
    """Notes what is added."""

    def __init__(self) -> None:
        self.added: list[tuple[str, bool]] = []

    def add(self, key: str, *, is_asked_for: bool = False) -> None:
        self.added.append((key, is_asked_for))


class Cluster:
    """Lists what it is given; its watches never begin."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.bodies = bodies

    async def list_runs(self, read: Any) -> tuple[list[Any], str]:
        return [read(body) for body in self.bodies], "9"

    async def list_versions(self) -> tuple[list[RunVersion], str]:
        raise AssertionError("not asked for here")

    async def watch_versions(self, since: str) -> AsyncIterator[Any]:
        assert not since, "not asked for here"
        yield None


def resync_of(cache: RunCache, queue: Queue, *bodies: dict[str, Any]) -> Resync:
    health = Health(WatchCanary(30), informers_seen_s=lambda: [1.0], is_synced=lambda: True)
    return Resync(Cluster(*bodies), cache, queue, health)  # type: ignore[arg-type]


async def test_the_first_list_queues_what_has_work_left(build: Any) -> None:
    cache, queue = RunCache(), Queue()
    ended = build.body(name="old", uid="old", status={"phase": "Succeeded"}, finalizers=())
    assert await resync_of(cache, queue, build.body(), ended).list_whole()
    assert [key for key, _ in queue.added] == [build.uid]


@pytest.mark.parametrize(("version", "added"), [("5", []), ("7", [(True)])])
def test_only_a_version_that_is_not_known_brings_its_run(build: Any, version: str, added: list[bool]) -> None:
    """Our own writes come back on every watch."""
    cache, queue = RunCache(), Queue()
    cache.put(build.body(version="5"))
    resync = resync_of(cache, queue)
    seen = RunVersion("film", build.uid, version, generation=2)
    resync._versions._apply("MODIFIED", seen)
    assert queue.added == [(build.uid, is_asked_for) for is_asked_for in added]


def test_a_status_that_somebody_else_wrote_brings_the_run_too(build: Any) -> None:
    """Nothing but its version tells."""
    cache, queue = RunCache(), Queue()
    cache.put(build.body(version="5"))
    resync = resync_of(cache, queue)
    for version in ("5", "7"):
        resync._versions._apply("MODIFIED", RunVersion("film", build.uid, version))
    assert queue.added == [(build.uid, False)]


def test_a_run_that_is_gone_is_forgotten(build: Any) -> None:
    cache, queue = RunCache(), Queue()
    cache.put(build.body(version="5"))
    resync = resync_of(cache, queue)
    resync._versions._apply("ADDED", RunVersion("film", build.uid, "5"))
    resync._versions._apply("DELETED", RunVersion("film", build.uid, "8"))
    assert cache.get(build.uid) is None
    assert queue.added == [(build.uid, True)]


@pytest.mark.parametrize(("runs", "round_s"), [(0, 3), (1, 3), (150, 3), (1000, 20)])
def test_the_ticker_never_asks_for_more_passes_than_a_process_can_make(runs: int, round_s: float) -> None:
    assert round_of(runs, 3) == round_s
