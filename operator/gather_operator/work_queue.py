"""The work queue: one task per run at a time, no run queued twice, longer waits after each failure.

A wait holds whatever else happens: neither the ticker nor a watch brings a run forward that the API has put
off. Only a person's word does, a changed spec or a deletion, and runs that are to be stopped go before all.
Runs at work go before those that have not begun: of a thousand that come at once none waits in its middle.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gather_clients.backoff import Backoff
from gather_operator.errors import EXPECTED
from gather_operator.metrics import QUEUE_DEPTH, QUEUE_WAIT_SECONDS

logger = logging.getLogger(__name__)

BACKOFF: Final = Backoff(0.5, 8.0)
"""A run whose namespace hangs is tried at least this often, and delays no other."""
RETRY_AFTER_MAX_S: Final = 60.0
"""Longer than this nobody is believed who asks for patience."""
SOON_S: Final = 2.0
"""What can wait does so for this long, so that much of it costs one pass."""
WORKED_MAX: Final = 20_000
"""Keys of which it is remembered when they had their last pass."""
LATE_SHARE: Final = 4
"""Of so many keys that a worker takes, one is a late one, if there is any."""
RESERVED: Final = 2
"""Workers that take urgent runs alone, for when all others wait for something outside."""


@dataclass(frozen=True, slots=True)
class Next:
    """When a key is to be worked on again, unless a change comes before."""

    after_s: float | None = None
    """None: only a change matters."""
    is_held: bool = False
    """No change but a person's brings it forward."""


Work = Callable[[str], Awaitable[Next]]


class WorkQueue:
    """Keys to work on. It holds each key once, so it is never longer than there are runs."""

    def __init__(
        self,
        is_urgent: Callable[[str], bool] = lambda _: False,
        is_late: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Both say of a key that is being queued whether it goes before all others, or after them."""
        self._is_urgent = is_urgent
        self._is_late = is_late
        self._urgent: deque[str] = deque()
        self._usual: deque[str] = deque()
        self._late: deque[str] = deque()
        self._taken = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        """Workers that wait for a key: each key wakes one of them, since the others would wake in vain."""
        self._reserved: deque[asyncio.Future[None]] = deque()
        self._queued: dict[str, float] = {}
        """Since when each key is queued, on the event loop's clock."""
        self._busy: set[str] = set()
        self._again: dict[str, bool] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._not_before_s: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._worked_s: OrderedDict[str, float] = OrderedDict()
        """When the last pass over each key ended, the oldest first."""

    def add(self, key: str, *, is_asked_for: bool = False) -> None:
        """Queue the key, now or when its wait is over; while it is being worked on, once that ends.

        `is_asked_for`: a person has changed something, so no wait counts.
        """
        if key in self._busy:
            self._again[key] = is_asked_for or self._again.get(key, False)
            return
        if is_asked_for:
            self._not_before_s.pop(key, None)
            self._failures.pop(key, None)
        wait_s = self._not_before_s.get(key, 0.0) - asyncio.get_running_loop().time()
        if wait_s > 0:
            self.add_later(key, wait_s)
            return
        self._not_before_s.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if key not in self._queued:
            self._queued[key] = asyncio.get_running_loop().time()
            lane = self._lane(key)
            lane.append(key)
            self._wake_one(lane)
            QUEUE_DEPTH.set(len(self._queued))
        elif is_asked_for and key not in self._urgent and self._is_urgent(key):
            (self._usual if key in self._usual else self._late).remove(key)
            self._urgent.append(key)
            self._wake_one(self._urgent)

    def _lane(self, key: str) -> deque[str]:
        if self._is_urgent(key):
            return self._urgent
        return self._late if self._is_late(key) else self._usual

    def _wake_one(self, lane: deque[str]) -> None:
        """Wake a worker for a key of that lane, if one is idle; else the next to be done finds it."""
        for idle in (self._idle, self._reserved) if lane is self._urgent else (self._idle,):
            while idle:
                if not (woken := idle.popleft()).done():
                    woken.set_result(None)
                    return

    def add_soon(self, key: str) -> None:
        """Queue the key, which can wait, unless it is queued anyway."""
        if key not in self._queued:
            self.add_later(key, SOON_S)

    def tick(self, key: str, interval_s: float) -> None:
        """Queue the key so that its passes are no further apart than that."""
        if key in self._queued or key in self._busy:
            return
        now_s = asyncio.get_running_loop().time()
        left_s = self._worked_s.get(key, now_s - interval_s) + interval_s - now_s
        if left_s > 0:
            self.add_later(key, left_s)
        else:
            self.add(key)

    def add_later(self, key: str, delay_s: float) -> None:
        """Queue the key after a delay; of several delays the shortest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(delay_s, 0)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._wake, key)

    def _wake(self, key: str) -> None:
        # First, since a timer that is over would keep `add_later` from setting another.
        self._timers.pop(key, None)
        self.add(key)

    async def run(self, workers: int, work: Work) -> None:
        """Work on keys until cancelled, on `workers` of them at a time, and on a few more urgent ones."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(work, (self._urgent, self._usual, self._late)))
            for _ in range(RESERVED):
                group.create_task(self._worker(work, (self._urgent,)))

    async def _worker(self, work: Work, lanes: Sequence[deque[str]]) -> None:
        while True:
            key = await self._next(lanes)
            QUEUE_WAIT_SECONDS.observe(asyncio.get_running_loop().time() - self._queued.pop(key))
            QUEUE_DEPTH.set(len(self._queued))
            self._busy.add(key)
            try:
                following = await self._attempt(key, work)
            finally:
                self._busy.discard(key)
                self._note_pass(key)
            if following.is_held and following.after_s is not None:
                self._not_before_s[key] = asyncio.get_running_loop().time() + following.after_s
            if following.after_s is not None:
                self.add_later(key, following.after_s)
            if (is_asked_for := self._again.pop(key, None)) is not None:
                self.add(key, is_asked_for=is_asked_for)

    def _note_pass(self, key: str) -> None:
        self._worked_s[key] = asyncio.get_running_loop().time()
        self._worked_s.move_to_end(key)
        while len(self._worked_s) > WORKED_MAX:
            self._worked_s.popitem(last=False)

    async def _next(self, lanes: Sequence[deque[str]]) -> str:
        is_reserved = len(lanes) == 1
        while True:
            # So that even a cluster that is never done with those at work begins others.
            is_turn = not is_reserved and (self._taken + 1) % LATE_SHARE == 0
            for lane in (self._late, *lanes) if is_turn else lanes:
                if lane:
                    self._taken += 1
                    return lane.popleft()
            woken = asyncio.get_running_loop().create_future()
            (self._reserved if is_reserved else self._idle).append(woken)
            await woken

    async def _attempt(self, key: str, work: Work) -> Next:
        asked_s = 0.0
        try:
            following = await work(key)
        except EXPECTED as error:
            asked_s = min(error.retry_after_s or 0.0, RETRY_AFTER_MAX_S)
            logger.warning(
                "reconcile failed; retrying with back-off", extra={"run_uid": key, "error": str(error)}
            )
        except Exception:
            # One run's failure must not stop the others.
            logger.exception("reconcile failed unexpectedly; retrying with back-off", extra={"run_uid": key})
        else:
            self._failures.pop(key, None)
            return following
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return Next(max(BACKOFF.wait_s(failures), asked_s), is_held=True)
