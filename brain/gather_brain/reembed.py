"""A change of embedding model, made while requests are served; `reembedding_plan` decides, this module acts.

It may be killed at any moment and started again: the data shows what is left to do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, ParamSpec, TypeVar

from gather_brain.embeddings.embedder import Embedder
from gather_brain.embeddings.reembedding_plan import (
    Action,
    Phase,
    PlanError,
    ReembeddingPlan,
    SlotState,
    Step,
    aborted,
    cleared,
    decide_step,
)
from gather_brain.embeddings.slots import Embedded, Model, Place, other_slot
from gather_brain.errors import UnavailableError
from gather_brain.store.reembedding import Cursor, Reembedding
from gather_brain.store.reembedding_plans import PlanStore
from gather_clients.backoff import Backoff

TEXTS_AT_ONCE: Final = 32
PROGRESS_S: Final = 1.0
INDEX_POLL_S: Final = 1.0
RETRY: Final = Backoff(first_s=0.5, last_s=10.0)

P = ParamSpec("P")
T = TypeVar("T")


class ModelChange:
    """One run of a change of model; `report` gets the plan, or what it waits for, about once a second.

    It waits for an unavailable Neo4j or model, for `patience_s` at a time.
    """

    def __init__(
        self,
        plans: PlanStore,
        nodes: Reembedding,
        embedder: Embedder,
        *,
        grace_s: float,
        patience_s: float,
        report: Callable[[ReembeddingPlan, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans = plans
        self._nodes = nodes
        self._embedder = embedder
        self._grace_s = grace_s
        self._patience_s = patience_s
        self._report = report
        self._clock = clock
        self._reported_at = 0.0

    async def run(self) -> ReembeddingPlan:
        """Make the embedder's model the only one, from wherever the plan stands, and return the last plan.

        Raises:
            PlanError: the plan does not allow it; the message names what does.
            NoPlanError: there is no plan.
            UnavailableError: Neo4j or the model was unavailable for too long.
        """
        await self._retry(self._embedder.prepare)
        target = Model(self._embedder.name, self._embedder.dimensions)
        found = SlotState()
        while True:
            plan = await self._retry(self._plans.require)
            self._report(plan, "")
            if plan.phase is Phase.STEADY:
                slot = other_slot(plan.active.slot)
                found = SlotState(is_orphaned=await self._retry(self._nodes.has_index, slot))
            step = decide_step(plan, target, found, self._grace_s)
            if step.action is Action.END:
                return plan
            found = await self._do(plan, step, found)

    async def _do(self, plan: ReembeddingPlan, step: Step, found: SlotState) -> SlotState:
        """Take one step and return what is known after it."""
        match step.action:
            case Action.CHANGE if step.plan is not None:
                # If somebody else's change came first, the next step is decided from that one.
                await self._retry(self._plans.change, plan, step.plan)
                return SlotState()
            case Action.FILL:
                return replace(found, missing=await self._fill(plan))
            case Action.AWAIT_INDEX:
                # Another command that cleared the slot may have dropped it late.
                await self._retry(self._nodes.prepare_index, _pending(plan))
                online = await self._retry(self._nodes.is_index_online, _pending(plan))
                if not online:
                    self._report(plan, "the new index is being built")
                    await asyncio.sleep(INDEX_POLL_S)
                return replace(found, is_index_online=online)
            case Action.CLEAR:
                slot = other_slot(plan.active.slot)
                await self._retry(self._nodes.drop_index, slot)
                cursor: Cursor | None = Cursor()
                while cursor is not None:
                    cursor = await self._retry(self._nodes.clear_page, slot, cursor)
                return replace(found, is_cleared=True)
            case _:
                await asyncio.sleep(step.wait_s)
                return found

    async def _fill(self, plan: ReembeddingPlan) -> int:
        """Embed what one pass over all nodes finds missing, and return how much it was."""
        place = _pending(plan)
        await self._retry(self._nodes.prepare_index, place)
        done, total = await self._retry(self._nodes.counts, place)
        missing, cursor = 0, Cursor()
        while (page := await self._retry(self._nodes.page, place, cursor)) is not None:
            for start in range(0, len(page.missing), TEXTS_AT_ONCE):
                some = page.missing[start : start + TEXTS_AT_ONCE]
                rows = await self._retry(self._embedder.embed, [node.content for node in some])
                embedded = Embedded(place, rows)
                done += await self._retry(self._nodes.fill, page.cursor.project_id, some, embedded)
                await self._save_progress(plan, done, max(total, done))
            missing, cursor = missing + len(page.missing), page.cursor
        done, total = await self._retry(self._nodes.counts, place)
        await self._save_progress(plan, done, total, at_once=True)
        return missing

    async def _save_progress(
        self, plan: ReembeddingPlan, done: int, total: int, *, at_once: bool = False
    ) -> None:
        now = self._clock()
        if at_once or now - self._reported_at >= PROGRESS_S:
            self._reported_at = now
            await self._retry(self._plans.save_progress, plan, done, total)
            self._report(replace(plan, done=done, total=total), "")

    async def _retry(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work, and repeat it while what it needs is unavailable."""
        give_up_at = self._clock() + self._patience_s
        failures = 0
        while True:
            try:
                return await work(*args, **kwargs)
            except UnavailableError:
                failures += 1
                if self._clock() + RETRY.wait_s(failures) > give_up_at:
                    raise
            await asyncio.sleep(RETRY.wait_s(failures))


def _pending(plan: ReembeddingPlan) -> Place:
    place = plan.other_place
    if place is None:
        raise PlanError(f"nothing is to be embedded: the embeddings are {plan.phase.value}")
    return place


async def abort(plans: PlanStore, nodes: Reembedding) -> ReembeddingPlan:
    """Give up the change under way and empty the next model's slot; return the last plan.

    Raises:
        PlanError: there is no change that can be given up.
        NoPlanError: there is no plan.
        UnavailableError: Neo4j is unavailable; call it again to continue.
    """
    plan = await plans.require()
    if plan.phase is not Phase.CLEARING:
        if not await plans.change(plan, aborted(plan)):
            raise PlanError("the plan has changed meanwhile; see `gather-brain reembed --status`")
        plan = aborted(plan)
    slot = other_slot(plan.active.slot)
    await nodes.drop_index(slot)
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        cursor = await nodes.clear_page(slot, cursor)
    await plans.change(plan, cleared(plan))
    return cleared(plan)
