"""What the brain offers of earlier departments: asked first, answered while the rest is imported.

So this module and what it imports need neither a driver of MongoDB nor of Redis
(tests/unit/worker/test_start.py).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from gather_contracts.brain import ContextResponse
from gather_worker.department.task import DepartmentTask
from gather_worker.services.brain import Brain


class AskedAhead:
    """A question to the brain that is asked before its answer is needed."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None

    def begin(self, question: Coroutine[Any, Any, Any]) -> None:
        """Ask from now on."""
        self._task = asyncio.create_task(question)

    async def settle(self) -> None:
        """Return when it is answered or has failed; the same question raises its error again."""
        task, self._task = self._task, None
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Ask no longer."""
        if self._task is not None:
            self._task.cancel()
        await self.settle()


class EarlierContext:
    """What the brain offers of earlier departments, asked for once; for each prompt beside others at work."""

    def __init__(self, task: DepartmentTask, brain: Brain) -> None:
        self._task = task
        self.brain = brain
        self._ahead = AskedAhead()
        self._has_begun = False
        self._is_known = False
        self.answer: ContextResponse | None = None
        """The last one."""

    def begin(self) -> None:
        """Ask from now on, where the answer will still hold when it is needed; does so once."""
        if not (self._has_begun or self._task.is_beside_others):
            self._has_begun = True
            self._ahead.begin(self._ask())

    async def ask(self) -> ContextResponse | None:
        """Return the answer, None if there is nothing earlier; raises BrainUnusable."""
        await self._ahead.settle()
        return await self._ask()

    async def _ask(self) -> ContextResponse | None:
        if (not self._is_known or self._task.is_beside_others) and self._task.previous:
            department, previous = self._task.department.slug, self._task.previous
            self.answer = await self.brain.earlier_context(department, previous)
            self._is_known = True
        return self.answer

    async def forget(self) -> None:
        """Ask again the next time; an answer that is on its way is waited for, or it would count as new."""
        await self._ahead.settle()
        self._is_known = False

    async def close(self) -> None:
        """Ask no longer."""
        await self._ahead.close()
