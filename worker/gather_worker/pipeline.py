"""One department, in reading order: take up, generate, dedupe, accept, save, index, score, announce, stop.

Every step leaves its result in the checkpoint before the next begins, and every step but the model's can be
done twice without harm; so a successor goes on where a killed worker stopped, and pays for no answer twice.
"""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from gather_contracts.result import StopReason
from gather_worker import context
from gather_worker.advice import Advisers
from gather_worker.answers import DraftBatch
from gather_worker.attempt import Attempt
from gather_worker.checkpoint import Checkpoint
from gather_worker.duplicates import DuplicateFinder
from gather_worker.ending import Ending
from gather_worker.errors import (
    AnswerInvalid,
    BrainAway,
    BudgetUsed,
    DeadlineNear,
    InvalidInput,
    ModelRejected,
    ModelUnavailable,
)
from gather_worker.keeper import Keeper
from gather_worker.llm import Signed
from gather_worker.logs import set_log_context
from gather_worker.meters import METER
from gather_worker.prompts import GENERATE, prompt_version
from gather_worker.settings import Settings
from gather_worker.settle import Settler
from gather_worker.stop_rule import Standing, decide_stop, flat_iterations, is_flat
from gather_worker.task import DepartmentTask
from gather_worker.tools import Tools

ANSWER_FAILURES_MAX: Final = 3
"""Answers, each with its re-ask, that may be useless in a row before the attempt ends; one in ten is, with
the models that do worst at JSON."""
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

    def __init__(self, task: DepartmentTask, settings: Settings, tools: Tools, attempt: Attempt) -> None:
        self._task = task
        self._tools = tools
        self._attempt = attempt
        judge_model = settings.judge_model or task.department.model
        self._advisers = Advisers(
            brain=tools.brain,
            model=tools.model,
            judge_model=judge_model,
            judge_repeats=settings.judge_repeats,
        )
        self._duplicates = DuplicateFinder(
            tools.brain, tools.model, judge_model, settings.duplicate_threshold, tools.calibration
        )
        self._keeper = Keeper(tools.store, tools.model, task.fresh_checkpoint())
        self._settler = Settler(task, self._keeper, tools, self._advisers)
        self._ending = Ending(self._settler, settings, attempt)
        self._earlier: context.Earlier | None = None
        self._iteration_s = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that was kept last."""
        return self._keeper.checkpoint

    async def run(self) -> StopReason:
        """Return why the department is finished; raises WorkerError if only the attempt ends."""
        await self._take_up()
        if self.checkpoint.finished is None:
            await self._settler.settle()
            await self._settler.settle_leftovers()
            await self._ending.send_evaluations()
        while (reason := self.checkpoint.finished) is None:
            await self._step()
        await self._ending.finish()
        return reason

    async def keep_measured(self) -> None:
        """Note what was measured since the last write; for the end of an attempt that broke off."""
        await self._keeper.keep_measured()

    # --- taking up

    async def _take_up(self) -> None:
        """Take the next epoch, read what there is, and say that the department is at work."""
        await self._keeper.take_epoch()
        set_log_context(iteration=self.checkpoint.iterations, epoch=self.checkpoint.epoch)
        self._settler.items = await self._tools.store.read_items()
        await self._tools.announcer.started(self.checkpoint.epoch)
        _LOGGER.info(
            "department taken up: %d iterations done, threshold %g, model %s",
            self.checkpoint.iterations, self._task.department.threshold, self._task.department.model,
        )  # fmt: skip

    # --- an iteration

    async def _step(self) -> None:
        reason = decide_stop(self._standing())
        if reason is StopReason.THRESHOLD_REACHED and self.checkpoint.began_at is not None:
            METER.reached((datetime.now(UTC) - self.checkpoint.began_at).total_seconds())
        if reason is not None and reason in FINISHED:
            is_evaluated = reason is StopReason.THRESHOLD_REACHED and self._task.is_evaluated
            await self._keeper.keep(lambda checkpoint: checkpoint.ended(reason, is_evaluated=is_evaluated))
            return
        # Drafts that are paid for are worth the time that is left; `check` tells if there is none.
        if reason is StopReason.DEADLINE_NEAR and not self.checkpoint.drafts:
            raise DeadlineNear("no further iteration fits into the attempt's time")
        self._attempt.check()
        started = time.monotonic()
        try:
            await self._iterate()
        except BudgetUsed as error:
            _LOGGER.warning("the run's budget is used: %s", error)  # the next look at the stop rule ends it
            return
        self._iteration_s = max(self._iteration_s, time.monotonic() - started)
        left = self._task.allowance - self.checkpoint.iterations
        if left == ITERATIONS_LEFT_WARNED and decide_stop(self._standing()) is None:
            _LOGGER.warning("%d iterations are left of %d", left, self._task.allowance)

    def _standing(self) -> Standing:
        return Standing(
            iterations=self.checkpoint.iterations,
            allowance=self._task.allowance,
            scores=self.checkpoint.scores,
            threshold=self._task.department.threshold,
            remaining_s=self._attempt.remaining_s,
            iteration_s=self._iteration_s,
            is_terminated=self._attempt.is_terminated,
            is_budget_used=self._tools.model.is_budget_used and not self.checkpoint.drafts,
        )

    async def _iterate(self) -> None:
        iteration = self.checkpoint.iterations + 1
        set_log_context(iteration=iteration)
        end_lap = METER.start_lap()
        if not self.checkpoint.drafts:
            signed = await self._generate(iteration)
            written, version = list(signed.answer.items), prompt_version(GENERATE)
            _LOGGER.debug("%d notes written", len(written))
            await self._keeper.keep(lambda checkpoint: checkpoint.generated(written, signed.writer, version))
        await self._tools.announcer.deduplicating(iteration)
        drafts = self.checkpoint.drafts
        slug, remembered = self._task.department.slug, self.checkpoint.verdicts
        choice = await self._duplicates.choose(drafts, self._settler.items, slug, remembered)
        now = datetime.now(UTC)
        signature = {"writer": self.checkpoint.writer, "prompt": self.checkpoint.prompt}
        items = [self._task.item(drafts[slot], iteration, slot, now, **signature) for slot in choice.kept]
        METER.judged(len(drafts), len(choice.kept))
        ratio = self._tools.model.token_ratio(self._task.department.model)
        await self._keeper.keep(lambda checkpoint: checkpoint.accepted(items, choice.verdicts, ratio))
        await self._settler.settle()
        _LOGGER.info(
            "iteration done: %d notes written, %d kept, quality %.1f",
            len(drafts), len(choice.kept), self.checkpoint.quality_score, extra=end_lap().log_fields(),
        )  # fmt: skip

    async def _generate(self, iteration: int) -> Signed[DraftBatch]:
        """Return 5 to 10 drafts and who wrote them; raises BudgetUsed."""
        prompt = context.generate_prompt(
            self._task.department,
            self._settler.items,
            await self._earlier_context(),
            self.checkpoint.gaps,
            focus_on_gaps=self._is_flat(),
            ratio=self.checkpoint.token_ratio,
        )
        model, scope = self._task.department.model, f"{self.checkpoint.id}/{iteration}"
        for _ in range(ANSWER_FAILURES_MAX):
            try:
                return await self._tools.model.ask_signed(model, prompt, DraftBatch, scope=scope)
            except AnswerInvalid as error:
                _LOGGER.error("the model's answer is useless: %s", error)  # noqa: TRY400 - no trace needed
            except BudgetUsed:
                raise
            except ModelRejected as error:
                if error.is_request_fault and self.checkpoint.iterations == 0:
                    raise InvalidInput(str(error)) from error
                raise ModelUnavailable(str(error)) from error
        raise ModelUnavailable(f"{ANSWER_FAILURES_MAX} useless answers in a row")

    def _is_flat(self) -> bool:
        if not is_flat(self.checkpoint.scores):
            return False
        _LOGGER.warning(
            "quality stays at %.1f for %d iterations: the prompt turns to the gaps",
            self.checkpoint.quality_score, flat_iterations(self.checkpoint.scores),
        )  # fmt: skip
        return True

    async def _earlier_context(self) -> context.Earlier:
        """Return what earlier departments offer: from the brain once, from MongoDB while it is away."""
        if self._earlier is not None or not self._task.previous:
            return self._earlier or {}
        try:
            answer = await self._tools.brain.earlier_context(self._task.department.slug, self._task.previous)
        except BrainAway:
            _LOGGER.warning("context comes from MongoDB alone: the brain is away")
            return context.earlier_from_items(self._settler.items, self._task.previous)
        self._earlier = context.earlier_from_brain(answer) if answer else {}
        return self._earlier
