"""Which shard a run belongs to, and that no two operators that split the runs otherwise act at once."""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, count
from typing import Final

import pytest

from gather_operator.errors import NotLeading
from gather_operator.replicas.elector import Elector
from gather_operator.replicas.lease_rules import LeaseRecord, LeaseTiming, Sighting
from gather_operator.replicas.rivals import Rivals
from gather_operator.replicas.shards import Shard, Standing, count_of, hash_of, standing
from tests.support.fake_clock import FakeClock
from tests.support.kubernetes.lease_in_memory import LeaseInMemory, SteppedStore, Stepper

UIDS: Final = [str(uuid.UUID(int=random.Random(n).getrandbits(128), version=4)) for n in range(4000)]  # noqa: S311
TIMING: Final = LeaseTiming(9)


@pytest.mark.parametrize("shards", range(1, 9))
def test_every_run_belongs_to_exactly_one_shard_and_the_shards_are_even(shards: int) -> None:
    counts = Counter[int]()
    for uid in UIDS:
        (index,) = (i for i in range(shards) if Shard(i, shards).has(uid))
        counts[index] += 1
    assert len(counts) == shards
    assert max(counts.values()) < 1.2 * len(UIDS) / shards
    assert min(counts.values()) > 0.8 * len(UIDS) / shards


