"""A new leader counts what the one before had counted and nobody had scraped."""

import asyncio
from typing import Any

from gather_operator.replicas.elector import Elector
from gather_operator.replicas.lease_rules import LeaseTiming
from gather_operator.replicas.unshown_ends import REMEMBERED_MAX, UnshownEnds
from tests.support.fake_clock import FakeClock
from tests.support.kubernetes.lease_in_memory import DirectStore, LeaseInMemory

TIMING = LeaseTiming(9)


class Standby:
    """A replica that sees runs as the watch brings them."""

    def __init__(self, build: Any) -> None:
        self.build = build
        self.is_acting = False
        self.shown = "1"
        self.counted: list[tuple[str, int]] = []
        self.ends = UnshownEnds(
            lambda: self.is_acting,
            lambda: self.shown,
            lambda _: [build.done("story")],
            lambda _, after, pods: self.counted.append((after.departments[0].phase, len(pods))),
        )

    def sees(self, version: int, **first: Any) -> None:
        before = self.build.running("story", "world")
        departments = self.build.departments("story", "world", **{**self.build.at_work, **first})
        status = {"phase": "Running", "departments": departments}
        self.ends.saw(before, self.build.body(status=status, version=str(version)))


def test_ends_after_the_last_scrape_are_counted_those_before_not(build: Any) -> None:
    """By the version that the Lease names, which both replicas see."""
    standby = Standby(build)
    standby.sees(10, **build.succeeded)
    standby.sees(20, **build.succeeded)
    assert standby.ends.take_over("10") == 1
    assert standby.counted == [("Succeeded", 1)]
    assert standby.ends.take_over("10") == 0


def test_a_change_without_an_end_is_not_remembered(build: Any) -> None:
    """Each iteration changes the status."""
    standby = Standby(build)
    standby.sees(10, iterations=3)
    assert standby.ends.take_over("1") == 0


def test_what_the_leader_has_counted_itself_it_does_not_count_again(build: Any) -> None:
    """Nor does it when it takes its own Lease again."""
    standby = Standby(build)
    standby.is_acting = True
    standby.sees(10, **build.succeeded)
    assert standby.ends.take_over("1") == 0
    assert standby.ends.shown() == "10"


def test_a_leader_that_never_spoke_of_scrapes_leaves_nothing_to_count(build: Any) -> None:
    """One of an older version, or one that nobody scrapes: rather too little than twice."""
    standby = Standby(build)
    standby.shown = ""
    standby.sees(10, **build.succeeded)
    assert standby.ends.take_over("5") == 0
    standby.shown = "1"
    standby.sees(10, **build.succeeded)
    assert standby.ends.take_over("") == 0


def test_it_remembers_a_bounded_number(build: Any) -> None:
    """And forgets at once what the Lease calls shown."""
    standby = Standby(build)
    for version in range(2, REMEMBERED_MAX + 10):
        standby.sees(version, **build.succeeded)
    standby.shown = "1000"
    standby.sees(2000, **build.succeeded)
    assert standby.ends.take_over("1") == 10


def test_what_a_leader_has_shown_goes_to_its_successor_by_the_lease() -> None:
    """It stays there until the successor has been scraped itself."""
    clock, lease = FakeClock(), LeaseInMemory()
    one, two = (Elector(DirectStore(lease), name, TIMING, clock) for name in ("one", "two"))

    async def play() -> None:
        await one.acquire()
        one.say_shown("41")
        await one.renew()
        await two.acquire()
        clock.now_s += 10
        await two.acquire()
        assert two.is_leading()
        assert two.inherited == "41"
        assert lease.record is not None
        assert lease.record.shown == "41"
        two.say_shown("50")
        await two.renew()
        assert lease.record.shown == "50"

    asyncio.run(play())
