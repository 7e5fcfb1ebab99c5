"""Limits as pure functions: what is admitted, and what callers learn."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gather_clients.limits.buckets import BUCKETS_MAX, Buckets, BucketsUnavailableError, LocalBuckets
from gather_clients.limits.gcra import MICROS, WINDOW_S, LimitState, Policy, charge, header_fields

POLICIES = st.builds(Policy, per_minute=st.integers(1, 700), burst=st.integers(1, 700))
SMALL = st.builds(Policy, per_minute=st.integers(1, 40), burst=st.integers(1, 40))
PAUSES_US = st.lists(st.one_of(st.just(0), st.integers(0, 30 * MICROS)), min_size=1, max_size=60)
USUAL = Policy(per_minute=30, burst=50)


class Clock:
    """Microseconds that pass when the test says so."""

    now_us = 1_700_000_000_123_457

    def __call__(self) -> int:
        """Return the time."""
        return self.now_us


def play(policy: Policy, pauses_us: list[int]) -> list[tuple[int, LimitState]]:
    """Ask after each pause; return when, and the bucket's state then."""
    clock = Clock()
    buckets = LocalBuckets(clock)
    asked = []
    for pause_us in pauses_us:
        clock.now_us += pause_us
        asked.append((clock.now_us, buckets.charge("bucket", policy)))
    return asked


@given(POLICIES, st.integers(0, 2**50))
def test_exactly_the_burst_is_admitted_at_once(policy: Policy, now_us: int) -> None:
    """Whatever the policy and the clock: no rounding takes one away or gives one more."""
    clock = Clock()
    clock.now_us = now_us
    buckets = LocalBuckets(clock)
    admitted = [buckets.charge("bucket", policy).admitted for _ in range(policy.burst + 3)]
    assert admitted == [True] * policy.burst + [False] * 3


@given(SMALL, PAUSES_US)
def test_no_window_sees_more_than_the_burst_and_its_share_of_the_rate(
    policy: Policy, pauses_us: list[int]
) -> None:
    """Every window between two admitted requests."""
    times = [at_us for at_us, state in play(policy, pauses_us) if state.admitted]
    for first, start_us in enumerate(times):
        for last in range(first, len(times)):
            share = (times[last] - start_us) * policy.per_minute / (WINDOW_S * MICROS)
            assert last - first + 1 <= policy.burst + share


@given(SMALL, PAUSES_US)
def test_header_fields_are_true(policy: Policy, pauses_us: list[int]) -> None:
    """So many requests pass now, one more after `next_s`, all of them after `reset_s`."""
    for _, state in play(policy, pauses_us):
        fields = header_fields(state, 0.0)
        limit, remaining = int(fields["X-RateLimit-Limit"]), int(fields["X-RateLimit-Remaining"])
        assert 0 <= remaining <= limit == policy.per_minute
        assert remaining <= state.available <= policy.burst
        backlog_us = state.backlog_us
        for _ in range(state.available):
            following = charge(policy, backlog_us)
            assert following.admitted
            backlog_us = following.backlog_us
        assert not charge(policy, backlog_us).admitted
        later_us = state.next_s * MICROS
        assert LimitState(policy, True, max(0, state.backlog_us - later_us)).available >= min(
            state.available + 1, policy.burst
        )
        reset_us = int(fields["X-RateLimit-Reset"]) * MICROS
        assert reset_us >= state.backlog_us
        if not state.admitted:
            assert state.available == remaining == 0
            assert state.next_s <= int(fields["X-RateLimit-Reset"])


def test_remaining_counts_down_from_the_limit() -> None:
    """30 a minute with a burst of 50: 29 after the first, 0 from the thirtieth on, refused at the 51st."""
    asked = [state for _, state in play(USUAL, [0] * 51)]
    assert [state.remaining for state in asked] == [*range(29, -1, -1), *[0] * 21]
    assert [state.available for state in asked] == [*range(49, -1, -1), 0]
    assert [state.admitted for state in asked] == [True] * 50 + [False]


