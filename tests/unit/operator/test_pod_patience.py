"""Pods that cannot end are given up after a while, by no clock on any wall."""

from dataclasses import replace
from typing import Any

from gather_operator.decisions.manifests import STOP_PATIENCE_S
from gather_operator.pod_patience import GAP_S, PodPatience, StartPatience
from tests.support.fake_clock import FakeClock


def test_a_pod_that_was_to_end_long_ago_is_given_up(build: Any, clock: FakeClock) -> None:
    """Only that one; and one that is gone after all needs no giving up."""
    patience = PodPatience(clock)
    ending = build.pod("story", phase="Running", is_terminating=True)
    other = build.pod("story", attempt=2, phase="Running")
    assert [p.is_given_up for p in patience.judge("a", [ending, other])] == [False, False]
    clock.now_s += STOP_PATIENCE_S
    assert [p.is_given_up for p in patience.judge("a", [ending, other])] == [False, False]
    clock.now_s += 1
    assert [p.is_given_up for p in patience.judge("a", [ending, other])] == [True, False]
    assert [p.is_given_up for p in patience.judge("a", [replace(ending, is_gone=True), other])] == [
        False,
        False,
    ]
    assert patience._since_s == {}


def test_each_pod_has_its_own_time(build: Any, clock: FakeClock) -> None:
    """A second one that begins to end gets as long."""
    patience = PodPatience(clock)
    first = build.pod("story", attempt=1, phase="Running", is_terminating=True)
    second = build.pod("story", attempt=2, phase="Running", is_terminating=True)
    patience.judge("a", [first])
    clock.now_s += STOP_PATIENCE_S + 1
    assert [p.is_given_up for p in patience.judge("a", [first, second])] == [True, False]
    patience.forget("a")
    assert [p.is_given_up for p in patience.judge("a", [first, second])] == [False, False]


def test_a_job_is_overdue_after_the_patience(clock: FakeClock) -> None:
    """By this process's own clock, from when it was first seen; each Job for itself."""
    patience = StartPatience(300, clock)
    for _ in range(100):
        assert patience.judge("uid", {"a"}) == frozenset()
        clock.now_s += 3
    assert patience.judge("uid", {"a", "b"}) == {"a"}
    assert patience.judge("other", {"a"}) == frozenset()
    patience.forget("uid")
    assert patience.judge("uid", {"a", "b"}) == frozenset()


def test_a_job_is_stuck_also_between_two_pods_that_are(clock: FakeClock) -> None:
    """A pod whose deadline passed is followed by another without an image."""
    for gap_s, expected in ((GAP_S, {"a"}), (GAP_S + 1, set())):
        patience = StartPatience(100, clock)
        patience.judge("uid", {"a"})
        clock.now_s += 50
        patience.judge("uid", {"a"})
        clock.now_s += gap_s / 2
        assert patience.judge("uid", set()) == frozenset()
        clock.now_s += gap_s / 2
        assert patience.judge("uid", {"a"}) == expected


def test_no_patience_is_patience_for_ever(clock: FakeClock) -> None:
    """And a run that is not stuck is not remembered."""
    patience = StartPatience(0, clock)
    patience.judge("uid", {"a"})
    clock.now_s += 1e9
    assert patience.judge("uid", {"a"}) == frozenset()
    patience = StartPatience(10, clock)
    patience.judge("uid", {"a"})
    clock.now_s += GAP_S + 1
    patience.judge("uid", set())
    assert patience._stuck == {}
