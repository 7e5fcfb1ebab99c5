"""What a worker asks the brain first, which answers while the rest is imported and MongoDB is read.

So this module and what it imports need neither a driver of MongoDB nor of Redis
(tests/unit/worker/test_start.py).
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

from gather_clients.background_tasks import end_tasks
from gather_contracts.brain import CONTENT_MAX, ContextResponse, Duplicate
from gather_worker.department.task import DepartmentTask
from gather_worker.services.brain import RELATED_NODES, Brain


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
            await end_tasks([self._task])
        await self.settle()


class EarlierContext:
    """What the brain offers of earlier departments, asked for once; for each prompt beside others at work."""

    def __init__(self, task: DepartmentTask, brain: Brain) -> None:
        self._task = task
        self._brain = brain
        self._ahead = AskedAhead()
        self._is_known = False
        self.answer: ContextResponse | None = None
        """The last one."""

    def begin(self) -> None:
        """Ask from now on."""
        self._ahead.begin(self._ask())

    async def ask(self) -> ContextResponse | None:
        """Return the answer, None if there is nothing earlier; raises BrainUnusable."""
        await self._ahead.settle()
        return await self._ask()

    async def _ask(self) -> ContextResponse | None:
        if (not self._is_known or self._task.is_beside_others) and self._task.previous:
            department, previous = self._task.department.slug, self._task.previous
            self.answer = await self._brain.earlier_context(department, previous)
            self._is_known = True
        return self.answer

    async def forget(self) -> None:
        """Ask again the next time; an answer that is on its way is waited for, or it would count as new."""
        await self._ahead.settle()
        self._is_known = False

    async def close(self) -> None:
        """Ask no longer."""
        await self._ahead.close()


class NearestNotes:
    """The notes of any department that are nearest to what the department is for, and to the run's focus."""

    def __init__(self, task: DepartmentTask, brain: Brain) -> None:
        department, focus = task.department, task.focus
        matter = f"{department.name}: {department.description}".strip()
        self._questions = [text[:CONTENT_MAX] for text in (focus, matter) if text]
        self._brain = brain
        self._ahead = AskedAhead()
        self._early: list[list[Duplicate]] | None = None

    def begin(self) -> None:
        """Ask from now on; which notes are excluded is not known yet."""
        self._ahead.begin(self._ask())

    async def _ask(self) -> None:
        self._early = await self._brain.nearest(self._questions, ())

    async def ask(self, excluded_ids: Sequence[str]) -> list[list[Duplicate]]:
        """Return the answer to each question, the nearest first; raises BrainUnusable.

        What was asked ahead answers once, unless most of what is nearest is excluded.
        """
        await self._ahead.settle()
        early, self._early = self._early, None
        if early is not None:
            found = [_without(answer, frozenset(excluded_ids)) for answer in early]
            if all(map(_is_enough, early, found)):
                return found
        return await self._brain.nearest(self._questions, excluded_ids)

    async def forget(self) -> None:
        """Ask again the next time; an answer that is on its way is waited for, or it would count as new."""
        await self._ahead.settle()
        self._early = None

    async def close(self) -> None:
        """Ask no longer."""
        await self._ahead.close()


def _without(answer: Sequence[Duplicate], excluded_ids: Collection[str]) -> list[Duplicate]:
    return [node for node in answer if node.node_id not in excluded_ids]


def _is_enough(answer: Sequence[Duplicate], found: Sequence[Duplicate]) -> bool:
    """Return whether a search with the exclusions would find nothing more that a prompt has room for."""
    return len(answer) < RELATED_NODES or 2 * len(found) >= RELATED_NODES


class OpeningQuestions:
    """All of them; a worker beside other departments asks later, since what they write would be missing."""

    def __init__(self, task: DepartmentTask, brain: Brain) -> None:
        self._task = task
        self.brain = brain
        self.earlier = EarlierContext(task, brain)
        self.nearest = NearestNotes(task, brain)
        self._has_begun = False

    def begin(self) -> None:
        """Ask; does nothing if it was called before."""
        if not (self._has_begun or self._task.is_beside_others):
            self._has_begun = True
            self.earlier.begin()
            self.nearest.begin()

    async def close(self) -> None:
        """Ask no longer."""
        await self.earlier.close()
        await self.nearest.close()
