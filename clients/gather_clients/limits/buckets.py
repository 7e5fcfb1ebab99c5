"""Where limits are counted: in Redis, so that replicas count together, or in this process.

No request is refused or delayed because Redis is unavailable: the process falls back to its own count, which
it always keeps, and one background task waits for Redis to return.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.limits.gcra import LimitState, Policy, charge, state_of

logger = logging.getLogger(__name__)

BUCKETS_MAX: Final = 10_000
"""About 300 bytes each. The one charged longest ago is dropped, which has the least backlog to lose; only a
service key can name so many projects."""
RECONNECT: Final = Backoff(first_s=0.5, last_s=5.0)


class BucketsUnavailableError(Exception):
    """The shared buckets cannot be reached now."""


class SharedBuckets(Protocol):
    """Buckets that all replicas charge."""

    async def charge(self, bucket: str, policy: Policy) -> LimitState:
        """Charge one request; raises BucketsUnavailableError within a short time."""

    async def look(self, buckets: Sequence[tuple[str, Policy]]) -> list[LimitState]:
        """Return the buckets' states and charge nothing; errors as for `charge`."""

    async def ping(self) -> None:
        """Return if they can be reached, or raise BucketsUnavailableError."""

    async def close(self) -> None:
        """Close the connections."""


def micros() -> int:
    """Return the process's clock."""
    return time.monotonic_ns() // 1000


class LocalBuckets:
    """A limited number of buckets in this process."""

    def __init__(self, clock_us: Callable[[], int] = micros) -> None:
        self._clock_us = clock_us
        self._free_at_us: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at_us)

    def charge(self, bucket: str, policy: Policy) -> LimitState:
        """Charge one request."""
        now_us = self._clock_us()
        state = charge(policy, self._free_at_us.get(bucket, now_us) - now_us)
        self._free_at_us[bucket] = now_us + state.backlog_us
        self._free_at_us.move_to_end(bucket)
        if len(self._free_at_us) > BUCKETS_MAX:
            self._free_at_us.popitem(last=False)
        return state

    def look(self, bucket: str, policy: Policy) -> LimitState:
        """Return a bucket's state and charge nothing."""
        now_us = self._clock_us()
        return state_of(policy, self._free_at_us.get(bucket, now_us) - now_us)


class Buckets:
    """Charges the shared buckets while they can be reached, and else this process's own.

    `observe` gets True when limits are counted together, False when this process counts alone.
    """

    def __init__(
        self,
        shared: SharedBuckets | None,
        local: LocalBuckets,
        observe: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._shared = shared
        self._local = local
        self._observe = observe
        self._is_shared = shared is not None
        self._reconnecting: asyncio.Task[None] | None = None
        observe(self._is_shared)

    async def charge(self, bucket: str, policy: Policy) -> LimitState:
        """Charge one request; never fails."""
        if self._shared is not None and self._is_shared:
            try:
                state = await self._shared.charge(bucket, policy)
            except BucketsUnavailableError as failure:
                self._fall_back(self._shared, failure)
            else:
                if state.admitted:
                    # So that this process knows its own share when Redis becomes unavailable.
                    self._local.charge(bucket, policy)
                return state
        return self._local.charge(bucket, policy)

    async def look(self, buckets: Sequence[tuple[str, Policy]]) -> list[LimitState]:
        """Return the buckets' states and charge nothing; never fails."""
        if self._shared is not None and self._is_shared:
            try:
                return await self._shared.look(buckets)
            except BucketsUnavailableError as failure:
                self._fall_back(self._shared, failure)
        return [self._local.look(bucket, policy) for bucket, policy in buckets]

    async def close(self) -> None:
        """Close the shared buckets and stop waiting for them."""
        if self._reconnecting is not None:
            await end_tasks([self._reconnecting])
        if self._shared is not None:
            await self._shared.close()

    def _fall_back(self, shared: SharedBuckets, failure: BucketsUnavailableError) -> None:
        if not self._is_shared:
            return
        self._is_shared = False
        self._observe(False)
        logger.warning(
            "Redis is unavailable: this process counts its limits alone", extra={"reason": str(failure)}
        )
        self._reconnecting = asyncio.create_task(self._reconnect(shared))

    async def _reconnect(self, shared: SharedBuckets) -> None:
        for failures in itertools.count(1):
            await asyncio.sleep(RECONNECT.wait_s(failures))
            with contextlib.suppress(BucketsUnavailableError):
                await shared.ping()
                break
        self._is_shared = True
        self._observe(True)
        logger.info("Redis is back: limits are counted together")
