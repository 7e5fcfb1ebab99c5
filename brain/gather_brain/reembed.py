"""A change of embedding model, made while requests are served; `embedding_plan` decides, this module does.

It may be killed at any moment and started again: what is left to do is seen in the data.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from gather_brain.embeddings.embedder import Embedder
from gather_brain.embeddings.reembedding_plan import (
    Action,
    Found,
    Phase,
    Plan,
    PlanError,
    Step,
    aborted,
    cleared,
    decide_step,
)
from gather_brain.embeddings.slots import Embedded, Model, Place, SlotName, other_slot
from gather_brain.errors import UnavailableError
from gather_brain.store.reembedding import Cursor, Page, Reembedding, Unembedded
from gather_brain.store.reembedding_plans import PlanStore

TEXTS_AT_ONCE: Final = 32
PROGRESS_S: Final = 1.0
INDEX_POLL_S: Final = 1.0
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 10.0

T = TypeVar("T")


class NoPlanError(Exception):
    """No brain has worked with this Neo4j yet, so there is nothing to embed anew."""


class Change:
    """One run of a change of model; `tell` is told the plan, and what is waited for, about once a second.

    Neo4j or the model being away is waited out, for `patience_s` at a time.
    """

    def __init__(
        self,
        plans: PlanStore,
        nodes: Reembedding,
        embedder: Embedder,
        *,
        grace_s: float,
        patience_s: float,
        tell: Callable[[Plan, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans = plans
        self._nodes = nodes
        self._embedder = embedder
        self._grace_s = grace_s
        self._patience_s = patience_s
        self._tell = tell
        self._clock = clock
        self._noted_at = 0.0

    async def run(self) -> Plan:
        """Make the embedder's model the only one, from wherever the plan stands, and return the last plan.

        Raises:
            PlanError: the plan does not allow it; the message names what does.
            NoPlanError: there is no plan.
            UnavailableError: Neo4j or the model has been away for too long.
        """
        await self._patiently(self._embedder.prepare)
        target = Model(self._embedder.name, self._embedder.dimensions)
        found = Found()
        while True:
            plan = await self._patiently(self._require_plan)
            self._tell(plan, "")
            step = decide_step(plan, target, found, self._grace_s)
            if step.action is Action.END:
                return plan
            found = await self._do(plan, step, found)

    async def _do(self, plan: Plan, step: Step, found: Found) -> Found:
        """Take one step and return what is known after it."""
        match step.action:
            case Action.CHANGE if step.plan is not None:
                after = step.plan
                # Lost to somebody else's change, it is decided anew.
                await self._patiently(lambda: self._plans.change(plan, after))
                return Found()
            case Action.FILL:
                return replace(found, missing=await self._fill(plan))
            case Action.AWAIT_INDEX:
                return replace(found, is_index_online=await self._await_index(plan))
            case Action.CLEAR:
                await self._clear(other_slot(plan.active.slot))
                return replace(found, is_cleared=True)
            case _:
                await asyncio.sleep(step.wait_s)
                return found

    async def _fill(self, plan: Plan) -> int:
        """Embed what one pass over all nodes finds missing, and return how much it was."""
        place = _pending(plan)
        await self._patiently(lambda: self._nodes.prepare_index(place))
        done, total = await self._patiently(lambda: self._nodes.counts(place))
        missing, cursor = 0, Cursor()
        while (page := await self._page(place, cursor)) is not None:
            for start in range(0, len(page.missing), TEXTS_AT_ONCE):
                some = page.missing[start : start + TEXTS_AT_ONCE]
                done += await self._fill_some(page.cursor.project_id, some, place)
                await self._note(plan, done, max(total, done))
            missing, cursor = missing + len(page.missing), page.cursor
        done, total = await self._patiently(lambda: self._nodes.counts(place))
        await self._note(plan, done, total, at_once=True)
        return missing

    async def _page(self, place: Place, cursor: Cursor) -> Page | None:
        return await self._patiently(lambda: self._nodes.page(place, cursor))

    async def _fill_some(self, project_id: str, nodes: Sequence[Unembedded], place: Place) -> int:
        texts = [node.content for node in nodes]
        embedded = Embedded(place, await self._patiently(lambda: self._embedder.embed(texts)))
        return await self._patiently(lambda: self._nodes.fill(project_id, nodes, embedded))

    async def _await_index(self, plan: Plan) -> bool:
        place = _pending(plan)
        online = await self._patiently(lambda: self._nodes.is_index_online(place))
        if not online:
            self._tell(plan, "the new index is being built")
            await asyncio.sleep(INDEX_POLL_S)
        return online

    async def _clear(self, slot: SlotName) -> None:
        await self._patiently(lambda: self._nodes.drop_index(slot))
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            cursor = await self._cleared_page(slot, cursor)

    async def _cleared_page(self, slot: SlotName, cursor: Cursor) -> Cursor | None:
        return await self._patiently(lambda: self._nodes.clear_page(slot, cursor))

    async def _note(self, plan: Plan, done: int, total: int, *, at_once: bool = False) -> None:
        now = self._clock()
        if at_once or now - self._noted_at >= PROGRESS_S:
            self._noted_at = now
            await self._patiently(lambda: self._plans.note_progress(plan, done, total))
            self._tell(replace(plan, done=done, total=total), "")

    async def _require_plan(self) -> Plan:
        plan = await self._plans.read()
        if plan is None:
            raise NoPlanError
        return plan

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do a piece of work that can be done twice, again and again while what it needs is away."""
        give_up_at = self._clock() + self._patience_s
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return await work()
            except UnavailableError:
                if self._clock() + wait_s > give_up_at:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)


def _pending(plan: Plan) -> Place:
    place = plan.other_place
    if place is None:
        raise PlanError(f"nothing is to be embedded: the embeddings are {plan.phase.value}")
    return place


async def abort(plans: PlanStore, nodes: Reembedding) -> Plan:
    """Give up the change under way and empty the next model's slot; return the last plan.

    Raises:
        PlanError: there is no change that can be given up.
        NoPlanError: there is no plan.
        UnavailableError: Neo4j is away; the same again goes on from there.
    """
    plan = await plans.read()
    if plan is None:
        raise NoPlanError
    if plan.phase is not Phase.CLEARING:
        if not await plans.change(plan, aborted(plan)):
            raise PlanError("the plan has changed meanwhile; look at `gather-brain reembed --status`")
        plan = aborted(plan)
    slot = other_slot(plan.active.slot)
    await nodes.drop_index(slot)
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        cursor = await nodes.clear_page(slot, cursor)
    await plans.change(plan, cleared(plan))
    return cleared(plan)
