"""What brings runs back into the queue, whatever kopf's watch says."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from gather_operator.health import Health, WatchCanary
from gather_operator.resync import Resync, delivery, round_of
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


def test_a_run_that_is_marked_as_ended_is_not_missed(build: Any) -> None:
    """Kopf's watch leaves it out."""
    canary = WatchCanary(0, clock=iter((0.0, 1.0, 2.0, 3.0, 4.0, 5.0)).__next__)
    resync = Resync(
        Cluster(),  # type: ignore[arg-type]
        RunCache(),
        Queue(),  # type: ignore[arg-type]
        Health(canary, informers_seen_s=lambda: [1.0], is_synced=lambda: True),
    )
    resync._versions._apply("ADDED", RunVersion("film", build.uid, "5", is_ended=True))
    resync.compare()
    assert not canary.is_silent()
    resync._versions._apply("ADDED", RunVersion("other", "other", "6"))
    resync.compare()
    assert canary.is_silent()


def delivering(cache: RunCache, queue: Queue) -> Any:
    ends: Any = SimpleNamespace(saw=lambda *_: None)
    return delivery(cache, queue, WatchCanary(30), ends)  # type: ignore[arg-type]


def test_a_run_that_leaves_kopf_s_watch_is_kept_as_ended(build: Any) -> None:
    """A replica that waits knows when it is to be deleted, and holds no more of it."""
    cache, queue = RunCache(), Queue()
    cache.put(build.body(version="5"))
    ended = build.body(version="7", status={"phase": "Succeeded"})
    delivering(cache, queue)("DELETED", ended)
    assert cache.get(build.uid) is None
    assert cache.ended(build.uid) is not None
    assert queue.added == []


def test_an_echo_of_what_is_known_makes_no_pass(build: Any) -> None:
    cache, queue = RunCache(), Queue()
    cache.put(build.body(version="5"))
    deliver = delivering(cache, queue)
    deliver("MODIFIED", build.body(version="5"))
    with cache.writing(build.uid):
        deliver("MODIFIED", build.body(version="6", status={"phase": "Running"}))
    assert queue.added == []
    deliver("MODIFIED", build.body(version="7", status={"phase": "Pending"}))
    deliver("DELETED", build.body(version="8"))
    assert [key for key, _ in queue.added] == [build.uid, build.uid]
