"""Kubernetes Events of a run: few, and none of what matters late."""

from typing import Any

import pytest

from gather_operator.decisions.status.kube_events import WARNING, KubeEvent
from gather_operator.kube.event_poster import INTERVAL_S, EventPoster, joined
from tests.support.fake_clock import FakeClock

STARTED = KubeEvent("DepartmentStarted", "Job a works on story.")
DONE = KubeEvent("DepartmentSucceeded", "story: ThresholdReached.")
FAILED = KubeEvent("DepartmentFailed", "music: OOMKilled.", WARNING)
END = KubeEvent("Succeeded", "3 departments.")


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world()


async def test_the_first_is_posted_within_seconds_and_the_next_later(
    world: Any, build: Any, clock: FakeClock
) -> None:
    """What happens within seconds is one Event; it needs no further change to be posted."""
    poster = EventPoster(world, clock)
    await poster.add(build.run(), [STARTED])
    assert world.events == []
    clock.now_s += INTERVAL_S
    await poster.add(build.run(), [])
    await poster.add(build.run(), [DONE])
    assert world.events == ["DepartmentStarted"]
    clock.now_s += INTERVAL_S
    await poster.add(build.run(), [])
    assert world.events == ["DepartmentStarted", "DepartmentSucceeded"]
    await poster.add(build.run(), [])
    assert len(world.events) == 2


async def test_with_many_runs_at_work_each_posts_less_often(world: Any, build: Any, clock: FakeClock) -> None:
    poster = EventPoster(world, clock)
    await poster.add(build.run(), [STARTED], 4)
    clock.now_s += INTERVAL_S
    await poster.add(build.run(), [], 4)
    assert world.events == []
    clock.now_s += 3 * INTERVAL_S
    await poster.add(build.run(), [], 4)
    assert world.events == ["DepartmentStarted"]


@pytest.mark.parametrize("urgent", [FAILED, END])
async def test_a_warning_and_the_end_wait_for_nothing(
    world: Any, build: Any, clock: FakeClock, urgent: KubeEvent
) -> None:
    poster = EventPoster(world, clock)
    await poster.add(build.run(), [STARTED])
    assert world.events == []
    await poster.add(build.run(), [urgent])
    assert world.events[-1] == urgent.reason


def test_what_is_joined_keeps_every_sentence_and_the_reason_that_says_most() -> None:
    (whole,) = joined([DONE, STARTED])
    assert whole.reason == "DepartmentSucceeded"
    assert whole.message == "story: ThresholdReached. Job a works on story."


def test_a_warning_stays_an_event_of_its_own() -> None:
    assert [e.reason for e in joined([STARTED, FAILED, DONE])] == ["DepartmentFailed", "DepartmentSucceeded"]
