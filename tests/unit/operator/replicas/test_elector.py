"""Never two replicas that act at once, whatever happens to calls, clocks and processes."""

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Refused
from gather_operator.errors import NotLeading
from gather_operator.replicas.elector import Elector
from gather_operator.replicas.lease_rules import LeaseRecord, LeaseTiming
from tests.support.fake_clock import FakeClock
from tests.support.kubernetes.lease_in_memory import DirectStore, LeaseInMemory, SteppedStore, Stepper

TIMING = LeaseTiming(9)
SHORT = LeaseTiming(3)
"""For tests that wait for real time."""


class Replica:
    """One process: its clock runs at its own rate, and it can be stopped in the middle of anything."""

    def __init__(self, name: str, lease: LeaseInMemory, clock: Callable[[], float]) -> None:
        self.name = name
        self.store = SteppedStore(lease)
        self.elector = Elector(self.store, name, TIMING, clock)
        self.attempt = Stepper()
        self.is_in_term = False

    def act(self, outcome: str) -> None:
        """Do the next thing: one step of a call, or begin the next attempt, as `Elector.run` would."""
        self.store.outcome = outcome  # type: ignore[assignment] # drawn from its words
        if not self.attempt.is_idle:
            self.attempt.step()
        elif self.is_in_term and not self.elector.is_leading():
            self.is_in_term = False  # the term is cancelled before anything else is tried
        elif self.is_in_term:
            self.attempt.begin(self.elector.renew())
        else:
            self.attempt.begin(self.elector.acquire())
        if self.attempt.is_idle and self.elector.is_leading():
            self.is_in_term = True

    def may_write(self) -> bool:
        try:
            return self.elector.permit_s() > 0
        except NotLeading:
            return False


ANSWERS = ("answered",) * 6 + ("not sent", "answer lost")
PAUSES_S = (0.0,) * 6 + (0.1, 1.0, 1.2, 2.0, 3.0, 5.0, 7.6, 9.1)
EVENTS = ("",) * 12 + ("time out", "touch", "restart")
HISTORIES = 400
MOVES = 60


def play(
    chance: random.Random, replicas: list[Replica], world: FakeClock, born: Callable[[int], Replica]
) -> None:
    """Make one move: time passes while all stand still, and then one replica does a few steps."""
    world.now_s += chance.choice(PAUSES_S)
    index, event = chance.randrange(len(replicas)), chance.choice(EVENTS)
    if event == "time out":
        replicas[index].attempt.drop()
    elif event == "restart":
        replicas[index].attempt.drop()
        replicas[index] = born(index)
    elif event == "touch":
        replicas[index].store.lease.touch()
    outcome = chance.choice(ANSWERS)
    for _ in range(chance.choice((1, 2, 3, 5, 5, 5, 10))):
        replicas[index].act(outcome)
        assert sum(r.may_write() for r in replicas) <= 1


def test_never_two_replicas_may_write() -> None:
    """With lost, late and repeated answers, stopped processes, and clocks whose rates differ by a tenth."""
    held = 0
    for seed in range(HISTORIES):
        chance, world, lease, serial = random.Random(seed), FakeClock(), LeaseInMemory(), count()  # noqa: S311
        rates = [chance.uniform(0.95, 1.05) for _ in range(3)]

        def born(
            index: int, lease: LeaseInMemory = lease, world: FakeClock = world, rates: list[float] = rates,
            serial: Iterator[int] = serial,
        ) -> Replica:  # fmt: skip
            return Replica(f"{index}-{next(serial)}", lease, lambda: world.now_s * rates[index])

        replicas = [born(index) for index in range(3)]
        for move in range(MOVES):
            try:
                play(chance, replicas, world, born)
            except AssertionError:
                raise AssertionError(f"two may write: seed {seed}, move {move}") from None
        held += lease.record.transitions if lease.record is not None else 0
    assert held > 2 * HISTORIES  # the Lease changed hands, or nothing was shown


