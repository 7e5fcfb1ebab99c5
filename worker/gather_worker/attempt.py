"""The time that an attempt has, and its two early ends: SIGTERM and the deadline.

What can be cancelled without loss (a model call, a question to the brain, a wait) is awaited through
`Attempt.race`; what saves is not, and is bounded by its own timeouts.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gather_clients.background_tasks import AFTER_SAVING_S, end_tasks
from gather_worker.errors import DeadlineNear, Terminated

T = TypeVar("T")

MARGIN_SHARE = 0.1
MARGIN_MIN_S = 5.0
MARGIN_MAX_S = 30.0
"""Kept between the soft deadline and the kubelet's: it counts from the pod's start, not the process's, and a
last save with MongoDB slow takes seconds."""
SAVE_GRACE_S = 12.0
"""For saving after SIGTERM; the pod has 20 s before SIGKILL, and ending the process takes some of them."""


def soft_deadline_s(timeout_s: float) -> float:
    """Return how long an attempt works when the kubelet ends it after `timeout_s`."""
    return timeout_s - min(MARGIN_MAX_S, max(MARGIN_MIN_S, timeout_s * MARGIN_SHARE))


class Attempt:
    """One pod's time, from the process's start."""

    def __init__(self, duration_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + duration_s
        self._terminated = asyncio.Event()
        self._saving_ends_at = float("inf")

    def terminate(self) -> None:
        """Note that SIGTERM came: `race` cancels its work, and saving has `SAVE_GRACE_S` left."""
        if not self._terminated.is_set():
            self._saving_ends_at = self._clock() + SAVE_GRACE_S
            self._terminated.set()

    @property
    def is_terminated(self) -> bool:
        """Return whether SIGTERM came."""
        return self._terminated.is_set()

    @property
    def remaining_s(self) -> float:
        """Return the time for work that can be cancelled."""
        return max(0.0, self._ends_at - self._clock())

    @property
    def saving_remaining_s(self) -> float:
        """Return the time for saving, which the margin behind the deadline is for."""
        own_s = self._ends_at + MARGIN_MIN_S - self._clock()
        return max(0.0, min(own_s, self._saving_ends_at - self._clock()))

    def check(self) -> None:
        """Raise Terminated or DeadlineNear if it is time to stop."""
        if self.is_terminated:
            raise Terminated("stopped by SIGTERM")
        if self.remaining_s <= 0:
            raise DeadlineNear("the attempt's time is over")

    async def race(self, work: Awaitable[T]) -> T:
        """Return the work's result; cancel it and raise if SIGTERM or the deadline comes first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._terminated.wait())
        try:
            # A timeout of 0 would still accept work that is done at once, so check first.
            self.check()
            await asyncio.wait({task, stop}, timeout=self.remaining_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            self.check()
            raise DeadlineNear("the attempt's time is over")
        finally:
            # What the work ends with now, or has ended with in this very moment, is nobody's any more.
            await end_tasks((task, stop), AFTER_SAVING_S)

    async def sleep(self, duration_s: float) -> None:
        """Wait, but no longer than until SIGTERM or the deadline, which raise."""
        await self.race(asyncio.sleep(duration_s))

    async def back_off(self, duration_s: float) -> None:
        """Wait between two tries of a save; SIGTERM shortens the wait and raises nothing."""
        if self.is_terminated:
            await asyncio.sleep(min(duration_s, 0.2, self.saving_remaining_s))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await self._terminated.wait()
