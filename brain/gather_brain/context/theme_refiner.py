"""Themes put into better words by a model: one department at a time, in the background, within a budget.

Nothing waits for it and nothing depends on it: until it has an answer, and when it fails, the computed themes
are used.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from gather_brain.context.delay_queue import DelayQueue
from gather_brain.context.profile_refresher import Task
from gather_brain.errors import UnavailableError
from gather_brain.themes.profiles import Refined, StoredProfile, refinable
from gather_brain.themes.refinement import (
    EXCERPTS_MAX,
    RefinementError,
    messages,
    near_themes,
    needs_refining,
    themes_in,
)

logger = logging.getLogger(__name__)

WAITING_MAX: Final = 200
HOUR_S: Final = 3600.0


class ChatModel(Protocol):
    """A chat model."""

    async def ask(self, messages: Sequence[dict[str, str]]) -> str:
        """Return what the model wrote, or raise RefinementError."""


class CallBudget:
    """Allows so many calls in any hour."""

    def __init__(self, calls_per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = deque[float](maxlen=calls_per_hour)
        self._clock = clock

    def allows(self) -> bool:
        """Return whether one more call may be made now."""
        is_full = len(self._calls) == self._calls.maxlen
        return not is_full or self._clock() - self._calls[0] >= HOUR_S

    def spend(self) -> None:
        """Count a call, whether it succeeds or not."""
        self._calls.append(self._clock())


class ThemeRefiner:
    """Refines the scheduled departments whose content is new to the model; `observe` gets each outcome."""

    def __init__(
        self,
        model: ChatModel,
        budget: CallBudget,
        lease_s: float,
        observe: Callable[[str], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._model = model
        self._budget = budget
        self._lease_s = lease_s
        self._observe = observe
        self._now = now
        self._waiting = DelayQueue[Task](WAITING_MAX)

    def wants(self, stored: StoredProfile | None) -> bool:
        """Return whether the department's themes could be refined."""
        return needs_refining(stored)

    def schedule(self, task: Task) -> None:
        """Have the department's themes refined in the background."""
        self._waiting.put(task.key, task, 0)

    async def run(self) -> None:
        """Refine one department after the other until cancelled."""
        while True:
            task = await self._waiting.next()
            try:
                await self._refine(task)
            except UnavailableError:
                logger.info("refining themes skipped", extra={"reason": "Neo4j or the model is unavailable"})
            except Exception:
                logger.exception("refining themes failed")

    async def _refine(self, task: Task) -> None:
        name = task.department
        overview = (await task.departments.overview([name]))[name]
        profile = overview.stored.profile if overview.stored else None
        if profile is None or profile.centre is None or not needs_refining(overview.stored):
            return
        if not self._budget.allows():
            self._observe("limited")
            return
        lease = timedelta(seconds=self._lease_s)
        if not await task.departments.claim_refinement(name, self._now(), lease):
            # The model was asked lately; the content may have changed since.
            self._waiting.put(task.key, task, self._lease_s)
            return
        self._budget.spend()
        top = await task.departments.nearest({name: overview.node_count}, profile.centre, EXCERPTS_MAX)
        try:
            answer = await self._model.ask(messages(name, profile, [node.content for node in top[name]]))
            named = themes_in(answer)
            themes = near_themes(named, await task.embedder.embed(named), profile)
        except RefinementError as failure:
            self._observe("failed")
            logger.warning("themes not refined", extra={"reason": str(failure)})
            return
        await task.departments.store_refined(name, Refined(themes, refinable(profile)), self._now())
        self._observe("refined")
