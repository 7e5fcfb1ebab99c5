"""Lets the product read the simulation's clocks and chance in place of the machine's.

Product code takes a clock where its tests need one; the rest is exchanged here, at the modules' boundaries,
for the time of a simulation alone.
"""

import asyncio
import logging
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from unittest.mock import patch

import gather_worker.metrics
from gather_worker.metrics import Meter
from tests.support.simulation.processes import CURRENT

BEGAN: Final = datetime(2026, 5, 1, 12, tzinfo=UTC)
REAL_MONOTONIC: Final = time.monotonic
REAL_TIME: Final = time.time
ROOMS: Final = ("gather_operator", "gather_worker", "gather_clients", "gather_contracts")


LOOP: list[asyncio.AbstractEventLoop] = []
"""The loop of the simulation that runs now."""


def monotonic() -> float:
    """Return the virtual time; it never jumps."""
    return 1000.0 + LOOP[-1].time() if LOOP else REAL_MONOTONIC()


def wall_s() -> float:
    """Return the time on the wall of the current process's machine."""
    if not LOOP:
        return REAL_TIME()
    process = CURRENT.get()
    offset_s = process.machine.wall_offset_s if process is not None else 0.0
    return BEGAN.timestamp() + monotonic() - 1000.0 + offset_s


def true_now() -> datetime:
    """Return the time on a wall where it is right."""
    return BEGAN + timedelta(seconds=monotonic() - 1000.0)


class _DatetimeType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)

    def __call__(cls, *args: Any, **options: Any) -> datetime:
        return datetime(*args, **options)  # noqa: DTZ001 - as the caller has it

    def __getattr__(cls, name: str) -> Any:
        return getattr(datetime, name)


class VirtualDatetime(metaclass=_DatetimeType):
    """`datetime`, but for its now."""

    @staticmethod
    def now(tz: tzinfo | None = None) -> datetime:
        """Return the time on the wall of the current process's machine."""
        return datetime.fromtimestamp(wall_s(), tz)


class MeterOfProcess:
    """The meter of the current process, of which production has one each."""

    def __getattr__(self, name: str) -> Any:
        process = CURRENT.get()
        assert process is not None, "a worker is measured outside of a process"
        meter = process.locals.get("meter")
        if meter is None:
            meter = process.locals["meter"] = Meter(monotonic)
        return getattr(meter, name)


def _modules() -> list[Any]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] in ROOMS and module is not None
    ]


def _exchange(stack: ExitStack) -> None:
    meter, exchanged = gather_worker.metrics.METER, MeterOfProcess()
    for module in _modules():
        for name, value in list(vars(module).items()):
            if value is datetime:
                stack.enter_context(patch.object(module, name, VirtualDatetime))
            elif value is meter:
                stack.enter_context(patch.object(module, name, exchanged))
            elif isinstance(value, type) and value.__module__ == module.__name__:
                _exchange_clock(stack, value)


def _exchange_clock(stack: ExitStack, kind: type) -> None:
    """Give constructors whose clock is `time.monotonic` unless they are given another one ours."""
    made = vars(kind).get("__init__")
    defaults = getattr(made, "__defaults__", None) or ()
    keywords = getattr(made, "__kwdefaults__", None) or {}
    if REAL_MONOTONIC in defaults:
        ours = tuple(monotonic if value is REAL_MONOTONIC else value for value in defaults)
        stack.enter_context(patch.object(made, "__defaults__", ours))
    if REAL_MONOTONIC in keywords.values():
        same = {key: monotonic if value is REAL_MONOTONIC else value for key, value in keywords.items()}
        stack.enter_context(patch.object(made, "__kwdefaults__", same))


@contextmanager
def virtual_time(*, is_logged: bool = False) -> Iterator[None]:
    """Exchange clocks and chance; `seeded` has to be called for each simulation."""
    before = logging.root.manager.disable
    state = random.getstate()
    with ExitStack() as stack:
        _exchange(stack)
        stack.enter_context(patch.object(time, "monotonic", monotonic))
        stack.enter_context(patch.object(time, "time", wall_s))
        stack.enter_context(patch.object(uuid, "uuid4", _uuid4))
        stack.enter_context(patch.object(asyncio, "to_thread", _at_once))
        if not is_logged:
            logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
            random.setstate(state)


async def _at_once(function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
    """Take no virtual time: a thread's end would come whenever the machine has got to it."""
    return function(*args, **options)


def seeded(seed: int) -> None:
    """Let what the product itself draws follow from the seed."""
    random.seed(f"product {seed}")


def _uuid4() -> uuid.UUID:
    return uuid.UUID(int=random.getrandbits(128), version=4)
