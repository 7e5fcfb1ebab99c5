"""Limits as pure functions: what is admitted, and what callers are told."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.limits.buckets import ACCOUNTS_MAX, Accounts, AccountsAwayError, OwnAccounts
from gather_brain.limits.policy import (
    DEFAULTS,
    ENDPOINTS,
    LIMIT_NAMES,
    MICROS,
    WINDOW_S,
    Policy,
    Standing,
    charge,
    header_fields,
    read_limit,
    write_limit,
)

POLICIES = st.builds(Policy, per_minute=st.integers(1, 700), burst=st.integers(1, 700))
SMALL = st.builds(Policy, per_minute=st.integers(1, 40), burst=st.integers(1, 40))
PAUSES_US = st.lists(st.one_of(st.just(0), st.integers(0, 30 * MICROS)), min_size=1, max_size=60)


class Clock:
    """Microseconds that pass when told."""

    now_us = 1_700_000_000_123_457

    def __call__(self) -> int:
        """Return the time."""
        return self.now_us


def play(policy: Policy, pauses_us: list[int]) -> list[tuple[int, Standing]]:
    """Ask after each pause; return when, and how the account then stood."""
    clock = Clock()
    accounts = OwnAccounts(clock)
    asked = []
    for pause_us in pauses_us:
        clock.now_us += pause_us
        asked.append((clock.now_us, accounts.charge("account", policy)))
    return asked


def test_the_usual_limits_are_the_required_ones() -> None:
    """Requests a minute and burst, for each endpoint."""
    table = {path: (DEFAULTS[name].per_minute, DEFAULTS[name].burst) for path, name in ENDPOINTS.items()}
    assert table == {
        "/api/v1/nodes/batch": (10, 20),
        "/api/v1/search/duplicates": (30, 50),
        "/api/v1/search/duplicates/batch": (30, 50),
        "/api/v1/search/similarity": (30, 50),
        "/api/v1/context/department": (20, 30),
        "/api/v1/analyze/coverage": (5, 10),
    }


@given(POLICIES, st.integers(0, 2**50))
def test_exactly_the_burst_is_admitted_at_once(policy: Policy, now_us: int) -> None:
    """Whatever the policy and the clock: no rounding takes one away or gives one more."""
    clock = Clock()
    clock.now_us = now_us
    accounts = OwnAccounts(clock)
    admitted = [accounts.charge("account", policy).admitted for _ in range(policy.burst + 3)]
    assert admitted == [True] * policy.burst + [False] * 3


@given(SMALL, PAUSES_US)
def test_no_window_sees_more_than_the_burst_and_its_share_of_the_rate(
    policy: Policy, pauses_us: list[int]
) -> None:
    """Every window between two admitted requests."""
    times = [at_us for at_us, standing in play(policy, pauses_us) if standing.admitted]
    for first, start_us in enumerate(times):
        for last in range(first, len(times)):
            share = (times[last] - start_us) * policy.per_minute / (WINDOW_S * MICROS)
            assert last - first + 1 <= policy.burst + share


@given(SMALL, PAUSES_US)
def test_what_callers_are_told_is_true(policy: Policy, pauses_us: list[int]) -> None:
    """So many requests pass now, one more after `next_s`, all of them after `reset_s`."""
    for _, standing in play(policy, pauses_us):
        fields = header_fields(standing, 0.0)
        limit, remaining = int(fields["X-RateLimit-Limit"]), int(fields["X-RateLimit-Remaining"])
        assert 0 <= remaining <= limit == policy.per_minute
        assert remaining <= standing.available <= policy.burst
        backlog_us = standing.backlog_us
        for _ in range(standing.available):
            following = charge(policy, backlog_us)
            assert following.admitted
            backlog_us = following.backlog_us
        assert not charge(policy, backlog_us).admitted
        later_us = standing.next_s * MICROS
        assert Standing(policy, True, max(0, standing.backlog_us - later_us)).available >= min(
            standing.available + 1, policy.burst
        )
        reset_us = int(fields["X-RateLimit-Reset"]) * MICROS
        assert reset_us >= standing.backlog_us
        if not standing.admitted:
            assert standing.available == remaining == 0
            assert standing.next_s <= int(fields["X-RateLimit-Reset"])


def test_remaining_counts_down_from_the_limit() -> None:
    """30 a minute with a burst of 50: 29 after the first, 0 from the thirtieth on, refused at the 51st."""
    asked = [standing for _, standing in play(DEFAULTS["duplicates"], [0] * 51)]
    assert [standing.remaining for standing in asked] == [*range(29, -1, -1), *[0] * 21]
    assert [standing.available for standing in asked] == [*range(49, -1, -1), 0]
    assert [standing.admitted for standing in asked] == [True] * 50 + [False]


def test_the_header_fields_have_their_required_form() -> None:
    """The required ones in whole seconds since 1970, the IETF's as structured fields."""
    (*_, (_, standing)) = play(DEFAULTS["duplicates"], [0] * 5)
    assert header_fields(standing, 1705319990.0) == {
        "X-RateLimit-Limit": "30",
        "X-RateLimit-Remaining": "25",
        "X-RateLimit-Reset": "1705320000",
        "RateLimit-Policy": '"minute";q=30;w=60, "burst";q=50',
        "RateLimit": '"burst";r=45;t=2',
    }


