"""An asyncio event loop whose time jumps to the next timer: hours pass in milliseconds, without a socket."""

import asyncio
from asyncio import base_events
from contextlib import suppress
from typing import Any, Final

STEPS_AT_ONE_TIME_MAX: Final = 200_000
"""Turns of the loop without time passing: more are an endless loop."""


class Hang(AssertionError):  # noqa: N818 - a state, said as one
    """Nothing is left that could ever happen, or everything happens at the same time forever."""


class _Selector:
    """Takes the place of the kernel: waiting is moving the clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.turns = 0

    def select(self, timeout_s: float | None) -> list[Any]:
        """Let the time pass."""
        if timeout_s is None:
            raise Hang("no task is ready and no timer is set")
        if timeout_s > 0:
            self.now_s += timeout_s
            self.turns = 0
            return []
        self.turns += 1
        if self.turns > STEPS_AT_ONE_TIME_MAX:
            raise Hang("tasks go round without waiting for anything")
        return []

    def close(self) -> None:
        """Nothing is open."""


class VirtualLoop(base_events.BaseEventLoop):
    """Runs tasks and timers; everything that needs the kernel raises NotImplementedError."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = _Selector()
        self._selector = self._virtual
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now_s

    def begin_again(self) -> None:
        """Count turns from none."""
        self._virtual.turns = 0

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nothing has to be woken: there is one thread."""


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