def test_after_any_trouble_one_replica_acts_within_the_duration() -> None:
    """Two replicas; once calls work again, and one of them is gone for good."""
    for seed in range(HISTORIES // 2):
        chance, world, lease = random.Random(seed), FakeClock(), LeaseInMemory()  # noqa: S311
        replicas = [Replica(f"replica-{i}", lease, world) for i in range(2)]
        for _ in range(chance.randrange(MOVES)):
            play(chance, replicas, world, replicas.__getitem__)
        survivor, began_s = replicas[0], world.now_s
        survivor.attempt.drop()
        while not survivor.may_write():
            survivor.act("answered")
            if survivor.attempt.is_idle:
                world.now_s += TIMING.retry_s
            assert world.now_s - began_s <= TIMING.duration_s + 3 * TIMING.retry_s, seed


def test_a_write_that_would_end_too_late_is_given_less_time() -> None:
    """It ends before another replica can begin."""
    clock = FakeClock()
    elector = Elector(DirectStore(LeaseInMemory()), "me", TIMING, clock)
    asyncio.run(elector.acquire())
    assert elector.permit_s() == pytest.approx(7.5)
    clock.now_s += 5.9
    assert elector.permit_s() == pytest.approx(1.6)
    clock.now_s += 0.2
    with pytest.raises(NotLeading):
        elector.permit_s()


def test_the_deadline_counts_from_when_a_renewal_was_sent() -> None:
    """An answer that comes late proves nothing about now."""
    clock, lease = FakeClock(), LeaseInMemory()
    replica = Replica("me", lease, clock)
    replica.attempt.begin(replica.elector.acquire())
    while not replica.attempt.is_idle:
        clock.now_s += 6.5
        replica.attempt.step()
    assert lease.record is not None
    assert lease.record.holder == "me"
    assert not replica.elector.is_leading()


class Acting:
    """What a replica does while it holds the Lease; it remembers how often it began and ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.began = asyncio.Event()
        self.stopped = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1
            self.stopped.set()


async def stop(task: "asyncio.Task[None]") -> None:
    await end_tasks([task])


async def test_on_a_clean_end_the_next_replica_takes_over_at_once() -> None:
    """It does not wait for the duration; what was under way has ended before."""
    lease, first, second = LeaseInMemory(), Acting(), Acting()
    one = asyncio.create_task(Elector(DirectStore(lease), "one", SHORT).run(first))
    async with asyncio.timeout(2):
        await first.began.wait()
    other = asyncio.create_task(Elector(DirectStore(lease), "other", SHORT).run(second))
    await stop(one)
    assert (first.ended, lease.record and lease.record.holder) == (1, "")
    async with asyncio.timeout(2 * SHORT.retry_s):
        await second.began.wait()
    await stop(other)


async def test_a_replica_whose_lease_was_taken_stops_with_its_next_renewal() -> None:
    """And waits; it does not end its process."""
    lease, acting = LeaseInMemory(), Acting()
    elector = Elector(DirectStore(lease), "me", SHORT)
    task = asyncio.create_task(elector.run(acting))
    async with asyncio.timeout(2):
        await acting.began.wait()
    assert lease.record is not None
    lease.write(LeaseRecord("thief", 60, version=lease.record.version))
    async with asyncio.timeout(2 * SHORT.retry_s + 0.5):
        await acting.stopped.wait()
    assert not elector.is_leading()
    assert not task.done()
    await stop(task)
    assert lease.record.holder == "thief"


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
async def test_without_an_api_server_a_replica_stops_at_its_deadline_and_goes_on_later(trouble: str) -> None:
    """The process stays; once the server answers, it acts again."""
    lease, acting = LeaseInMemory(), Acting()
    store = DirectStore(lease)
    elector = Elector(store, "me", SHORT)
    task = asyncio.create_task(elector.run(acting))
    async with asyncio.timeout(2):
        await acting.began.wait()
    store.hangs, store.error = trouble == "hangs", ClusterUnavailable("gone") if trouble == "fails" else None
    async with asyncio.timeout(SHORT.deadline_s + SHORT.retry_s + 0.5):
        await acting.stopped.wait()
    store.hangs, store.error = False, None
    acting.began.clear()
    async with asyncio.timeout(SHORT.call_s + SHORT.retry_s + 0.5):
        await acting.began.wait()
    assert acting.begun == 2
    await stop(task)


async def test_what_ends_the_work_ends_the_process() -> None:
    """A fault of ours is not taken for a lost Lease."""

    async def broken() -> None:
        raise RuntimeError("fault")

    with pytest.raises(RuntimeError, match="fault"):
        await Elector(DirectStore(LeaseInMemory()), "me", SHORT).run(broken)


async def test_a_missing_right_is_said_and_holds_readiness_back() -> None:
    """A chart of an older version has no right to Leases."""
    store = DirectStore(LeaseInMemory(), error=Refused("leases is forbidden"))
    elector = Elector(store, "me", SHORT)
    task = asyncio.create_task(elector.run(Acting()))
    await asyncio.sleep(0.05)
    assert "forbidden" in elector.trouble
    store.error = None
    await asyncio.sleep(2 * SHORT.retry_s)
    assert elector.trouble == ""
    await stop(task)


async def test_seizing_waits_until_the_other_has_surely_stopped_and_keeps_the_lease() -> None:
    """As before an uninstallation; nobody takes over while Helm deletes the Deployment."""
    lease, first = LeaseInMemory(), Acting()
    one = asyncio.create_task(Elector(DirectStore(lease), "one", SHORT).run(first))
    async with asyncio.timeout(2):
        await first.began.wait()
    states: list[int] = []

    async def act() -> None:
        states.append(first.ended)

    await Elector(DirectStore(lease), "hook", LeaseTiming(30)).seize(act)
    assert states == [1]
    assert lease.record is not None
    assert (lease.record.holder, lease.record.duration_s) == ("hook", 30)
    await stop(one)
    assert lease.record.holder == "hook"
