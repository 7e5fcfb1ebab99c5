"""One department, in reading order: take up, generate, dedupe, accept, save, index, score, announce, stop.

Every step leaves its result in the checkpoint before the next begins, and every step but the model's can be
done twice without harm; so a successor goes on where a killed worker stopped, and pays for no answer twice.
"""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from gather_contracts.brain import CoverageResponse
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.quality import best_score, gaps_of
from gather_worker.department.stop_rule import (
    LoopState,
    decide_stop,
    flat_iterations,
    goes_on_regardless,
    is_flat,
)
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import BudgetUsed, DeadlineNear
from gather_worker.logs import set_log_context
from gather_worker.metrics import METER
from gather_worker.settings import Settings
from gather_worker.steps.checkpointer import Checkpointer
from gather_worker.steps.deduplicating import Deduplicator
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.drafting import Drafter
from gather_worker.steps.finishing import Finisher
from gather_worker.steps.measuring import Advisers
from gather_worker.steps.publishing import Publisher

ITERATIONS_LEFT_WARNED: Final = 2
"""Enough for somebody who watches to see the end coming."""
FINISHED: Final = frozenset(
    {
        StopReason.THRESHOLD_REACHED,
        StopReason.ITERATIONS_USED,
        StopReason.QUALITY_FLAT,
        StopReason.BUDGET_USED,
    }
)

_LOGGER = logging.getLogger(__name__)


