"""Limits as GCRA: pure functions over whole microseconds.

A bucket is one number: its backlog, the time until no past request counts any more. Each admitted request
adds the interval at which the policy lets requests through; a request that would lift the backlog over
`burst` intervals is refused and adds nothing. So no instant sees more than `burst` requests, and no time t
more than `burst` and t's share of the rate.

Whole microseconds, since sums of floating-point intervals refuse the last request of some bursts.
throttled-py has such sums, pins an older Redis client and takes no clock, so it is not used.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

WINDOW_S: Final = 60
MICROS: Final = 1_000_000
LIMIT_MAX: Final = 100_000


class Policy(BaseModel):
    """`per_minute` requests in the long run, and `burst` at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_minute: int = Field(ge=1, le=LIMIT_MAX)
    burst: int = Field(ge=1, le=LIMIT_MAX)

    @property
    def interval_us(self) -> int:
        """Return the time that one request takes up, rounded up: never more than the rate."""
        return -(-WINDOW_S * MICROS // self.per_minute)

    @property
    def capacity_us(self) -> int:
        """Return the longest backlog."""
        return self.burst * self.interval_us


@dataclass(frozen=True, slots=True)
class LimitState:
    """The state of a bucket after a request was admitted or refused."""

    policy: Policy
    admitted: bool = True
    backlog_us: int = 0

    @property
    def available(self) -> int:
        """Return how many requests would be admitted now."""
        return (self.policy.capacity_us - self.backlog_us) // self.policy.interval_us

    @property
    def remaining(self) -> int:
        """Return what is left of the minute's limit.

        It counts down from the limit, and at 0 the burst above it is being used: a caller that stops at 0 is
        never refused.
        """
        above = max(0, self.policy.burst - self.policy.per_minute)
        return min(max(0, self.available - above), self.policy.per_minute)

    @property
    def next_s(self) -> int:
        """Return the seconds until one more request is available than now, at least 1."""
        used = (self.policy.capacity_us - self.backlog_us) % self.policy.interval_us
        return math.ceil((self.policy.interval_us - used) / MICROS)

    @property
    def reset_s(self) -> float:
        """Return the seconds until the bucket is empty again."""
        return self.backlog_us / MICROS


def charge(policy: Policy, backlog_us: int) -> LimitState:
    """Admit or refuse one request by a bucket with this backlog.

    A backlog outside the policy (clocks that jumped, a limit that was lowered) counts as the nearest inside.
    """
    before = state_of(policy, backlog_us)
    added_us = policy.interval_us if before.admitted else 0
    return replace(before, backlog_us=before.backlog_us + added_us)


def state_of(policy: Policy, backlog_us: int) -> LimitState:
    """Return the state of a bucket with this backlog, charging nothing."""
    backlog_us = min(max(backlog_us, 0), policy.capacity_us)
    return LimitState(policy, backlog_us + policy.interval_us <= policy.capacity_us, backlog_us)


def header_fields(state: LimitState, now_s: float) -> dict[str, str]:
    """Return the header fields that describe a bucket to its caller; `now_s` is Unix time.

    Source: the required X-RateLimit fields, and draft-ietf-httpapi-ratelimit-headers-11, where `t` is the
    time within which no more than `r` can be used.
    """
    policy = state.policy
    return {
        "X-RateLimit-Limit": str(policy.per_minute),
        "X-RateLimit-Remaining": str(state.remaining),
        "X-RateLimit-Reset": str(math.ceil(now_s + state.reset_s)),
        "RateLimit-Policy": f'"minute";q={policy.per_minute};w={WINDOW_S}, "burst";q={policy.burst}',
        "RateLimit": f'"burst";r={state.available};t={state.next_s}',
    }
