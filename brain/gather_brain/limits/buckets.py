"""Where the backlogs of limits are kept: in Redis, so that replicas count together, or in this process.

Redis away is never a reason to refuse a request or to hold it up: the process goes on with its own count,
which it keeps all the time, and one task looks whether Redis is back.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from gather_brain.limits.policy import Policy, Standing, charge

logger = logging.getLogger(__name__)

ACCOUNTS_MAX: Final = 10_000
"""About 300 bytes each. The one charged longest ago goes, which has the least backlog to forget; only a
service key can name so many projects."""
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 5.0


class AccountsAwayError(Exception):
    """The shared accounts cannot be reached now."""


class SharedAccounts(Protocol):
    """Accounts that all replicas charge."""

    async def charge(self, account: str, policy: Policy) -> Standing:
        """Charge one request; raises AccountsAwayError within a short time."""

    async def ping(self) -> None:
        """Return if they can be reached, or raise AccountsAwayError."""

    async def close(self) -> None:
        """Close the connections."""


def micros() -> int:
    """Return the process's clock."""
    return time.monotonic_ns() // 1000


class OwnAccounts:
    """Accounts of this process, of limited number."""

    def __init__(self, clock_us: Callable[[], int] = micros) -> None:
        self._clock_us = clock_us
        self._free_at_us: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at_us)

    def charge(self, account: str, policy: Policy) -> Standing:
        """Charge one request."""
        now_us = self._clock_us()
        standing = charge(policy, self._free_at_us.get(account, now_us) - now_us)
        self._free_at_us[account] = now_us + standing.backlog_us
        self._free_at_us.move_to_end(account)
        if len(self._free_at_us) > ACCOUNTS_MAX:
            self._free_at_us.popitem(last=False)
        return standing


class Accounts:
    """Charges shared accounts while they can be reached and else the process's own.

    `observe` is told whether limits are counted together (True) or by this process alone.
    """

    def __init__(
        self,
        shared: SharedAccounts | None,
        own: OwnAccounts,
        observe: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._shared = shared
        self._own = own
        self._observe = observe
        self._is_shared = shared is not None
        self._return: asyncio.Task[None] | None = None
        observe(self._is_shared)

    async def charge(self, account: str, policy: Policy) -> Standing:
        """Charge one request; never fails."""
        if self._shared is not None and self._is_shared:
            try:
                standing = await self._shared.charge(account, policy)
            except AccountsAwayError as failure:
                self._leave(self._shared, failure)
            else:
                if standing.admitted:
                    # So that this process knows its own share when Redis goes.
                    self._own.charge(account, policy)
                return standing
        return self._own.charge(account, policy)

    async def close(self) -> None:
        """Stop looking for the shared accounts and close them."""
        if self._return is not None:
            self._return.cancel()
            await asyncio.gather(self._return, return_exceptions=True)
        if self._shared is not None:
            await self._shared.close()

    def _leave(self, shared: SharedAccounts, failure: AccountsAwayError) -> None:
        if not self._is_shared:
            return
        self._is_shared = False
        self._observe(False)
        logger.warning("redis is away: this process counts its limits alone", extra={"reason": str(failure)})
        self._return = asyncio.create_task(self._wait_for(shared))

    async def _wait_for(self, shared: SharedAccounts) -> None:
        wait_s = RETRY_FIRST_S
        while not self._is_shared:
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)
            try:
                await shared.ping()
            except AccountsAwayError:
                continue
            self._is_shared = True
        self._observe(True)
        logger.info("redis is back: limits are counted together")
