"""The status writer: on change, not too often, never over a newer version; Events after a write."""

from typing import Any

import pytest

from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Conflict
from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import GatherRun
from gather_operator.kube.status_writer import (
    RUNS_AT_ONCE,
    STEPS_FACTOR,
    STRETCH_MAX,
    WORDS_FACTOR,
    StatusWriter,
    _patience,
)
from gather_operator.run_cache import RunCache
from tests.support.fake_clock import FakeClock


@pytest.fixture
def world(make_world: Any, build: Any) -> Any:
    world = make_world()
    world.runs["film"] = build.body()
    return world


def status_of(run: GatherRun, items: int) -> Any:
    return run.status.model_copy(update={"items_created": items, "phase": RunPhase.RUNNING})


async def test_an_unchanged_status_is_not_written(world: Any, build: Any, clock: FakeClock) -> None:
    """Whatever woke the operator."""
    writer = StatusWriter(world, RunCache(), 1, clock)
    assert await writer.write(build.run(), build.run().status) is None
    assert world.statuses == []


async def test_at_most_one_write_a_second(world: Any, build: Any, clock: FakeClock) -> None:
    """The second change waits, and says for how long; the latest state is written then."""
    cache = RunCache()
    writer = StatusWriter(world, cache, 1, clock)
    run = build.run()
    assert await writer.write(run, status_of(run, 1)) is None
    clock.now_s += 0.25
    run = cache.get(build.uid)
    assert run
    waiting, cancelling = (
        run.status.model_copy(update={"phase": phase}) for phase in (RunPhase.PENDING, RunPhase.CANCELLING)
    )
    assert await writer.write(run, waiting) == 0.75
    clock.now_s += 0.75
    assert await writer.write(run, cancelling) is None
    assert [s["phase"] for s in world.statuses] == ["Running", "Cancelling"]


async def test_numbers_alone_are_written_every_three_seconds(
    world: Any, build: Any, clock: FakeClock
) -> None:
    """A transition in between does not wait for them."""
    cache = RunCache()
    writer = StatusWriter(world, cache, 1, clock)
    assert await writer.write(build.run(), status_of(build.run(), 1)) is None
    run = cache.get(build.uid)
    assert run
    clock.now_s += 1
    assert await writer.write(run, status_of(run, 2)) == 2
    ended = run.status.model_copy(update={"phase": RunPhase.SUCCEEDED})
    assert await writer.write(run, ended) is None


async def test_that_a_pod_has_begun_waits_for_more_to_say(world: Any, build: Any, clock: FakeClock) -> None:
    """The Job's name stands already; each department of seconds would cost one more write."""
    cache = RunCache()
    writer = StatusWriter(world, cache, 1, clock)
    begun = build.departments("story", **build.at_work)
    world.runs["film"] = build.body(status={"departments": begun})
    run = cache.put(world.runs["film"])
    assert run
    (department,) = run.status.departments
    working = run.status.model_copy(update={"items_created": 1})
    assert await writer.write(run, working) is None
    run = cache.get(build.uid)
    assert run
    again = run.status.model_copy(update={"departments": [department.model_copy(update={"attempt": 1})]})
    assert await writer.write(run, again) == WORDS_FACTOR


async def test_that_a_new_run_was_seen_is_no_status_of_its_own(
    world: Any, build: Any, clock: FakeClock
) -> None:
    """It would be written a second before the run's departments are."""
    writer = StatusWriter(world, RunCache(), 1, clock)
    seen = build.run().status.model_copy(update={"observed_generation": 1})
    assert await writer.write(build.run(), seen) is None
    assert world.statuses == []


async def test_a_status_that_stands_is_held_once(world: Any, build: Any, clock: FakeClock) -> None:
    """A thousand runs would hold 20 MB twice."""
    cache = RunCache()
    writer = StatusWriter(world, cache, 1, clock)
    assert await writer.write(build.run(), status_of(build.run(), 1)) is None
    stored = cache.get(build.uid)
    assert stored is not None
    assert writer._written[build.uid].wanted is stored.status


async def test_another_run_is_not_held_up(world: Any, build: Any, clock: FakeClock) -> None:
    """The limit is for each run."""
    world.runs["other"] = build.body(name="other", uid="other")
    writer = StatusWriter(world, RunCache(), 1, clock)
    for run in (build.run(), build.run(name="other", uid="other")):
        assert await writer.write(run, status_of(run, 1)) is None
    assert len(world.statuses) == 2


