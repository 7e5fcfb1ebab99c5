"""Background tasks: those of a process, those that live while somebody needs them, and how each ends."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

AGAIN_S: Final = 5.0
"""`asyncio.wait_for` of Python 3.11, which redis-py uses, may lose a cancellation; the next one arrives."""
AFTER_SAVING_S: Final = 20.0
"""For tasks that save or say something when they are cancelled, up to 15 s: the next would cut it short."""


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"], again_s: float = AGAIN_S) -> None:
    """Cancel the tasks, every `again_s` seconds, until all have ended; what they raise is theirs."""
    every = set(tasks)
    while pending := {task for task in every if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=again_s)
    # Nobody else may look, and then asyncio would log it.
    await asyncio.gather(*every, return_exceptions=True)


class ProcessTasks:
    """Tasks that run as long as their process: none of them ends by itself."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, works: Mapping[str, Coroutine[None, None, None]]) -> None:
        """Start a task for each work, by its name."""
        self._tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]

    def trouble(self) -> str | None:
        """Return which task has ended although none should, or None."""
        for task in self._tasks:
            if task.done():
                return f"{task.get_name()} has ended: {'' if task.cancelled() else task.exception()!r}"
        return None

    async def end(self) -> None:
        """Cancel all and wait for their end."""
        await end_tasks(self._tasks)


class OnDemandTask:
    """Starts `work` where it does not run yet; `work` returns once nobody needs it any more."""

    def __init__(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        self._work = work
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def need(self) -> None:
        """Say that somebody new needs it."""
        self._came.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def end(self) -> None:
        """Cancel the work, if it runs."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel the work and wait for its end."""
        task = self._task
        self.end()
        if task is not None:
            await end_tasks([task])

    async def pause(self, longest_s: float) -> None:
        """Wait, in the work, for so long or until somebody new comes."""
        self._came.clear()
        try:
            async with asyncio.timeout(longest_s):
                await self._came.wait()
        except TimeoutError:
            return
