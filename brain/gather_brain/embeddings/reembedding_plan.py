"""How one embedding model takes the place of another while requests are served; pure.

A plan says which model's vectors are in which slot and which of them a write must bring:

    steady ──start──► filling ──► closing ──► retiring ──► clearing ──► steady
                         └──────────┴───────abort────────────►┘

    steady    one model
    filling   the next model's vectors are made from the nodes' content; a write may lack them
    closing   every write brings both, so that what one pass still finds missing is all that is
    retiring  the next model is the active one; writes still bring both, for servers that have not noticed yet
    clearing  the slot that is no longer needed is emptied; also of what an older change left there

Every step can be repeated after a crash: the data shows what has been done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gather_brain.embeddings.slots import Model, Place, SlotName, other_slot

LEASE_S: Final = 5.0
"""How long a server acts upon the plan that it read last."""
GRACE_MIN_S: Final = 2 * LEASE_S
"""A request that began under an old plan still finds the old vectors for as long."""
LATE_NODES_MAX: Final = 1000
"""So few nodes may be missing when the plan closes: a server without the next model refuses writes until
they are embedded, a few seconds."""


class Phase(StrEnum):
    """Where a change of model stands."""

    STEADY = "steady"
    FILLING = "filling"
    CLOSING = "closing"
    RETIRING = "retiring"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True)
class ReembeddingPlan:
    """The state of the embeddings; `age_s` is the time since the phase began, by Neo4j's clock."""

    epoch: int
    phase: Phase
    active: Place
    other: Model | None = None
    """The next model while filling and closing, the one before while retiring, else None."""
    done: int = 0
    total: int = 0
    started_at: str | None = None
    age_s: float = 0.0

    @property
    def other_place(self) -> Place | None:
        """Where the other model's vectors are."""
        return None if self.other is None else Place(other_slot(self.active.slot), self.other)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where vectors are written to, the active place first."""
        return (self.active,) if self.other_place is None else (self.active, self.other_place)

    @property
    def required(self) -> Mapping[SlotName, str]:
        """The models that every write must bring, by slot; a slot that is not named may stay empty."""
        needs_both = self.phase in {Phase.CLOSING, Phase.RETIRING}
        return {place.slot: place.model.name for place in (self.places if needs_both else (self.active,))}


@dataclass(frozen=True, slots=True)
class SlotState:
    """What is known of the other slot: nodes that the last whole pass found empty (None: no pass in this
    phase yet), whether its index holds all that it should, whether it has been cleared, and whether it has an
    index that nobody needs: a brain that saw the plan of a change just before the end can make one.
    """

    missing: int | None = None
    is_index_online: bool = False
    is_cleared: bool = False
    is_orphaned: bool = False


class Action(StrEnum):
    """What to do next."""

    FILL = "fill"
    AWAIT_INDEX = "await index"
    WAIT = "wait"
    CLEAR = "clear"
    CHANGE = "change"
    END = "end"


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing to do; `plan` is what to change to, `wait_s` how long to wait."""

    action: Action
    plan: ReembeddingPlan | None = None
    wait_s: float = 0.0


class PlanError(Exception):
    """The change cannot be made; the message says why and what would help."""


def decide_step(plan: ReembeddingPlan, target: Model, slot: SlotState, grace_s: float) -> Step:
    """Return the next step on the way to `target` being the only model.

    Raises:
        PlanError: a change to another model is under way, or the model is known with other dimensions.
    """
    _require_sound(plan, target)
    match plan.phase:
        case Phase.STEADY:
            if plan.active.model != target:
                return _to(started(plan, target))
            return _to(retired(plan)) if slot.is_orphaned else Step(Action.END)
        case Phase.FILLING:
            return _while_filling(plan, slot)
        case Phase.CLOSING:
            return _to(flipped(plan)) if slot.missing == 0 else Step(Action.FILL)
        case Phase.RETIRING:
            remaining_s = grace_s - plan.age_s
            return Step(Action.WAIT, wait_s=remaining_s) if remaining_s > 0 else _to(retired(plan))
        case Phase.CLEARING:
            return _to(cleared(plan)) if slot.is_cleared else Step(Action.CLEAR)


