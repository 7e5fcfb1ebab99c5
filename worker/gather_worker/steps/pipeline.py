"""One department, in reading order: take up, generate, dedupe, accept, save, index, score, announce, stop.

Every step leaves its result in the checkpoint before the next begins, and every step but the model's can be
repeated without harm; so a successor goes on where a killed worker stopped, and pays for no answer twice.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from gather_clients.logs import set_log_context
from gather_clients.notes.note import Note
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
from gather_worker.errors import BudgetUsed, DeadlineNear, Fenced
from gather_worker.first_answer import FirstAnswer
from gather_worker.metrics import METER
from gather_worker.settings import Settings
from gather_worker.steps.checkpointer import Checkpointer
from gather_worker.steps.dependencies import Dependencies
from gather_worker.steps.drafting import Drafter
from gather_worker.steps.finishing import Finisher
from gather_worker.steps.following import BrainFollower
from gather_worker.steps.judge_check import JudgeCheck, judge_of
from gather_worker.steps.measuring import Measurement, QualityMeasurer, measurement_of, together
from gather_worker.steps.opening_questions import OpeningQuestions
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.publishing import Publisher
from gather_worker.steps.treating_notes import TreatingNotes

if TYPE_CHECKING:
    from gather_worker.steps.deduplicating import Choice, Deduplicator

ITERATIONS_LEFT_WARNED: Final = 2
"""Enough for somebody who watches to see the end coming."""
JUST_READ_S: Final = 1.0
"""Before the first iteration all notes have been read; what people did within a second, the next one sees."""
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
    """Works on one department until it is finished or the attempt ends; builds the steps from what they
    depend on.
    """

    def __init__(
        self, task: DepartmentTask, settings: Settings, dependencies: Dependencies, attempt: Attempt
    ) -> None:
        store, brain, model = dependencies.store, dependencies.brain, dependencies.model
        judge_model, judge_setting = judge_of(task, settings)
        self._task = task
        self._settings = settings
        self._dependencies = dependencies
        self._judge_model = judge_model
        self._attempt = attempt
        self._model = model
        self._events = dependencies.events
        self._checkpointer = Checkpointer(store, task.fresh_checkpoint())
        self._notes = ProjectNotes(task, store)
        self._first_answer = FirstAnswer()
        model.call_when_asking(self._begin_beside_the_model)
        self._brain = brain
        self._treating = TreatingNotes(task, self._notes, brain)
        self._opening = dependencies.opening or OpeningQuestions(task, brain)
        self._drafter = Drafter(task, self._checkpointer, self._notes, model, self._opening)
        self._judge_check = JudgeCheck(task, settings, model)
        self._measurer = QualityMeasurer(
            task.department, brain, model, judge_model, settings.judge_repeats, judge_setting,
            was_judged=lambda: bool(self.checkpoint.scores),
        )  # fmt: skip
        self._publisher = Publisher(task, self._checkpointer, self._notes, store, brain)
        self._follower = BrainFollower(store, brain, attempt)
        self._is_to_follow = False
        self._finisher = Finisher(
            task, settings, attempt, checkpointer=self._checkpointer, publisher=self._publisher, store=store,
            follower=self._follower, events=self._events,
        )  # fmt: skip
        self._longest_iteration_s = 0.0
        self._iteration_began_s = float("inf")

    @cached_property
    def _deduplicator(self) -> "Deduplicator":
        """What the first answer needs; its 12 modules are imported while the model writes it."""
        from gather_worker.steps.deduplicating import Deduplicator  # noqa: PLC0415

        shared = self._dependencies
        return Deduplicator(
            shared.brain, shared.model, self._judge_model, self._settings.duplicate_threshold,
            shared.calibration, cache=shared.verdicts, examples=self._task.department.example_notes,
        )  # fmt: skip

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that was saved last."""
        return self._checkpointer.checkpoint

    @property
    def left(self) -> str:
        """Return what a finished department leaves to the next worker, and what must be changed for it."""
        return "; ".join(self._finisher.left)

    async def run(self) -> StopReason:
        """Return why the department is finished; raises WorkerError if only the attempt ends."""
        try:
            # The brain answers while MongoDB is read; nothing is written before the epoch is taken.
            self._opening.begin()
            await self._take_up()
            if self.checkpoint.finished is None:
                await self._prepare()
            while (reason := await self._stop_reason()) is None:
                await self._iterate()
            await self._follow()
            await self._finisher.finish()
            return reason
        finally:
            await self._judge_check.close()
            await self._drafter.close()
            await self._follower.close()

    async def save_meters(self) -> None:
        """Store what was measured since the last write, for an attempt that broke off."""
        await self._checkpointer.save_meters()

    # --- take up

    async def _take_up(self) -> None:
        """Take the next epoch, read what there is, and announce that the department is at work."""
        await self._checkpointer.take_epoch()
        self._model.save_ledger_in(self._checkpointer)
        set_log_context(iteration=self.checkpoint.iterations, epoch=self.checkpoint.epoch)
        await self._notes.read()
        await self._events.started(self.checkpoint.epoch)
        _LOGGER.info(
            "department taken up: %d iterations done, threshold %g, model %s",
            self.checkpoint.iterations, self._task.department.threshold, self._task.department.model,
        )  # fmt: skip

    async def _prepare(self) -> None:
        """Finish what predecessors left, and find out what the first prompt says."""
        self._judge_check.begin()
        await self._publish()
        if await self._publisher.publish_leftovers() or self.checkpoint.iterations:
            await self._drafter.forget()
        await self._finisher.send_evaluations()
        self._is_to_follow = True
        await self._drafter.prepare()
        if not self._drafter.is_brain_equal:
            await self._follow()
        await self._judge_check.settle()

    # --- the brain follows MongoDB: beside the first request to the model, if its answers hold all the same,
    # and beside the first search for duplicates, which is repeated where it has changed

    def _begin_beside_the_model(self) -> None:
        """Begin what the first answer needs, and what would only hold the first request up."""
        self._first_answer.begin([note.content for note in self._notes.known])
        self._begin_to_follow()

    def _begin_to_follow(self) -> None:
        if self._is_to_follow:
            self._is_to_follow = False
            self._follower.begin(self._notes.known if self._notes.are_all_read else ())

    async def _follow(self) -> bool:
        """Return, when the brain has followed, whether it has changed; raises Terminated and DeadlineNear."""
        self._begin_to_follow()
        has_changed = await self._follower.settle()
        if has_changed:
            # What it says of the project is asked for again.
            await self._drafter.forget()
        return has_changed

    # --- generate, dedupe, accept

    async def _iterate(self) -> None:
        """Do one iteration; one that the budget leaves no room for is given up, and the stop rule ends the
        loop.
        """
        iteration = self.checkpoint.iterations + 1
        set_log_context(iteration=iteration)
        end_lap = METER.start_lap()
        self._iteration_began_s = time.monotonic()
        scores = self.checkpoint.scores
        if turns_to_gaps := is_flat(scores):
            _LOGGER.warning(
                "quality stays at %.1f for %d iterations: the prompt turns to the gaps",
                self.checkpoint.quality_score, flat_iterations(scores),
            )  # fmt: skip
        try:
            await self._notes.refresh(unless_read_within_s=JUST_READ_S)
            await self._drafter.draft(self.checkpoint.gaps, is_flat=turns_to_gaps)
            if self._task.is_beside_others:
                # While the model wrote, so did other departments: what they saved must not be said again.
                await self._notes.refresh()
            written = len(self.checkpoint.drafts)
            kept = await self._dedupe_and_accept(iteration)
            await self._publish()
        except BudgetUsed as error:
            _LOGGER.warning("the run's budget is used: %s", error)
            return
        finally:
            self._longest_iteration_s = self._longest_s()
            self._iteration_began_s = float("inf")
        _LOGGER.info(
            "iteration done: %d notes written, %d kept, quality %.1f",
            written, kept, self.checkpoint.quality_score, extra=end_lap().log_fields(),
        )  # fmt: skip
        left = self._task.allowance - iteration
        if left == ITERATIONS_LEFT_WARNED and decide_stop(self._loop_state()) is None:
            _LOGGER.warning("%d iterations are left of %d", left, self._task.allowance)

    async def _dedupe_and_accept(self, iteration: int) -> int:
        """Accept the drafts that say something new; return how many."""
        await self._events.deduplicating(iteration)
        drafts = self.checkpoint.drafts
        choice, has_brain_changed = await together(self._choose(self.checkpoint.verdicts), self._follow())
        if has_brain_changed:
            choice = await self._choose(choice.verdicts)
        now = datetime.now(UTC)
        made = self.checkpoint
        items = [
            self._task.item(
                drafts[slot], iteration, slot, now,
                writer=made.writer, prompt=made.prompt, based_on=made.based_on,
            )
            for slot in choice.kept
        ]  # fmt: skip
        if await self._events.has_run_ended():
            # Cancelled or deleted while this worker's node was lost: no successor's epoch refuses it.
            raise Fenced("the run has ended without this worker")
        METER.judged(len(drafts), len(items))
        ratio = self._model.token_ratio(self._task.department.model)
        await self._checkpointer.save(lambda checkpoint: checkpoint.accepted(items, choice.verdicts, ratio))
        return len(items)

    async def _choose(self, verdicts: Mapping[str, bool]) -> "Choice":
        return await self._deduplicator.choose(
            self.checkpoint.drafts, self._notes.known, self._task.department.slug, verdicts,
            excluded_ids=self._notes.excluded_ids,
        )  # fmt: skip

    # --- save, index, score, announce

    async def _publish(self) -> None:
        """Bring the last accepted iteration everywhere: MongoDB, the brain, its score, the event log."""
        await self._publisher.save()
        if not self.checkpoint.iterations:
            return
        if self.checkpoint.is_scored:
            # A predecessor was killed between measuring and writing the score on the notes.
            await self._publisher.write_score()
            await self._publisher.try_index()
        else:
            await self._index_and_score()
            await self._publisher.write_score()
        await self._events.iterated(self.checkpoint)

    async def _index_and_score(self) -> None:
        """Index and measure at the same time, since the brain needs seconds less than the model.

        The score is saved last: notes that were indexed without it then wait to be indexed again. A brain
        that has nothing of the project yet refuses to measure, so there one goes after the other; where other
        departments' notes are known that it does not have yet, it is asked again.
        """
        await self._notes.refresh()
        await self._brain.wait_for_way()
        if self._publisher.has_indexed_none:
            await self._publisher.try_index()
            measured = await self._measure()
        else:
            indexing = asyncio.create_task(self._publisher.try_index())
            measured, _ = await together(self._measure(indexing), indexing)
        ids = self._notes.ids_of(self.checkpoint.iterations)
        await self._checkpointer.save(
            lambda checkpoint: checkpoint.scored(measured.quality, measured.gaps, ids, measured.findings)
        )
        self._notes.is_own_changed = False

    async def _measure(self, indexing: Awaitable[None] | None = None) -> Measurement:
        quality = self.checkpoint.quality
        is_same = not self._notes.is_own_changed and not self._notes.ids_of(self.checkpoint.iterations)
        if quality is not None and is_same:
            # The same notes have the same quality; asking again would only cost.
            return Measurement(quality, None)
        # Where coverage is not shown all, the department's oldest own notes go first.
        counted = [*self._notes.own, *await self._treating.find()]
        if not counted:
            return Measurement(None, None)
        coverage, verdicts = await together(
            self._coverage(counted, indexing), self._measurer.verdicts(counted)
        )
        verdicts = await self._measurer.completed(counted, coverage, verdicts)
        return measurement_of(counted, coverage, verdicts, quality.coverage if quality else None)

    async def _coverage(
        self, counted: Sequence[Note], indexing: Awaitable[None] | None
    ) -> CoverageResponse | None:
        """Return the coverage; have the next notes written while the judge still reads, where they are needed
        whatever it says.
        """
        coverage = await self._measurer.coverage(counted, indexing)
        if coverage is not None:
            state = self._loop_state()
            if goes_on_regardless(state, best_score(coverage.coverage_score, self.checkpoint.quality)):
                self._drafter.begin_early(gaps_of(coverage), is_flat=is_flat(state.scores))
        return coverage

    # --- stop

    async def _stop_reason(self) -> StopReason | None:
        """Return why the department is finished, None if another iteration is due.

        The checkpoint then says so, too. Raises WorkerError if only the attempt ends.
        """
        if self.checkpoint.finished is not None:
            return self.checkpoint.finished
        # Drafts that are paid for are taken in before the loop may end; `check` raises if no time is left.
        reason = None if self._drafter.has_begun else decide_stop(self._loop_state())
        if reason is StopReason.THRESHOLD_REACHED and self.checkpoint.began_at is not None:
            METER.reached((datetime.now(UTC) - self.checkpoint.began_at).total_seconds())
        if reason in FINISHED:
            is_evaluated = reason is StopReason.THRESHOLD_REACHED and self._task.is_evaluated
            await self._checkpointer.save(
                lambda checkpoint: checkpoint.ended(reason, is_evaluated=is_evaluated)
            )
            return reason
        if reason is StopReason.DEADLINE_NEAR:
            raise DeadlineNear("no further iteration fits into the attempt's time")
        self._attempt.check()
        return None

    def _loop_state(self) -> LoopState:
        return LoopState(
            iterations=self.checkpoint.iterations,
            allowance=self._task.allowance,
            scores=self.checkpoint.scores,
            threshold=self._task.department.threshold,
            remaining_s=self._attempt.remaining_s,
            iteration_s=self._longest_s(),
            is_terminated=self._attempt.is_terminated,
            is_budget_used=self._model.is_budget_used,
        )

    def _longest_s(self) -> float:
        """Return how long the longest iteration has taken, the one under way included."""
        return max(self._longest_iteration_s, time.monotonic() - self._iteration_began_s)
