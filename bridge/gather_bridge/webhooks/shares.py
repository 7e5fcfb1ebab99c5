"""Which call may begin: places in three lanes, so that those who do not answer take none from those who do.

A receiver is a URL. What it did last says in which lane its calls wait: it answered promptly, it was not
tried yet, or it failed. In each lane the places go round over projects and receivers, and nobody has more
than a share. A call that is not answered soon leaves its place to others and only stays open.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KNOWN_MAX: Final = 20_000
"""Receivers that are remembered; who was not called for longest is untried again."""
PATIENCE_S: Final = 0.5
"""A call that takes longer leaves its place."""


PASSES_MAX: Final = 4
"""At one tick of a pacer."""


class Lane(StrEnum):
    """What a receiver did last."""

    PROMPT = "prompt"
    UNTRIED = "untried"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lane gives out."""

    places: int
    project: int
    """Places of one project."""
    receiver: int
    """Calls of one receiver that are open."""
    open: int
    """Calls that are open, those without a place too; each takes about 60 KiB."""


LIMITS: Final = {
    Lane.PROMPT: Limits(64, 16, 16, 192),
    Lane.UNTRIED: Limits(32, 16, 2, 96),
    Lane.FAILING: Limits(32, 8, 4, 64),
}

Key = tuple[str, str]
"""Project and receiver."""


class _Queue:
    """One lane: who waits, and what is taken."""

    def __init__(self, limits: Limits, *, takes_both_ends: bool) -> None:
        self._limits = limits
        self._takes_both_ends = takes_both_ends
        self._from_end = False
        self.waiting: OrderedDict[Key, deque[asyncio.Future[_Queue]]] = OrderedDict()
        self.places = 0
        self.open = 0
        self.projects: Counter[str] = Counter()
        self.receivers: Counter[str] = Counter()

    def has_room(self, key: Key) -> bool:
        project, receiver = key
        limits = self._limits
        is_full = self.places >= limits.places or self.open >= limits.open
        is_greedy = self.projects[project] >= limits.project or self.receivers[receiver] >= limits.receiver
        return not (is_full or is_greedy)

    def take(self, key: Key) -> None:
        self.places += 1
        self.open += 1
        self.projects[key[0]] += 1
        self.receivers[key[1]] += 1

    def leave_place(self, key: Key) -> None:
        self.places -= 1
        _take_off(self.projects, key[0])

    def close(self, key: Key) -> None:
        self.open -= 1
        _take_off(self.receivers, key[1])

    def admit(self) -> None:
        """Let those begin that have room, each in its turn."""
        while (key := self._next()) is not None:
            queue = self.waiting[key]
            future = queue.popleft()
            if queue:
                self.waiting.move_to_end(key)
            else:
                del self.waiting[key]
            if not future.done():
                self.take(key)
                future.set_result(self)

    def _next(self) -> Key | None:
        if self.places >= self._limits.places or self.open >= self._limits.open:
            return None
        keys = list(self.waiting)
        if self._takes_both_ends:
            # Who came last need not wait until a thousand dead ones before it were tried.
            self._from_end = not self._from_end
            if self._from_end:
                keys.reverse()
        return next((key for key in keys if self.has_room(key)), None)


class Shares:
    """Gives out the places of this process."""

    def __init__(self) -> None:
        self._queues = {
            lane: _Queue(limits, takes_both_ends=lane is Lane.UNTRIED) for lane, limits in LIMITS.items()
        }
        self._known: OrderedDict[str, Lane] = OrderedDict()

    def lane_of(self, receiver: str) -> Lane:
        """Return in which lane the receiver's next call waits."""
        return self._known.get(receiver, Lane.UNTRIED)

    def note(self, receiver: str, *, is_prompt: bool) -> None:
        """Remember what the receiver did; those who wait for it change lanes with it."""
        before, after = self.lane_of(receiver), Lane.PROMPT if is_prompt else Lane.FAILING
        self._known[receiver] = after
        self._known.move_to_end(receiver)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        if before is after:
            return
        old, new = self._queues[before], self._queues[after]
        for key in [key for key in old.waiting if key[1] == receiver]:
            new.waiting.setdefault(key, deque()).extend(old.waiting.pop(key))
        new.admit()

    @asynccontextmanager
    async def place(self, project: str, receiver: str) -> AsyncIterator[None]:
        """Wait for the turn of a call, which lasts as long as the block."""
        key = (project, receiver)
        queue = await self._turn(key)
        is_placed = True

        def leave_place() -> None:
            nonlocal is_placed
            if is_placed:
                is_placed = False
                queue.leave_place(key)
                queue.admit()

        timer = asyncio.get_running_loop().call_later(PATIENCE_S, leave_place)
        try:
            yield
        finally:
            timer.cancel()
            queue.close(key)
            leave_place()
            queue.admit()

    async def _turn(self, key: Key) -> _Queue:
        """Return the lane that the place was given in."""
        future: asyncio.Future[_Queue] = asyncio.get_running_loop().create_future()
        queue = self._queues[self.lane_of(key[1])]
        queue.waiting.setdefault(key, deque()).append(future)
        queue.admit()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                taken = future.result()
                taken.leave_place(key)
                taken.close(key)
                taken.admit()
            raise


class Pacer:
    """Lets one pass each `interval_s`, the newest first, so that a thousand leave time to the others.

    After a late tick a few pass at once: else a busy process would let pass hardly any.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self) -> None:
        """Wait for a turn."""
        if self._timer is None:
            self._arm()
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._interval_s, self._let_pass, loop.time())

    def _let_pass(self, since_s: float) -> None:
        self._timer = None
        late = int((asyncio.get_running_loop().time() - since_s) / self._interval_s)
        left = max(1, min(late, PASSES_MAX))
        while self._waiting and left:
            if not (future := self._waiting.pop()).done():
                future.set_result(None)
                left -= 1
        if not left:
            self._arm()


def _take_off(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