def _while_filling(plan: ReembeddingPlan, slot: SlotState) -> Step:
    if slot.missing is None or slot.missing > LATE_NODES_MAX:
        return Step(Action.FILL)
    if not slot.is_index_online:
        return Step(Action.AWAIT_INDEX)
    if plan.age_s < LEASE_S:
        # Servers that know both models learn of the next one first, and never refuse a write.
        return Step(Action.WAIT, wait_s=LEASE_S - plan.age_s)
    return _to(_changed(plan, Phase.CLOSING))


def _to(plan: ReembeddingPlan) -> Step:
    return Step(Action.CHANGE, plan)


def _require_sound(plan: ReembeddingPlan, target: Model) -> None:
    for place in plan.places:
        require_same_dimensions(place.model, target)
    under_way = plan.phase in {Phase.FILLING, Phase.CLOSING}
    if under_way and plan.other is not None and plan.other != target:
        raise PlanError(
            f"a change to {plan.other.name} is under way; set it as the next model, "
            "or end it with `gather-brain reembed --abort`"
        )


def require_same_dimensions(known: Model, configured: Model) -> None:
    """Raise PlanError where two models of one name differ in dimensions."""
    if known.name == configured.name and known.dimensions != configured.dimensions:
        raise PlanError(
            f"{known.name} has {known.dimensions} dimensions in Neo4j and {configured.dimensions} here; "
            "give the model another name with GATHER_BRAIN_MODEL_NAME or GATHER_BRAIN_NEXT_MODEL_NAME"
        )


def started(plan: ReembeddingPlan, target: Model) -> ReembeddingPlan:
    """Return the plan of a change that begins."""
    return replace(_changed(plan, Phase.FILLING), other=target, done=0, total=0, started_at=None)


def flipped(plan: ReembeddingPlan) -> ReembeddingPlan:
    """Return the plan with the two models' roles exchanged."""
    place = plan.other_place
    if place is None:
        raise PlanError("there is no model to change to")
    return replace(_changed(plan, Phase.RETIRING), active=place, other=plan.active.model)


def retired(plan: ReembeddingPlan) -> ReembeddingPlan:
    """Return the plan in which the other slot, of the model before or of none, is emptied."""
    return replace(_changed(plan, Phase.CLEARING), other=None)


def cleared(plan: ReembeddingPlan) -> ReembeddingPlan:
    """Return the plan of a finished change."""
    return _changed(plan, Phase.STEADY)


def aborted(plan: ReembeddingPlan) -> ReembeddingPlan:
    """Return the plan without the next model.

    Raises:
        PlanError: no change can be aborted any more.
    """
    if plan.phase not in {Phase.FILLING, Phase.CLOSING}:
        raise PlanError(f"no change can be aborted: the embeddings are {plan.phase.value}")
    return replace(_changed(plan, Phase.CLEARING), other=None, done=0, total=0)


def _changed(plan: ReembeddingPlan, phase: Phase) -> ReembeddingPlan:
    return replace(plan, epoch=plan.epoch + 1, phase=phase, age_s=0.0)


@dataclass(frozen=True, slots=True)
class ServerRole:
    """What a server with some models does under a plan."""

    reads: Place
    writes: tuple[Place, ...]
    """Where it can write vectors to; the plan's required places are among them, or `lacks` says which not."""
    required: frozenset[str]
    lacks: str | None


def role_of(plan: ReembeddingPlan, models: tuple[Model, ...]) -> ServerRole:
    """Return what a server that has these models does under the plan.

    Raises:
        PlanError: it can serve no search; the message names the remedy.
    """
    for place in plan.places:
        for model in models:
            require_same_dimensions(place.model, model)
    if not models:
        raise PlanError("the embedding endpoint has not answered yet")
    if plan.active.model not in models:
        raise PlanError(_remedy(plan, models))
    writes = tuple(place for place in plan.places if place.model in models)
    required = frozenset(plan.required.values())
    missing = sorted(required - {place.model.name for place in writes})
    return ServerRole(plan.active, writes, required, missing[0] if missing else None)


def _remedy(plan: ReembeddingPlan, models: tuple[Model, ...]) -> str:
    active, configured = plan.active.model.name, models[0].name
    if plan.other in models and plan.phase in {Phase.FILLING, Phase.CLOSING}:
        return f"the nodes are being embedded with {configured}; see `gather-brain reembed --status`"
    return (
        f"the nodes are embedded with {active} and not with {configured}: set {active} as the model and "
        f"{configured} as the next one (GATHER_BRAIN_NEXT_...), and run `gather-brain reembed`"
    )
