"""Processes of the simulation: tasks that belong together, live on one machine and die together.

A process acts on the world only through `Wire.call`. So a killed one can do no more, whatever its tasks that
are still being ended do in memory.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


class Killed(BaseException):
    """The process is gone; like a kill, nothing of the product's catches it."""


@dataclass
class Machine:
    """A node of the cluster, with a clock on its wall that may be wrong."""

    name: str
    wall_offset_s: float = 0.0


@dataclass
class Process:
    """One operator or worker."""

    name: str
    machine: Machine
    is_dead: bool = False
    thawed: asyncio.Event | None = None
    """Set once a frozen process goes on; None: it is not frozen."""
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    locals: dict[str, Any] = field(default_factory=dict)
    """What is one for each process in production, such as its meter."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, main: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run its main task."""
        token = CURRENT.set(self)
        try:
            task = asyncio.get_running_loop().create_task(main, name=self.name)
        finally:
            CURRENT.reset(token)
        task.add_done_callback(lambda _: self.ended.set())
        return task

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        if self.is_dead:
            return
        self.is_dead = True
        if (mourner := self.locals.get("mourner")) is not None:
            mourner()
        self.thaw()
        self.ended.set()
        asyncio.get_running_loop().create_task(self._reap())

    def freeze(self) -> None:
        """Stop it, as a suspended virtual machine does: nothing that it sends or is sent gets through."""
        self.thawed = asyncio.Event()

    def thaw(self) -> None:
        """Let it go on where it was."""
        if self.thawed is not None:
            self.thawed.set()
            self.thawed = None

    async def _reap(self) -> None:
        """Take its tasks away; those that resist can do nothing any more."""
        for _ in range(10):
            left = [task for task in self.tasks if not task.done()]
            for task in left:
                task.cancel()
            if not left:
                break
            await asyncio.sleep(0)
        self.tasks.clear()


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


def install(loop: asyncio.AbstractEventLoop, unhandled: Callable[[str], None]) -> None:
    """Let each task know its process, and report what no task of a living process handled."""

    def make(
        loop: asyncio.AbstractEventLoop, coroutine: Any, context: Any = None, **options: Any
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context, **options)
        process = CURRENT.get()
        if process is not None:
            process.tasks.append(task)
            if len(process.tasks) > 512:
                process.tasks[:] = [each for each in process.tasks if not each.done()]
        return task

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            unhandled(f"{context.get('message')}: {error!r}")

    loop.set_task_factory(make)
    loop.set_exception_handler(report)