async def test_a_newer_version_is_fetched_and_not_overwritten(
    world: Any, build: Any, clock: FakeClock
) -> None:
    """Somebody cancelled meanwhile: that has to be seen first."""
    world.runs["film"] = build.body(version="5", spec={"cancel": True})
    cache = RunCache()
    writer = StatusWriter(world, cache, 1, clock)
    run = build.run(version="1")
    with pytest.raises(Conflict):
        await writer.write(run, status_of(run, 1))
    newer = cache.get(build.uid)
    assert newer is not None
    assert newer.spec.cancel is True
    assert world.statuses == []


async def test_events_follow_a_write_and_only_transitions(world: Any, build: Any, clock: FakeClock) -> None:
    """More items are no transition; the end is one."""
    cache = RunCache()
    writer = StatusWriter(world, cache, 0, clock)
    run = build.run()
    await writer.write(run, status_of(run, 1))
    assert world.events == []
    run = cache.get(build.uid)
    assert run
    await writer.write(run, run.status.model_copy(update={"phase": RunPhase.SUCCEEDED}))
    assert world.events == ["Succeeded"]


async def test_an_event_that_cannot_be_posted_does_not_matter(
    world: Any, build: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status already says it."""

    async def refuse(_: Any) -> None:
        raise ClusterUnavailable("create event")

    monkeypatch.setattr(world, "create_event", refuse)
    writer = StatusWriter(world, RunCache(), 0, clock)
    run = build.run()
    await writer.write(run, run.status.model_copy(update={"phase": RunPhase.SUCCEEDED}))
    assert world.runs["film"]["status"]["phase"] == "Succeeded"


async def test_a_failed_write_posts_no_event(
    world: Any, build: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Event says what did not happen."""

    async def fail(*_: Any) -> None:
        raise ClusterUnavailable("patch")

    monkeypatch.setattr(world, "put_status", fail)
    writer = StatusWriter(world, RunCache(), 0, clock)
    run = build.run()
    with pytest.raises(ClusterUnavailable):
        await writer.write(run, run.status.model_copy(update={"phase": RunPhase.SUCCEEDED}))
    assert world.events == []


def test_words_of_a_run_that_is_being_stopped_do_not_wait(build: Any) -> None:
    """Somebody is waiting for its end."""
    before = build.running("story").status.model_copy(update={"phase": RunPhase.CANCELLING})
    (department,) = before.departments
    other = [department.model_copy(update={"message": "waiting for film-story-1-aaaaa"})]
    assert _patience(before, before.model_copy(update={"departments": other}), 1) == STEPS_FACTOR


@pytest.mark.parametrize(
    ("change", "runs", "waits_s"),
    [
        ({"phase": DepartmentPhase.SUCCEEDED}, 1, STEPS_FACTOR),
        ({"phase": DepartmentPhase.SUCCEEDED}, 100 * RUNS_AT_ONCE, STRETCH_MAX),
        ({"phase": DepartmentPhase.FAILED}, 100 * RUNS_AT_ONCE, 1),
        ({"reason": "ImagePullBackOff"}, 100 * RUNS_AT_ONCE, 1),
        ({"items_created": 9}, 1, STEPS_FACTOR),
        ({"attempt": 1}, 1, WORDS_FACTOR),
        ({"attempt": 1}, 100 * RUNS_AT_ONCE, STRETCH_MAX * WORDS_FACTOR),
        ({"message": "0/5 nodes are available: 5 Insufficient cpu"}, 1, WORDS_FACTOR),
        ({"message": "0/5 nodes are available", "reason": "Unschedulable"}, 1, 1),
    ],
    ids=[
        "step",
        "step-of-many",
        "failure-of-many",
        "wait-of-many",
        "numbers",
        "attempt",
        "attempt-of-many",
        "words",
        "wait",
    ],
)
def test_a_step_waits_longer_than_what_somebody_may_have_to_act_on(
    build: Any, change: dict[str, Any], runs: int, waits_s: float
) -> None:
    """With many runs at work more of their steps go into one write."""
    (before,) = build.running("story").status.departments
    department = before.model_copy(update=change)
    status = build.running("story").status
    after = status.model_copy(update={"departments": [department]})
    assert _patience(status, after, min(runs / RUNS_AT_ONCE, STRETCH_MAX)) == waits_s