@given(POLICIES, st.integers(-(2**60), 2**60))
def test_a_clock_that_jumped_or_a_lowered_limit_shuts_nobody_out(policy: Policy, backlog_us: int) -> None:
    """The longest wait is that of a used-up burst."""
    standing = charge(policy, backlog_us)
    assert 0 <= standing.backlog_us <= policy.capacity_us
    assert standing.next_s <= -(-policy.interval_us // MICROS)


def test_accounts_do_not_touch_each_other_and_have_an_end() -> None:
    """A flood of project names costs memory for so many and no more."""
    clock, policy = Clock(), Policy(per_minute=1, burst=1)
    accounts = OwnAccounts(clock)
    assert all(accounts.charge(f"account {number}", policy).admitted for number in range(ACCOUNTS_MAX + 10))
    assert len(accounts) == ACCOUNTS_MAX
    assert not accounts.charge(f"account {ACCOUNTS_MAX}", policy).admitted


@given(st.sampled_from(LIMIT_NAMES), POLICIES)
def test_a_limit_is_read_as_it_is_written(name: Any, policy: Policy) -> None:
    """On the command line, and in Neo4j."""
    assert read_limit(write_limit(name, policy)) == (name, policy)


@pytest.mark.parametrize(
    "text", ["", "batch", "batch=1", "batch=0/1", "batch=1/0", "batch=-1/1", "batch=1/100001", "other=1/1"]
)
def test_what_is_no_limit_is_refused_with_what_one_looks_like(text: str) -> None:
    """A typing error must not become a limit."""
    with pytest.raises(ValueError, match=re.escape("NAME=PER_MINUTE/BURST")):
        read_limit(text)


class Shared:
    """Shared accounts that are away when told, and count who asks."""

    def __init__(self) -> None:
        self.own = OwnAccounts()
        self.asked = 0
        self.away = False

    async def charge(self, account: str, policy: Policy) -> Standing:
        """Charge as Redis would."""
        self.asked += 1
        await self.ping()
        return self.own.charge(account, policy)

    async def ping(self) -> None:
        """Answer as Redis would."""
        if self.away:
            raise AccountsAwayError("ConnectionError")

    async def close(self) -> None:
        """Nothing is open."""


async def test_absent_shared_accounts_are_asked_once_and_not_by_every_request() -> None:
    """Who asks meanwhile is counted by the process, which knows its own share."""
    shared, told = Shared(), list[bool]()
    accounts = Accounts(shared, OwnAccounts(), told.append)
    policy = Policy(per_minute=1, burst=10)
    assert [(await accounts.charge("a", policy)).available for _ in range(3)] == [9, 8, 7]
    shared.away = True
    assert [(await accounts.charge("a", policy)).available for _ in range(3)] == [6, 5, 4]
    assert shared.asked == 4
    assert told == [True, False]
    await accounts.close()


async def test_what_others_used_up_counts_for_this_process_too() -> None:
    """Shared accounts decide while they are there, also against the process's own count."""
    shared = Shared()
    accounts, policy = Accounts(shared, OwnAccounts()), Policy(per_minute=1, burst=2)
    shared.own.charge("a", policy)
    shared.own.charge("a", policy)
    assert not (await accounts.charge("a", policy)).admitted
    await accounts.close()
