"""Holds the Lease or waits for it: one replica acts, the others are warm.

It holds as long as a renewal that succeeded was *sent* less than the deadline ago. Whoever waits counts the
longer duration from when the renewal was *seen*, so the holder has stopped before another begins, also if the
API server does not answer, the answer is late, the event loop was blocked or the process was suspended.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from gather_clients.background_tasks import AFTER_SAVING_S, end_tasks
from gather_clients.kube_api.cluster_errors import AlreadyExists, ClusterError, Conflict, Missing, Refused
from gather_operator.errors import NotLeading
from gather_operator.metrics import IS_LEADER, LEASE_CHANGES
from gather_operator.replicas.lease_rules import LeaseRecord, LeaseTiming, Sighting, seen
from gather_operator.replicas.rivals import Rivals
from gather_operator.replicas.shards import Standing

logger = logging.getLogger(__name__)

NEVER: Final = float("-inf")
RELEASE_S: Final = 2.0
"""For giving the Lease back on a clean end; without it the next replica waits for the duration."""
CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The time in which a machine was suspended counts too."""

Lead = Callable[[], Coroutine[Any, Any, None]]


def boot_clock() -> float:
    """Return seconds that no change of the wall clock disturbs."""
    return time.clock_gettime(CLOCK)


class LeaseStore(Protocol):
    """Where the Lease is kept."""

    async def read(self) -> LeaseRecord | None:
        """Return the Lease, None if there is none; raises ClusterError."""

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Write over that very version, or create it where there is none; raises ClusterError."""


class Elector:
    """One replica's part in the election."""

    def __init__(
        self,
        store: LeaseStore,
        identity: str,
        timing: LeaseTiming,
        clock: Callable[[], float] = boot_clock,
        rivals: Rivals | None = None,
    ) -> None:
        """`identity` must be no other process's at the same time; `clock` counts seconds.

        `rivals`: it acts only beside those that split the runs as it does; None: there are no others.
        """
        self._store = store
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._rivals = rivals
        self._sighting: Sighting | None = None
        self._version = ""
        self._deadline_s = NEVER
        self._hurry = asyncio.Event()
        self._trouble = "the Lease has not been read yet"
        self._shown = ""
        self._inherited = ""
        self._has_claimed = False

    # --- what others ask

    def is_leading(self) -> bool:
        """Return whether this replica acts."""
        return self._clock() < self._deadline_s

    def permit_s(self) -> float:
        """Return how many seconds a write may take that begins now; raises NotLeading."""
        left_s = self._deadline_s - self._clock()
        if left_s <= 0:
            raise NotLeading("another replica may be acting by now")
        return left_s + self._timing.write_margin_s

    @property
    def trouble(self) -> str:
        """Why this replica can neither act nor take over, "" if it can."""
        return self._trouble

    def shown_by_holder(self) -> str:
        """Return what the holder that was seen last has said of its metrics.

        A further shard's Lease that nobody holds may be of long ago: who acts now counts by itself.
        """
        record = self._sighting.record if self._sighting is not None else None
        if record is None or (not record.holder and self._rivals is not None and self._rivals.shard.index):
            return ""
        return record.shown

    @property
    def inherited(self) -> str:
        """What the holder before had said of its metrics when this replica took the Lease."""
        return self._inherited

    def say_shown(self, shown: str) -> None:
        """Put this on the Lease soon, for whoever takes over."""
        if shown != self._shown:
            self._shown = shown
            self._hurry.set()

    # --- the life of a replica

    async def run(self, lead: Lead) -> None:
        """Wait for the Lease, act while it is held, and again, until cancelled; then give it back.

        `lead` is cancelled, and has ended, before this replica takes the Lease again or gives it back.
        """
        try:
            while True:
                await self._bounded(self.acquire)
                if self.is_leading():
                    await self._act(lead)
                await asyncio.sleep(self._timing.retry_s)
        finally:
            await self._give_back()

    async def seize(self, act: Lead) -> None:
        """Take the Lease from whoever holds it, and act once, when that one has surely stopped.

        The Lease is not given back: nobody takes it for its duration. Raises ClusterError, NotLeading.
        """
        await self._look()
        before = self._sighting.record if self._sighting is not None else None
        self._deadline_s = await self._claim()

        async def act_when_safe() -> None:
            if before is not None and before.holder not in {"", self._identity}:
                await asyncio.sleep(before.acts_for_s)
            await act()

        await self._act(act_when_safe)

    async def _act(self, lead: Lead) -> None:
        logger.info("acting: this replica holds the Lease", extra={"identity": self._identity})
        IS_LEADER.set(1)
        LEASE_CHANGES.labels(change="taken").inc()
        acting = asyncio.create_task(lead())
        try:
            while self.is_leading() and not acting.done():
                if await self._pause(acting):
                    await self._bounded(self.renew)
        finally:
            IS_LEADER.set(0)
            await end_tasks([acting], AFTER_SAVING_S)
            if not self.is_leading():
                LEASE_CHANGES.labels(change="lost").inc()
                logger.warning("the Lease is lost: this replica waits", extra={"identity": self._identity})
        if not acting.cancelled():
            acting.result()

    async def _pause(self, acting: "asyncio.Task[None]") -> bool:
        """Wait until the next renewal is due; return whether it still makes sense."""
        hurry = asyncio.create_task(self._hurry.wait())
        renewed_s = self._deadline_s - self._timing.deadline_s
        due_s = renewed_s + self._timing.renew_s - self._clock()
        pause_s = due_s if due_s > 0 else self._timing.retry_s
        try:
            await asyncio.wait({acting, hurry}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
        self._hurry.clear()
        return not acting.done() and self.is_leading()

    async def _bounded(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Make one attempt, until the deadline at most; whatever fails, the next follows."""
        left_s = self._deadline_s - self._clock()
        try:
            async with asyncio.timeout(
                min(self._timing.call_s, left_s) if left_s > 0 else self._timing.call_s
            ):
                await attempt()
        except (ClusterError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            trouble = f"the Lease cannot be had: {why}"
            if trouble != self._trouble:
                hint = "the operator's Role must allow get, create and patch of leases"
                logger.warning(
                    "the Lease cannot be read or written",
                    extra={"error": why, "hint": hint if isinstance(error, Refused) else ""},
                )
            if isinstance(error, Refused) or self._sighting is None:
                self._trouble = trouble
        else:
            self._trouble = ""

    async def _give_back(self) -> None:
        """Let the next replica take over at once."""
        self._deadline_s = NEVER
        if not self._has_claimed:
            return
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._look()  # the answer to the last renewal may have been lost
                await self._withdraw()
        except (ClusterError, TimeoutError) as error:
            logger.warning("the Lease could not be given back", extra={"error": str(error)})

    # --- single attempts, which wait for nothing but the store

    async def acquire(self) -> None:
        """Look at the Lease and take it if nobody else can be acting; raises ClusterError."""
        await self._look()
        if self._sighting is not None and not self._sighting.may_be_taken(self._identity, self._clock()):
            return
        rivals = self._rivals
        if rivals is None:
            self._deadline_s = await self._claim()
            return
        keeps_claim = rivals.shard.index == 0
        if not keeps_claim and await rivals.look(self._clock) is not Standing.FREE:
            await self._withdraw()
            return
        until_s = await self._claim()
        if await rivals.look(self._clock) is Standing.FREE:  # after the claim, which they see in turn
            self._deadline_s = until_s
            await rivals.tidy()
        elif not keeps_claim:
            await self._withdraw()

    async def renew(self) -> None:
        """Renew the Lease if it still is this replica's; raises ClusterError."""
        try:
            until_s = await self._claim()
        except (Conflict, Missing):
            # Somebody else has it, or an earlier renewal had its effect and its answer was lost.
            await self._look()
            if self._sighting is not None and self._sighting.record.holder != self._identity:
                self._deadline_s = NEVER
                return
            until_s = await self._claim()
        rivals = self._rivals
        is_outvoted = rivals is not None and await rivals.look_at_first(self._clock) is Standing.OUTVOTED
        self._deadline_s = NEVER if is_outvoted else until_s

    async def _look(self) -> None:
        record = await self._store.read()
        self._version = record.version if record is not None else ""
        self._sighting = seen(self._sighting, record, self._clock())

    async def _withdraw(self) -> None:
        """Let go of the Lease if, as it was seen last, it is this replica's."""
        record = self._sighting.record if self._sighting is not None else None
        if record is not None and record.holder == self._identity and self._version:
            given = await self._store.write(replace(record, holder="", duration_s=1, renewed=_now()))
            self._version, self._sighting = given.version, Sighting(given, self._clock())

    async def _claim(self) -> float:
        """Write this replica's claim over the version that was seen last; return until when it holds."""
        sent_s, now = self._clock(), _now()
        before = self._sighting.record if self._sighting is not None else None
        is_mine = before is not None and before.holder == self._identity
        claim = LeaseRecord(
            holder=self._identity,
            duration_s=self._timing.duration_s,
            transitions=before.transitions + (not is_mine) if before is not None else 0,
            acquired=before.acquired if before is not None and is_mine else now,
            renewed=now,
            shown=self._shown or (before.shown if before is not None else ""),
            version=self._version,
        )
        self._has_claimed = True
        if before is not None and not is_mine:
            self._inherited, self._shown = before.shown, ""
            claim = replace(claim, shown=before.shown)
        try:
            written = await self._store.write(claim)
        except AlreadyExists:
            await self._look()
            return self._deadline_s
        self._version = written.version
        self._sighting = Sighting(written, self._clock())
        return sent_s + self._timing.deadline_s


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
