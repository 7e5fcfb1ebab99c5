"""A background task that lives while somebody needs it, and hears when somebody new comes."""

import asyncio
from collections.abc import Callable, Coroutine

from gather_clients.web.ending_tasks import end_tasks


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