def test_the_header_fields_have_their_required_form() -> None:
    """The required ones in whole seconds since 1970, the IETF's as structured fields."""
    (*_, (_, state)) = play(USUAL, [0] * 5)
    assert header_fields(state, 1705319990.0) == {
        "X-RateLimit-Limit": "30",
        "X-RateLimit-Remaining": "25",
        "X-RateLimit-Reset": "1705320000",
        "RateLimit-Policy": '"minute";q=30;w=60, "burst";q=50',
        "RateLimit": '"burst";r=45;t=2',
    }


@given(POLICIES, st.integers(-(2**60), 2**60))
def test_a_clock_that_jumped_or_a_lowered_limit_shuts_nobody_out(policy: Policy, backlog_us: int) -> None:
    """The longest wait is that of a used-up burst."""
    state = charge(policy, backlog_us)
    assert 0 <= state.backlog_us <= policy.capacity_us
    assert state.next_s <= -(-policy.interval_us // MICROS)


def test_buckets_do_not_touch_each_other_and_have_an_end() -> None:
    """A flood of project names costs memory for so many and no more."""
    clock, policy = Clock(), Policy(per_minute=1, burst=1)
    buckets = LocalBuckets(clock)
    assert all(buckets.charge(f"bucket {number}", policy).admitted for number in range(BUCKETS_MAX + 10))
    assert len(buckets) == BUCKETS_MAX
    assert not buckets.charge(f"bucket {BUCKETS_MAX}", policy).admitted


class FakeSharedBuckets:
    """Shared buckets that can be made unavailable, and count the calls."""

    def __init__(self) -> None:
        self.buckets = LocalBuckets()
        self.charges = 0
        self.is_unavailable = False

    async def charge(self, bucket: str, policy: Policy) -> LimitState:
        """Charge as Redis would."""
        self.charges += 1
        await self.ping()
        return self.buckets.charge(bucket, policy)

    async def look(self, buckets: Sequence[tuple[str, Policy]]) -> list[LimitState]:
        """Look as Redis would."""
        await self.ping()
        return [self.buckets.look(bucket, policy) for bucket, policy in buckets]

    async def ping(self) -> None:
        """Answer as Redis would."""
        if self.is_unavailable:
            raise BucketsUnavailableError("ConnectionError")

    async def close(self) -> None:
        """Nothing is open."""


async def test_unavailable_shared_buckets_are_asked_once_and_not_by_every_request() -> None:
    """Meanwhile the process counts, and it knows its own share."""
    shared, observed = FakeSharedBuckets(), list[bool]()
    buckets = Buckets(shared, LocalBuckets(), observed.append)
    policy = Policy(per_minute=1, burst=10)
    assert [(await buckets.charge("a", policy)).available for _ in range(3)] == [9, 8, 7]
    shared.is_unavailable = True
    assert [(await buckets.charge("a", policy)).available for _ in range(3)] == [6, 5, 4]
    assert shared.charges == 4
    assert observed == [True, False]
    await buckets.close()


async def test_looking_charges_nothing_and_goes_on_without_redis() -> None:
    """What is shown is what the next charge finds, by Redis or by the process alone."""
    shared = FakeSharedBuckets()
    buckets, policy = Buckets(shared, LocalBuckets()), Policy(per_minute=1, burst=10)
    await buckets.charge("a", policy)
    for is_unavailable in (False, True):
        shared.is_unavailable = is_unavailable
        for _ in range(3):
            found = await buckets.look([("a", policy), ("b", policy)])
            assert [state.available for state in found] == [9, 10]
    await buckets.close()


async def test_what_others_used_up_counts_for_this_process_too() -> None:
    """Shared buckets decide while they are there, also against the process's own count."""
    shared = FakeSharedBuckets()
    buckets, policy = Buckets(shared, LocalBuckets()), Policy(per_minute=1, burst=2)
    shared.buckets.charge("a", policy)
    shared.buckets.charge("a", policy)
    assert not (await buckets.charge("a", policy)).admitted
    await buckets.close()
