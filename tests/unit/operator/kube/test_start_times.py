"""How long starts take at present: the newest of all runs, and nothing that a queue or a failure held up."""

from typing import Any

import pytest

from gather_operator.decisions.facts import ConditionFacts, UsualStarts
from gather_operator.kube.start_times import AGE_MAX_S, NEWEST, StartTimes
from tests.support.fake_clock import FakeClock

CREATED = "2026-05-01T11:00:00Z"


def at(seconds: int) -> str:
    """So long after a Job's creation."""
    return f"2026-05-01T11:{seconds // 60:02}:{seconds % 60:02}Z"


def test_the_median_of_the_newest_counts(build: Any, clock: FakeClock) -> None:
    """So it follows within seconds what the cluster has to do, and a few that hang do not matter."""
    starts, job = StartTimes(clock), build.job("story", created=CREATED)
    assert starts.usual == UsualStarts()
    for took_s in (3, 4, 600):
        starts.saw(job, None, build.pod("story", created=at(took_s)))
    assert starts.usual == UsualStarts(job_s=4)
    for _ in range(NEWEST):
        starts.saw(job, None, build.pod("story", created=at(40)))
    assert starts.usual == UsualStarts(job_s=40)


def test_a_pod_counts_once_when_its_worker_begins(build: Any, clock: FakeClock) -> None:
    """Also where that is the first that is seen of it."""
    starts, pod = StartTimes(clock), build.pod("story", created=CREATED)
    begun = build.pod("story", created=CREATED, started=at(7))
    starts.saw(None, pod, begun)
    assert starts.usual == UsualStarts(pod_s=7)
    starts.saw(None, begun, build.pod("story", created=CREATED, started=at(7), phase="Succeeded"))
    starts.saw(None, None, build.pod("story", created=CREATED, started=at(9)))
    assert starts.usual == UsualStarts(pod_s=8)


@pytest.mark.parametrize(
    "held",
    [{"is_queued": True}, {"failed_pods": 1}, {"conditions": (ConditionFacts("Suspended", "False"),)}],
    ids=["queued", "failed", "suspended"],
)
def test_what_held_a_job_up_is_no_measure(build: Any, clock: FakeClock, held: dict[str, Any]) -> None:
    """A queue, a back-off and a person take their own time."""
    starts = StartTimes(clock)
    starts.saw(build.job("story", created=CREATED, **held), None, build.pod("story", created=at(90)))
    assert starts.usual == UsualStarts()


def test_what_is_no_time_is_passed_over(build: Any, clock: FakeClock) -> None:
    """A clock that went back makes no start shorter than nothing."""
    starts = StartTimes(clock)
    for created in ("", "yesterday", "2026-05-01T11:00:09", "2026-05-01T10:59:00Z"):
        starts.saw(build.job("story", created=CREATED), None, build.pod("story", created=created))
    assert starts.usual == UsualStarts()


def test_starts_of_long_ago_are_forgotten(build: Any, clock: FakeClock) -> None:
    """A single run in the evening is not compared with the thousand of the morning."""
    starts = StartTimes(clock)
    starts.saw(build.job("story", created=CREATED), None, build.pod("story", created=at(90)))
    clock.now_s += AGE_MAX_S
    assert starts.usual == UsualStarts(job_s=90)
    clock.now_s += 1
    assert starts.usual == UsualStarts()
