"""An asyncio event loop whose time jumps to the next timer: hours pass in milliseconds, without a socket.

It turns as asyncio's own loop does, step by step, but for the kernel and for what is there for debugging:
a simulation turns it thousands of times, and that was a sixth of its time.
"""

import asyncio
import contextvars
import heapq
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVarTuple

Ts = TypeVarTuple("Ts")

STEPS_AT_ONE_TIME_MAX: Final = 200_000
"""Turns of the loop without time passing: more are an endless loop."""
RESOLUTION_S: Final = 1e-9
CANCELLED_MIN: Final = 100
"""With so many timers, the cancelled ones are taken out once they are more than half, as asyncio does."""


class Hang(AssertionError):  # noqa: N818 - a state, said as one
    """Nothing is left that could ever happen, or everything happens at the same time forever."""


class _Soon:
    """A callback for the next turn."""

    __slots__ = ("arguments", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., object], arguments: Any, context: contextvars.Context) -> None:
        self.callback, self.arguments, self.context = callback, arguments, context
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


class _Timer(float):
    """A callback for later. It is its time, so that the heap compares timers without calling Python."""

    __slots__ = ("arguments", "callback", "context", "is_cancelled", "loop")

    callback: Callable[..., object]
    arguments: Any
    context: contextvars.Context
    is_cancelled: bool
    loop: "VirtualLoop | None"
    """None once it is due."""

    def cancel(self) -> None:
        if not self.is_cancelled:
            self.is_cancelled = True
            if self.loop is not None:
                self.loop.cancelled_timers += 1
            # What it would have called may be large.
            self.callback, self.arguments = _nothing, ()

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return float(self)


def _nothing() -> None:
    """Take the place of a cancelled callback."""


class VirtualLoop(base_events.BaseEventLoop):
    """Runs tasks and timers; everything that needs the kernel raises NotImplementedError."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled_timers = 0
        """Of those that still stand in the heap."""
        self._now_s = 0.0
        self._turns = 0
        self._ready: deque[_Soon | _Timer] = deque()
        self._scheduled: list[_Timer] = []
        self._stopping = False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def begin_again(self) -> None:
        """Count turns from none."""
        self._turns = 0

    # --- asyncio's own names from here on

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> Any:
        """Call it in the next turn."""
        handle = _Soon(callback, args, contextvars.copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> Any:
        """Call it in the next turn: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call it after a delay."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call it when the clock shows that time."""
        timer = _Timer(when)
        timer.callback, timer.arguments, timer.loop, timer.is_cancelled = callback, args, self, False
        timer.context = contextvars.copy_context() if context is None else context
        heapq.heappush(self._scheduled, timer)
        return timer

    def _run_once(self) -> None:
        """Make one turn."""
        self._drop_cancelled()
        ready, timers = self._ready, self._scheduled
        self._let_time_pass()
        ends_s = self._now_s + RESOLUTION_S
        while timers and timers[0] < ends_s:
            timer = heapq.heappop(timers)
            timer.loop = None
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.is_cancelled:
                self._call(handle)

    def _drop_cancelled(self) -> None:
        """Take cancelled timers out."""
        timers = self._scheduled
        if len(timers) > CANCELLED_MIN and self.cancelled_timers / len(timers) > 0.5:
            timers[:] = [timer for timer in timers if not timer.is_cancelled]
            heapq.heapify(timers)
            self.cancelled_timers = 0
        while timers and timers[0].is_cancelled:
            self.cancelled_timers -= 1
            heapq.heappop(timers).loop = None

    def _let_time_pass(self) -> None:
        """Wait for the next timer, if nothing is to be done now."""
        wait_s = 0.0
        if not (self._ready or self._stopping):
            if not self._scheduled:
                raise Hang("no task is ready and no timer is set")
            wait_s = self._scheduled[0] - self._now_s
        if wait_s > 0:
            self._now_s += wait_s
            self._turns = 0
            return
        self._turns += 1
        if self._turns > STEPS_AT_ONE_TIME_MAX:
            raise Hang("tasks go round without waiting for anything")

    def _call(self, handle: _Soon | _Timer) -> None:
        try:
            handle.context.run(handle.callback, *handle.arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio does
            self.call_exception_handler({"message": f"Exception in {handle.callback}", "exception": error})


def run_virtual(main: Any) -> Any:
    """Run a coroutine on a loop of its own and return what it returns."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        with suppress(Hang):  # the cause is on its way already
            _cancel_all(loop)
        loop.close()


def _cancel_all(loop: VirtualLoop) -> None:
    """End what is left, so that nothing of one simulation lives on into the next."""
    loop.set_exception_handler(lambda *_: None)
    loop.begin_again()
    for _ in range(20):
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        if not left:
            return
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
