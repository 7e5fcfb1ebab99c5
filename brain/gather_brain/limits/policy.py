"""How often a key may use an endpoint for a project: GCRA, as pure functions over whole microseconds.

A bucket is one number: its backlog, the time until no past request counts any more. Each admitted request
adds the interval at which the policy lets requests through; a request that would lift the backlog over
`burst` intervals is refused and adds nothing. So no instant sees more than `burst` requests, and no time t
more than `burst` and t's share of the rate.

Whole microseconds, since sums of floating-point intervals refuse the last request of some bursts.
throttled-py has such sums, pins an older Redis client and takes no clock, so it is not used.
"""

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

WINDOW_S: Final = 60
MICROS: Final = 1_000_000
LIMIT_MAX: Final = 100_000

LimitName = Literal["batch", "duplicates", "context", "coverage", "list", "get", "delete", "erase", "refused"]
LIMIT_NAMES: Final[tuple[LimitName, ...]] = get_args(LimitName)


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


DEFAULTS: Final[Mapping[LimitName, Policy]] = MappingProxyType(
    {
        "batch": Policy(per_minute=10, burst=20),
        "duplicates": Policy(per_minute=30, burst=50),
        "context": Policy(per_minute=20, burst=30),
        "coverage": Policy(per_minute=5, burst=10),
        "list": Policy(per_minute=60, burst=120),
        "get": Policy(per_minute=120, burst=200),
        "delete": Policy(per_minute=10, burst=20),
        "erase": Policy(per_minute=2, burst=2),
        "refused": Policy(per_minute=120, burst=240),
    }
)
"""The first four are required, for each key and project; the next four are ours. "refused" is for a key's
requests that reach no project of its own, of all endpoints together: generous for people who try things out,
and an end to a flood.
"""

NODE_PATH: Final = "/api/v1/nodes/{id}"
PROJECT_PATH: Final = "/api/v1/projects/{projectId}"
ENDPOINTS: Final[Mapping[tuple[str, str], LimitName]] = MappingProxyType(
    {
        ("POST", "/api/v1/nodes/batch"): "batch",
        ("POST", "/api/v1/search/duplicates"): "duplicates",
        ("POST", "/api/v1/search/duplicates/batch"): "duplicates",
        ("POST", "/api/v1/search/similarity"): "duplicates",
        ("GET", "/api/v1/context/department"): "context",
        ("POST", "/api/v1/analyze/coverage"): "coverage",
        ("GET", "/api/v1/nodes"): "list",
        ("GET", NODE_PATH): "get",
        ("DELETE", "/api/v1/nodes"): "delete",
        ("DELETE", PROJECT_PATH): "erase",
    }
)
"""By method and path; a part in braces stands for any text.

A batch of searches is one request, as a batch of nodes is: limits count requests, batches are welcome.
"""
PATHS: Final[Mapping[str, LimitName]] = MappingProxyType(
    {path: name for (_, path), name in reversed(list(ENDPOINTS.items()))}
)
"""For a request whose method the path does not have: the limit of the first that it has."""


def path_of(path: str) -> str:
    """Return the endpoint's path that a request's path is of, or the request's path if there is none.

    An endpoint without a part in braces goes first: `/api/v1/nodes/batch` is no node.
    """
    if path not in PATHS:
        for template in (NODE_PATH, PROJECT_PATH):
            before, _, _ = template.partition("{")
            if path.startswith(before) and path != before:
                return template
    return path


def limit_of(method: str, path: str) -> LimitName:
    """Return the limit that a request counts in, which for one to no endpoint is "refused"."""
    endpoint = path_of(path)
    return ENDPOINTS.get((method, endpoint)) or PATHS.get(endpoint, "refused")


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
    backlog_us = min(max(backlog_us, 0), policy.capacity_us)
    admitted = backlog_us + policy.interval_us <= policy.capacity_us
    return LimitState(policy, admitted, backlog_us + policy.interval_us if admitted else backlog_us)


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


_WRITTEN: Final = re.compile(r"([a-z]+)=(\d{1,6})/(\d{1,6})")
_LIMIT: Final = TypeAdapter(tuple[LimitName, Policy])


def read_limit(text: str) -> tuple[LimitName, Policy]:
    """Read `name=per_minute/burst`, such as `batch=600/600`.

    Raises:
        ValueError: it is not one; the message shows the form.
    """
    if found := _WRITTEN.fullmatch(text):
        with contextlib.suppress(ValidationError):
            return _LIMIT.validate_python((found[1], {"per_minute": found[2], "burst": found[3]}))
    raise ValueError(f"a limit is NAME=PER_MINUTE/BURST, each 1 to {LIMIT_MAX}, of {', '.join(LIMIT_NAMES)}")


def write_limit(name: LimitName, policy: Policy) -> str:
    """Return the form that `read_limit` reads."""
    return f"{name}={policy.per_minute}/{policy.burst}"
