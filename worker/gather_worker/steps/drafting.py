"""The next iteration's drafts: requested, paid for and saved in the checkpoint.

They may be requested early, while the last iteration is still being judged. They are saved as soon as they
arrive, so that if either request fails the other's answer is not lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Final

from gather_clients.background_tasks import AFTER_SAVING_S, end_tasks
from gather_worker.department.task import DepartmentTask
from gather_worker.errors import (
    AnswerInvalid,
    BrainUnusable,
    BudgetUsed,
    InvalidInput,
    ModelRejected,
    ModelSpent,
    ModelUnavailable,
    WorkerError,
)
from gather_worker.llm.asking.course import PAID_MAX
from gather_worker.llm.asking.sender import Signed
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import Prompt, builders
from gather_worker.prompts.note_language import project_language
from gather_worker.prompts.tokens import warm_up
from gather_worker.schemas import DraftBatch
from gather_worker.steps.checkpointer import CheckpointKeeper
from gather_worker.steps.measuring import together
from gather_worker.steps.opening_questions import OpeningQuestions
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.related_notes import RelatedNotes
from gather_worker.sync.comparing import agrees

USELESS_ATTEMPTS_MAX: Final = 2
"""Attempts in a row that ended with unusable answers: with `PAID_MAX` in each, six paid requests. After
them a person has to name another model."""

Answered = tuple[Signed[DraftBatch], Prompt]
"""The drafts, and what they were written from."""

_LOGGER = logging.getLogger(__name__)


class Drafter:
    """Brings one iteration's drafts after the other into the checkpoint."""

    def __init__(
        self,
        task: DepartmentTask,
        checkpointer: CheckpointKeeper,
        notes: ProjectNotes,
        model: ModelGateway,
        opening: OpeningQuestions,
    ) -> None:
        """The `opening` questions may have been asked already."""
        self._task = task
        self._checkpointer = checkpointer
        self._notes = notes
        self._model = model
        self._earlier = opening.earlier
        self._related = RelatedNotes(task, notes, opening.nearest)
        self._project_language: str | None = None
        self._is_cut_said = False
        self._question: asyncio.Task[Answered | None] | None = None
        self._early: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Load what every prompt of this process needs; what is unavailable now is requested again later.

        The vocabulary on a thread, while the brain works on what it was asked: it holds the interpreter, so
        that before, no request would leave.
        """
        await together(asyncio.to_thread(warm_up), self._ask_all())

    async def _ask_all(self) -> None:
        with contextlib.suppress(BrainUnusable):
            await together(self._earlier.ask(), self._related.ask())

    @property
    def is_brain_equal(self) -> bool:
        """Return whether the brain has offered just the project's notes, though perhaps with older words."""
        notes = self._notes
        return (
            notes.are_all_read
            and agrees(self._earlier.answer, notes.known, self._task.previous)
            and self._related.agree_with_notes
        )

    async def forget(self) -> None:
        """Ask the brain again, which has changed since it was asked."""
        await self._earlier.forget()
        await self._related.forget()

    @property
    def has_begun(self) -> bool:
        """Return whether the next iteration's drafts are paid for: saved, or on their way."""
        is_asked = self._early is not None and not self._early.done()
        return is_asked or bool(self._checkpointer.checkpoint.drafts)

    def begin_early(self, gaps: Sequence[str], *, is_flat: bool) -> None:
        """Request the next iteration's drafts now, if the budget is ample; `draft` waits for them."""
        if self._early is None and not self.has_begun:
            self._question = asyncio.create_task(self._ask_early(gaps, is_flat=is_flat))
            self._early = asyncio.create_task(self._save_early(self._question))

    async def draft(self, gaps: Sequence[str], *, is_flat: bool) -> None:
        """Return when the next iteration's drafts are in the checkpoint; raises BudgetUsed.

        `gaps` steer them, and are all that they are about where the quality `is_flat`.
        """
        if self._early is not None:
            await self._early
            self._early = None
        if not self._checkpointer.checkpoint.drafts:
            await self._save(await self._ask(gaps, is_flat=is_flat))

    async def close(self) -> None:
        """Cancel a request that nobody waits for any more; an answer that has arrived is saved first."""
        await self._earlier.close()
        await self._related.close()
        if self._early is not None and self._question is not None:
            await end_tasks([self._question], AFTER_SAVING_S)
            await asyncio.gather(self._early, return_exceptions=True)

    async def _ask_early(self, gaps: Sequence[str], *, is_flat: bool) -> Answered | None:
        is_ample = await self._model.is_budget_ample()
        return await self._ask(gaps, is_flat=is_flat) if is_ample else None

    async def _save_early(self, question: Awaitable[Answered | None]) -> None:
        if answered := await question:
            await self._save(answered)

    async def _save(self, answered: Answered) -> None:
        signed, prompt = answered
        drafts = list(signed.answer.items)
        _LOGGER.debug("%d notes written", len(drafts))
        await self._checkpointer.save(
            lambda checkpoint: checkpoint.generated(drafts, signed.writer, prompt.version, prompt.based_on)
        )

    async def prompt(self, gaps: Sequence[str], *, is_flat: bool) -> Prompt:
        """Return the request for the next iteration's drafts; only the brain is asked for it."""
        try:
            _, related = await together(self._earlier.ask(), self._related.ask())
            earlier = self._from_brain()
        except BrainUnusable:
            _LOGGER.warning("context comes from MongoDB alone: the brain is unavailable")
            stored = builders.earlier_from_notes(self._notes.known, self._task.previous)
            earlier, related = self._from_brain() or stored, self._related.known
        checkpoint, department = self._checkpointer.checkpoint, self._task.department
        self._warn_of_a_cut(checkpoint.token_ratio)
        earlier = {slug: self._notes.as_they_are(texts) for slug, texts in earlier.items()}
        return builders.generate_prompt(
            department, self._notes.known, earlier, gaps, focus_on_gaps=is_flat, ratio=checkpoint.token_ratio,
            related=self._notes.as_they_are(related), focus=self._task.focus, language=self._task.language,
        )  # fmt: skip

    async def _ask(self, gaps: Sequence[str], *, is_flat: bool) -> Answered:
        """Return 5 to 10 drafts with who wrote them, and the prompt; raises BudgetUsed."""
        prompt = await self.prompt(gaps, is_flat=is_flat)
        checkpoint, department = self._checkpointer.checkpoint, self._task.department
        scope = f"{checkpoint.id}/{checkpoint.iterations + 1}"
        try:
            signed = await self._model.ask_signed(
                department.model, prompt, DraftBatch, scope=scope, language=self._language()
            )
        except BudgetUsed:
            raise
        except AnswerInvalid as error:
            raise await self._unusable(error) from error
        except ModelSpent as error:
            raise InvalidInput(str(error)) from error
        except ModelRejected as error:
            if error.is_request_fault and checkpoint.iterations == 0:
                raise InvalidInput(str(error)) from error
            raise ModelUnavailable(str(error)) from error
        return signed, prompt

    async def _unusable(self, error: AnswerInvalid) -> WorkerError:
        """Return the end of an attempt whose answers held nothing: later ones ask again, not for ever."""
        await self._checkpointer.save(lambda checkpoint: checkpoint.answered_uselessly())
        words = f"no usable answer in {PAID_MAX} paid requests: {error}"
        if self._checkpointer.checkpoint.useless_attempts < USELESS_ATTEMPTS_MAX:
            return ModelUnavailable(words)
        return InvalidInput(f"{words}; name another model: defaultModel in the CMS, GATHER_DEFAULT_MODEL")

    def _language(self) -> str:
        """Return the code of the language that the notes are written in, "" if it is not known."""
        if self._task.language:
            return self._task.language
        if self._project_language is None:
            self._project_language = project_language(self._notes.known) or ""
        return self._project_language

    def _warn_of_a_cut(self, ratio: float) -> None:
        """Say once that not all stands in the prompt; its author takes it for read."""
        if not self._is_cut_said and builders.is_guidance_cut(self._task.department, ratio):
            self._is_cut_said = True
            _LOGGER.warning(
                "the department's instructions and examples are longer than a prompt shows: "
                "the last lines are left out, or examples shortened"
            )

    def _from_brain(self) -> builders.Earlier:
        """Return what the brain has offered, without what is known now to be taken out of the film."""
        known = self._earlier.answer
        return builders.earlier_from_brain(known, self._notes.excluded_ids) if known else {}
