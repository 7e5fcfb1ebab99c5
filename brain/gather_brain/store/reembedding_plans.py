"""The embedding plan in Neo4j: read by every server, changed by compare-and-swap."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gather_brain.embeddings.reembedding_plan import Phase, ReembeddingPlan
from gather_brain.embeddings.slots import Model, Place, other_slot
from gather_brain.store.cypher import embedding_queries as queries
from gather_brain.store.cypher import reembedding_queries
from gather_brain.store.database import Database, Record, time_text
from gather_brain.store.write_locks import LOCKS

MS_PER_S: Final = 1000


class NoPlanError(Exception):
    """No brain has used this Neo4j yet, so there is nothing to re-embed."""


@dataclass(frozen=True, slots=True)
class PlanStore:
    """Reads and changes the plan."""

    database: Database

    async def read(self) -> ReembeddingPlan | None:
        """Return the plan, or None where there is none yet.

        Raises:
            UnavailableError: Neo4j is unavailable or slow.
        """
        rows = await self.database.read("embeddings", queries.READ_STATE)
        return _plan(rows[0]) if rows else None

    async def require(self) -> ReembeddingPlan:
        """Return the plan.

        Raises:
            NoPlanError: there is none yet.
            UnavailableError: as for `read`.
        """
        plan = await self.read()
        if plan is None:
            raise NoPlanError
        return plan

    async def ensure(self, model: Model) -> ReembeddingPlan:
        """Return the plan; the first one is for the model that nodes have, and `model` where there are none.

        Raises:
            UnavailableError: as for `read`.
        """
        plan = await self.read()
        while plan is None:
            rows = await self.database.read("embeddings", reembedding_queries.COMMONEST_MODEL)
            if rows and rows[0]["model"] is not None:
                model = Model(rows[0]["model"], rows[0]["dimensions"])
            await self.database.write("embeddings", queries.CREATE_LOCKS, locks=LOCKS)
            await self.database.write(
                "embeddings", queries.CREATE_STATE, model=model.name, dimensions=model.dimensions
            )
            plan = await self.read()
        return plan

    async def change(self, before: ReembeddingPlan, after: ReembeddingPlan) -> bool:
        """Replace `before` by `after` and wait for every write that has seen `before`.

        False if the plan is no longer `before`. Errors as for `read`.
        """
        return bool(
            await self.database.write(
                "embeddings_change",
                queries.CHANGE_STATE,
                now=time_text(datetime.now(UTC)),
                epoch=before.epoch,
                **_columns(after),
            )
        )

    async def save_progress(self, plan: ReembeddingPlan, done: int, total: int) -> None:
        """Save the progress of a change; errors as for `read`."""
        await self.database.write(
            "embeddings", queries.SAVE_PROGRESS, epoch=plan.epoch, done=done, total=total
        )


def _columns(plan: ReembeddingPlan) -> dict[str, Any]:
    required = plan.required
    return {
        "phase": plan.phase.value,
        "activeSlot": plan.active.slot,
        "activeModel": plan.active.model.name,
        "activeDimensions": plan.active.model.dimensions,
        "otherModel": plan.other.name if plan.other else None,
        "otherDimensions": plan.other.dimensions if plan.other else None,
        "requiredA": required.get("a"),
        "requiredB": required.get("b"),
        "done": plan.done,
        "total": plan.total,
        "startedAt": plan.started_at
        or (time_text(datetime.now(UTC)) if plan.phase is Phase.FILLING else None),
    }


def _plan(row: Record) -> ReembeddingPlan:
    state = row["state"]
    slot = other_slot(other_slot(state["activeSlot"]))
    other = state["otherModel"]
    return ReembeddingPlan(
        epoch=state["epoch"],
        phase=Phase(state["phase"]),
        active=Place(slot, Model(state["activeModel"], state["activeDimensions"])),
        other=None if other is None else Model(other, state["otherDimensions"]),
        done=state["done"],
        total=state["total"],
        started_at=state["startedAt"],
        age_s=row["ageMs"] / MS_PER_S,
    )