class Pipeline:
    """Works on one department until it is finished or the attempt ends; `checkpoint` is always the last
    kept.
    """

    def __init__(
        self, task: DepartmentTask, settings: Settings, dependencies: Dependencies, attempt: Attempt
    ) -> None:
        self._task = task
        self._dependencies = dependencies
        self._attempt = attempt
        judge_model = settings.judge_model or task.department.model
        self._advisers = Advisers(
            brain=dependencies.brain,
            model=dependencies.model,
            judge_model=judge_model,
            judge_repeats=settings.judge_repeats,
        )
        self._deduplicator = Deduplicator(
            dependencies.brain,
            dependencies.model,
            judge_model,
            settings.duplicate_threshold,
            dependencies.calibration,
        )
        self._checkpointer = Checkpointer(dependencies.store, dependencies.model, task.fresh_checkpoint())
        self._publisher = Publisher(task, self._checkpointer, dependencies, self._advisers, self._draft_early)
        self._drafter = Drafter(self._publisher)
        self._finisher = Finisher(self._publisher, settings, attempt)
        self._iteration_s = 0.0
        self._began_s = float("inf")

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that was kept last."""
        return self._checkpointer.checkpoint

    async def run(self) -> StopReason:
        """Return why the department is finished; raises WorkerError if only the attempt ends."""
        try:
            return await self._run()
        finally:
            await self._drafter.close()

    async def _run(self) -> StopReason:
        await self._take_up()
        if self.checkpoint.finished is None:
            await self._publisher.publish()
            await self._publisher.publish_leftovers()
            await self._finisher.send_evaluations()
            await self._drafter.prepare()
        while (reason := self.checkpoint.finished) is None:
            await self._step()
        await self._finisher.finish()
        return reason

    async def save_meters(self) -> None:
        """Note what was measured since the last write; for the end of an attempt that broke off."""
        await self._checkpointer.save_meters()

    # --- taking up

    async def _take_up(self) -> None:
        """Take the next epoch, read what there is, and say that the department is at work."""
        await self._checkpointer.take_epoch()
        set_log_context(iteration=self.checkpoint.iterations, epoch=self.checkpoint.epoch)
        self._publisher.items = await self._dependencies.store.read_items()
        await self._dependencies.events.started(self.checkpoint.epoch)
        _LOGGER.info(
            "department taken up: %d iterations done, threshold %g, model %s",
            self.checkpoint.iterations, self._task.department.threshold, self._task.department.model,
        )  # fmt: skip

    # --- an iteration

    async def _step(self) -> None:
        # Drafts that are paid for are taken in before the loop may end; `check` tells if no time is left.
        reason = None if self._drafter.has_begun else decide_stop(self._loop_state())
        if reason is StopReason.THRESHOLD_REACHED and self.checkpoint.began_at is not None:
            METER.reached((datetime.now(UTC) - self.checkpoint.began_at).total_seconds())
        if reason is not None and reason in FINISHED:
            is_evaluated = reason is StopReason.THRESHOLD_REACHED and self._task.is_evaluated
            await self._checkpointer.save(
                lambda checkpoint: checkpoint.ended(reason, is_evaluated=is_evaluated)
            )
            return
        if reason is StopReason.DEADLINE_NEAR:
            raise DeadlineNear("no further iteration fits into the attempt's time")
        self._attempt.check()
        self._began_s = time.monotonic()
        try:
            await self._iterate()
        except BudgetUsed as error:
            _LOGGER.warning("the run's budget is used: %s", error)  # the next look at the stop rule ends it
            return
        finally:
            self._iteration_s, self._began_s = self._longest_s(), float("inf")
        left = self._task.allowance - self.checkpoint.iterations
        if left == ITERATIONS_LEFT_WARNED and decide_stop(self._loop_state()) is None:
            _LOGGER.warning("%d iterations are left of %d", left, self._task.allowance)

    def _loop_state(self) -> LoopState:
        return LoopState(
            iterations=self.checkpoint.iterations,
            allowance=self._task.allowance,
            scores=self.checkpoint.scores,
            threshold=self._task.department.threshold,
            remaining_s=self._attempt.remaining_s,
            iteration_s=self._longest_s(),
            is_terminated=self._attempt.is_terminated,
            is_budget_used=self._dependencies.model.is_budget_used,
        )

    def _longest_s(self) -> float:
        """Return how long the longest iteration has taken, the one under way included."""
        return max(self._iteration_s, time.monotonic() - self._began_s)

    async def _iterate(self) -> None:
        iteration = self.checkpoint.iterations + 1
        set_log_context(iteration=iteration)
        end_lap = METER.start_lap()
        await self._drafter.draft(self.checkpoint.gaps, is_flat=self._is_flat())
        await self._dependencies.events.deduplicating(iteration)
        drafts = self.checkpoint.drafts
        slug, remembered = self._task.department.slug, self.checkpoint.verdicts
        choice = await self._deduplicator.choose(drafts, self._publisher.items, slug, remembered)
        now = datetime.now(UTC)
        signature = {"writer": self.checkpoint.writer, "prompt": self.checkpoint.prompt}
        items = [self._task.item(drafts[slot], iteration, slot, now, **signature) for slot in choice.kept]
        METER.judged(len(drafts), len(choice.kept))
        ratio = self._dependencies.model.token_ratio(self._task.department.model)
        await self._checkpointer.save(lambda checkpoint: checkpoint.accepted(items, choice.verdicts, ratio))
        await self._publisher.publish()
        _LOGGER.info(
            "iteration done: %d notes written, %d kept, quality %.1f",
            len(drafts), len(choice.kept), self.checkpoint.quality_score, extra=end_lap().log_fields(),
        )  # fmt: skip

    def _draft_early(self, coverage: CoverageResponse) -> None:
        """Have the next notes written while the judge still reads, where they are needed whatever it says."""
        state = self._loop_state()
        if goes_on_regardless(state, best_score(coverage.coverage_score, self.checkpoint.quality)):
            self._drafter.begin_early(gaps_of(coverage), is_flat=is_flat(state.scores))

    def _is_flat(self) -> bool:
        if not is_flat(self.checkpoint.scores):
            return False
        _LOGGER.warning(
            "quality stays at %.1f for %d iterations: the prompt turns to the gaps",
            self.checkpoint.quality_score, flat_iterations(self.checkpoint.scores),
        )  # fmt: skip
        return True
