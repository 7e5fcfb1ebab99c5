"""The next iteration's drafts: asked for, paid for and kept in the checkpoint.

They may be asked for early, while the last iteration is still being judged; kept they are in any case as soon
as they are here, so that a crash of either question costs the other nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Final

from gather_worker.errors import (
    AnswerInvalid,
    BrainAway,
    BudgetUsed,
    InvalidInput,
    ModelRejected,
    ModelUnavailable,
)
from gather_worker.llm.gateway import Signed
from gather_worker.prompts import GENERATE, Prompt, builders, prompt_version
from gather_worker.prompts.tokens import warm_up
from gather_worker.schemas import DraftBatch
from gather_worker.steps.publishing import Publisher

ANSWER_FAILURES_MAX: Final = 3
"""Answers, each with its re-ask, that may be useless in a row before the attempt ends; one in ten is, with
the models that do worst at JSON."""

_LOGGER = logging.getLogger(__name__)


class Drafter:
    """Brings one iteration's drafts after the other into the checkpoint."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._task = publisher.task
        self._checkpointer = publisher.checkpointer
        self._dependencies = publisher.dependencies
        self._earlier: builders.Earlier | None = None
        self._question: asyncio.Task[Signed[DraftBatch] | None] | None = None
        self._early: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Get ready what every prompt of this process needs; what cannot be had now is asked for again."""
        warm_up()
        with contextlib.suppress(BrainAway):
            await self._ask_earlier()

    @property
    def has_begun(self) -> bool:
        """Tell whether the next iteration's drafts are paid for: here, or on their way."""
        is_asked = self._early is not None and not self._early.done()
        return is_asked or bool(self._checkpointer.checkpoint.drafts)

    def begin_early(self, gaps: Sequence[str], *, is_flat: bool) -> None:
        """Ask for the next iteration's drafts now, if the budget is ample; `draft` waits for them."""
        if self._early is None and not self.has_begun:
            self._question = asyncio.create_task(self._ask_early(gaps, is_flat=is_flat))
            self._early = asyncio.create_task(self._keep_early(self._question))

    async def draft(self, gaps: Sequence[str], *, is_flat: bool) -> None:
        """Return when the next iteration's drafts are in the checkpoint; raises BudgetUsed.

        `gaps` steer them, and lead them altogether where the quality `is_flat`.
        """
        if self._early is not None:
            await self._early
            self._early = None
        if not self._checkpointer.checkpoint.drafts:
            await self._keep(await self._ask(gaps, is_flat=is_flat))

    async def close(self) -> None:
        """Break off a question that nobody waits for any more; an answer that is here is kept first."""
        if self._early is not None and self._question is not None:
            self._question.cancel()
            await asyncio.gather(self._early, return_exceptions=True)

    async def _ask_early(self, gaps: Sequence[str], *, is_flat: bool) -> Signed[DraftBatch] | None:
        is_ample = await self._dependencies.model.is_budget_ample()
        return await self._ask(gaps, is_flat=is_flat) if is_ample else None

    async def _keep_early(self, question: Awaitable[Signed[DraftBatch] | None]) -> None:
        if signed := await question:
            await self._keep(signed)

    async def _keep(self, signed: Signed[DraftBatch]) -> None:
        drafts, version = list(signed.answer.items), prompt_version(GENERATE)
        _LOGGER.debug("%d notes written", len(drafts))
        await self._checkpointer.save(lambda checkpoint: checkpoint.generated(drafts, signed.writer, version))

    async def _ask(self, gaps: Sequence[str], *, is_flat: bool) -> Signed[DraftBatch]:
        prompt = builders.generate_prompt(
            self._task.department,
            self._publisher.items,
            await self._earlier_context(),
            gaps,
            focus_on_gaps=is_flat,
            ratio=self._checkpointer.checkpoint.token_ratio,
        )
        return await self._generate(prompt)

    async def _generate(self, prompt: Prompt) -> Signed[DraftBatch]:
        """Return 5 to 10 drafts and who wrote them; raises BudgetUsed."""
        checkpoint = self._checkpointer.checkpoint
        model, scope = self._task.department.model, f"{checkpoint.id}/{checkpoint.iterations + 1}"
        for _ in range(ANSWER_FAILURES_MAX):
            try:
                return await self._dependencies.model.ask_signed(model, prompt, DraftBatch, scope=scope)
            except AnswerInvalid as error:
                _LOGGER.error("the model's answer is useless: %s", error)  # noqa: TRY400 - no trace needed
            except BudgetUsed:
                raise
            except ModelRejected as error:
                if error.is_request_fault and checkpoint.iterations == 0:
                    raise InvalidInput(str(error)) from error
                raise ModelUnavailable(str(error)) from error
        raise ModelUnavailable(f"{ANSWER_FAILURES_MAX} useless answers in a row")

    async def _earlier_context(self) -> builders.Earlier:
        """Return what earlier departments offer: from the brain once, from MongoDB while it is away."""
        try:
            return await self._ask_earlier()
        except BrainAway:
            _LOGGER.warning("context comes from MongoDB alone: the brain is away")
            return builders.earlier_from_items(self._publisher.items, self._task.previous)

    async def _ask_earlier(self) -> builders.Earlier:
        if self._earlier is None and self._task.previous:
            answer = await self._dependencies.brain.earlier_context(
                self._task.department.slug, self._task.previous
            )
            self._earlier = builders.earlier_from_brain(answer) if answer else {}
        return self._earlier or {}