@pytest.mark.parametrize(("text", "found"), [("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)])
def test_the_hash_is_the_same_in_every_process_and_version(text: str, found: int) -> None:
    """Another split would be another count that nobody waits for. Source: FNV's published vectors."""
    assert hash_of(text) == found
    assert [Shard(index, 2).has(text) for index in (0, 1)] == [False, True]


@pytest.mark.parametrize(
    ("holder", "shards"),
    [
        ("pod-a", 1),
        ("pod-a/2-shards", 2),
        ("pod-a/8-shards", 8),
        ("pod/1-shards", 1),
        ("/2-shards-x", 1),
        ("", 1),
    ],
)
def test_a_holder_says_of_how_many_shards_it_is(holder: str, shards: int) -> None:
    """One of a version without shards is of one."""
    assert count_of(holder) == shards
    assert count_of(Shard(0, shards).holder("pod")) == shards


def held(holder: str, since_s: float = 100) -> Sighting:
    return Sighting(LeaseRecord(holder, 9), since_s)


@pytest.mark.parametrize(
    ("shard", "others", "found"),
    [
        (Shard(0, 1), {1: None, 2: None}, Standing.FREE),
        (Shard(0, 1), {1: held("b/2-shards")}, Standing.BLOCKED),
        (Shard(0, 1), {1: held("b/2-shards", since_s=90)}, Standing.FREE),
        (Shard(0, 1), {1: held("")}, Standing.FREE),
        (Shard(0, 2), {1: held("b/2-shards")}, Standing.FREE),
        (Shard(0, 2), {1: held("b/3-shards")}, Standing.BLOCKED),
        (Shard(1, 2), {0: held("a/2-shards"), 2: None}, Standing.FREE),
        (Shard(1, 2), {0: None, 2: None}, Standing.FREE),
        (Shard(1, 2), {0: held("a/2-shards"), 2: held("c/3-shards")}, Standing.BLOCKED),
        (Shard(1, 2), {0: held("a"), 2: None}, Standing.OUTVOTED),
        (Shard(1, 2), {0: held("a/3-shards"), 2: held("c/3-shards")}, Standing.OUTVOTED),
    ],
    ids=[
        "alone", "a shard is left over", "it has expired", "it was given back", "two of two",
        "a third of three is left", "the first agrees", "there is no first", "one of three is left",
        "the first is the only one", "all are of three",
    ],
)  # fmt: skip
def test_what_the_other_leases_say(
    shard: Shard, others: Mapping[int, Sighting | None], found: Standing
) -> None:
    assert standing(shard, others, now_s=105) is found


class InTurn(Rivals):
    """Looks at one Lease after the other, so that a test can step between them."""

    async def _look_at_all(self, clock: Callable[[], float]) -> None:
        for index in self._leases:
            await self._look(index, clock)


class Replica:
    """One process of a shard, which can be stopped in the middle of anything."""

    def __init__(
        self, name: str, shard: Shard, leases: Mapping[int, LeaseInMemory], clock: FakeClock
    ) -> None:
        self.name, self.shard = name, shard
        self.stores = {index: SteppedStore(lease) for index, lease in leases.items()}
        others = {index: store for index, store in self.stores.items() if index != shard.index}
        own = self.stores[shard.index]
        self.elector = Elector(own, shard.holder(name), TIMING, clock, InTurn(shard, others))
        self.attempt = Stepper()
        self.is_in_term = False

    def act(self, outcome: str) -> None:
        """Do the next thing: one step of a call, or begin the next attempt, as `Elector.run` would."""
        for store in self.stores.values():
            store.outcome = outcome  # type: ignore[assignment] # drawn from its words
        if not self.attempt.is_idle:
            self.attempt.step()
        elif self.is_in_term and not self.elector.is_leading():
            self.is_in_term = False  # the term is cancelled before anything else is tried
        else:
            self.attempt.begin(self.elector.renew() if self.is_in_term else self.elector.acquire())
        if self.attempt.is_idle and self.elector.is_leading():
            self.is_in_term = True

    def may_write(self) -> bool:
        try:
            return self.elector.permit_s() > 0
        except NotLeading:
            return False


ANSWERS: Final = ("answered",) * 8 + ("not sent", "answer lost")
PAUSES_S: Final = (0.0,) * 8 + (0.1, 1.0, 1.2, 2.3, 3.0, 7.6, 9.1)
EVENTS: Final = ("",) * 14 + ("time out", "restart")
PLACES: Final = (Shard(0, 1), Shard(0, 2), Shard(1, 2), Shard(1, 3), Shard(2, 3), Shard(1, 2))
HISTORIES: Final = 60
MOVES: Final = 80


def meet(one: Shard, other: Shard) -> bool:
    """Whether a run may belong to both."""
    return one.count != other.count or one.index == other.index


def play(chance: random.Random, replicas: list[Replica], clock: FakeClock, serial: Iterator[int]) -> None:
    """Make one move: time passes while all stand still, and then one replica does a few steps."""
    clock.now_s += chance.choice(PAUSES_S)
    index, event = chance.randrange(len(replicas)), chance.choice(EVENTS)
    replica = replicas[index]
    if event:
        replica.attempt.drop()
    if event == "restart":
        leases = {i: store.lease for i, store in replica.stores.items()}
        replica = replicas[index] = Replica(f"{index}-{next(serial)}", replica.shard, leases, clock)
    outcome = chance.choice(ANSWERS)
    for _ in range(chance.choice((1, 2, 5, 9, 20, 40))):
        replica.act(outcome)
        acting = [r for r in replicas if r.may_write()]
        assert not [f"{a.name} and {b.name}" for a, b in combinations(acting, 2) if meet(a.shard, b.shard)]


def world(places: tuple[Shard, ...]) -> tuple[list[Replica], FakeClock]:
    clock, leases = FakeClock(), {index: LeaseInMemory() for index in range(3)}
    return [Replica(f"{n}", shard, leases, clock) for n, shard in enumerate(places)], clock


def test_no_run_ever_has_two_operators_whatever_their_numbers_of_shards() -> None:
    """Operators of one, two and three shards at once, with lost answers, and processes that stand still."""
    acted: Counter[Shard] = Counter()
    for seed in range(HISTORIES):
        chance, serial = random.Random(seed), count()  # noqa: S311
        replicas, clock = world(PLACES)
        for move in range(MOVES):
            try:
                play(chance, replicas, clock, serial)
            except AssertionError as error:
                raise AssertionError(f"{error}: seed {seed}, move {move}") from None
            acted.update(r.shard for r in replicas if r.may_write())
    assert all(acted[shard] > HISTORIES / 2 for shard in PLACES), acted  # else nothing was shown


@pytest.mark.parametrize(
    ("places", "acting"),
    [
        ((Shard(0, 1), Shard(1, 2)), {Shard(0, 1)}),
        ((Shard(0, 2), Shard(1, 2)), {Shard(0, 2), Shard(1, 2)}),
        ((Shard(0, 2), Shard(1, 2), Shard(1, 3), Shard(2, 3)), {Shard(0, 2), Shard(1, 2)}),
    ],
    ids=["one is left of two", "two of two", "two are left of three"],
)
def test_after_any_trouble_the_count_of_the_first_shard_acts_soon(
    places: tuple[Shard, ...], acting: set[Shard]
) -> None:
    """Shards that a change of the count has left over keep nobody out, and do not come back."""
    for seed in range(30):
        chance, serial = random.Random(seed), count()  # noqa: S311
        replicas, clock = world(places)
        for _ in range(chance.randrange(MOVES)):
            play(chance, replicas, clock, serial)
        began_s = clock.now_s
        while {r.shard for r in replicas if r.may_write()} != acting:
            for replica in replicas:
                replica.act("answered")
                while not replica.attempt.is_idle:
                    replica.act("answered")
            clock.now_s += TIMING.retry_s
            assert clock.now_s - began_s <= 2 * TIMING.duration_s + 6 * TIMING.retry_s, seed


def test_a_holder_that_went_without_a_word_is_waited_for_once() -> None:
    """Its Lease is given back for it, so the next leader of the first shard acts at once."""
    (first, left, later), clock = world((Shard(0, 1), Shard(1, 2), Shard(0, 1)))
    run(left)
    assert left.may_write()
    waited_s = -clock.now_s
    while not first.may_write():
        clock.now_s += TIMING.retry_s
        run(first)
    assert TIMING.duration_s <= waited_s + clock.now_s <= TIMING.duration_s + 2 * TIMING.retry_s
    clock.now_s += TIMING.duration_s  # the first one is gone too, and `later` has not looked yet
    run(later)
    clock.now_s += TIMING.duration_s
    run(later)
    assert later.may_write()


@pytest.mark.parametrize(("shard", "shown"), [(Shard(0, 2), "41"), (Shard(1, 2), "")])
def test_what_a_lease_of_nobody_s_says_of_metrics_counts_for_the_first_shard_alone(
    shard: Shard, shown: str
) -> None:
    """A further one's may be of long ago; what ends meanwhile is counted by operators of another number."""
    (replica,), _ = world((shard,))
    replica.stores[shard.index].lease.record = LeaseRecord("", 1, shown="41", version="1")
    replica.attempt.begin(replica.elector._look())
    while not replica.attempt.is_idle:
        replica.attempt.step()
    assert replica.elector.shown_by_holder() == shown


def run(replica: Replica) -> None:
    """Let it make one whole attempt."""
    replica.act("answered")
    while not replica.attempt.is_idle:
        replica.act("answered")
