"""The states of a change of model: what comes next, what a write must bring, and what a server does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.embeddings.reembedding_plan import (
    GRACE_MIN_S,
    LATE_NODES_MAX,
    LEASE_S,
    Action,
    Phase,
    PlanError,
    ReembeddingPlan,
    SlotState,
    aborted,
    decide_step,
    flipped,
    role_of,
    started,
)
from gather_brain.embeddings.slots import Model, Place

ONE = Model("one", 384)
TWO = Model("two", 96)
THREE = Model("three", 768)
STEADY = ReembeddingPlan(epoch=4, phase=Phase.STEADY, active=Place("a", ONE))
FILLING = replace(started(STEADY, TWO), age_s=LEASE_S)
CLOSING = replace(FILLING, phase=Phase.CLOSING)
RETIRING = flipped(CLOSING)
CLEARING = ReembeddingPlan(epoch=9, phase=Phase.CLEARING, active=Place("b", TWO))
GRACE_S = 60.0


@pytest.mark.parametrize(
    ("plan", "found", "action", "phase"),
    [
        pytest.param(STEADY, SlotState(), Action.CHANGE, Phase.FILLING, id="it begins"),
        pytest.param(FILLING, SlotState(), Action.FILL, None, id="nothing is known yet"),
        pytest.param(FILLING, SlotState(LATE_NODES_MAX + 1), Action.FILL, None, id="too many were missing"),
        pytest.param(FILLING, SlotState(0), Action.AWAIT_INDEX, None, id="the index is not built"),
        pytest.param(
            replace(FILLING, age_s=0),
            SlotState(0, True),
            Action.WAIT,
            None,
            id="not all servers have noticed",
        ),
        pytest.param(FILLING, SlotState(LATE_NODES_MAX, True), Action.CHANGE, Phase.CLOSING, id="it closes"),
        pytest.param(CLOSING, SlotState(), Action.FILL, None, id="the last pass"),
        pytest.param(CLOSING, SlotState(3), Action.FILL, None, id="the last pass found some"),
        pytest.param(CLOSING, SlotState(0), Action.CHANGE, Phase.RETIRING, id="nothing is missing"),
        pytest.param(RETIRING, SlotState(), Action.WAIT, None, id="requests under way"),
        pytest.param(
            replace(RETIRING, age_s=GRACE_S),
            SlotState(),
            Action.CHANGE,
            Phase.CLEARING,
            id="the grace is over",
        ),
        pytest.param(CLEARING, SlotState(), Action.CLEAR, None, id="the old vectors go"),
        pytest.param(CLEARING, SlotState(is_cleared=True), Action.CHANGE, Phase.STEADY, id="all is done"),
        pytest.param(
            ReembeddingPlan(3, Phase.STEADY, Place("b", TWO)),
            SlotState(),
            Action.END,
            None,
            id="it was done before",
        ),
        pytest.param(
            ReembeddingPlan(3, Phase.STEADY, Place("b", TWO)),
            SlotState(is_orphaned=True),
            Action.CHANGE,
            Phase.CLEARING,
            id="an older change left an index",
        ),
    ],
)
def test_the_next_step(plan: ReembeddingPlan, found: SlotState, action: Action, phase: Phase | None) -> None:
    """One row for each edge of the diagram."""
    step = decide_step(plan, TWO, found, GRACE_S)
    assert step.action is action
    assert (step.plan.phase if step.plan else None) is phase
    if step.plan:
        assert step.plan.epoch == plan.epoch + 1


def test_the_way_from_one_model_to_the_other_and_back_uses_both_slots_in_turn() -> None:
    """With all that is asked for found at once."""
    plan, places = STEADY, []
    for target in (TWO, THREE):
        while (step := decide_step(plan, target, SlotState(0, True, True), GRACE_S)).action is not Action.END:
            plan = replace(step.plan or plan, age_s=GRACE_S)
        places.append(plan.active)
        assert plan.other is None
    assert places == [Place("b", TWO), Place("a", THREE)]


def test_waiting_ends_when_the_time_has_come() -> None:
    """To the second."""
    assert decide_step(replace(RETIRING, age_s=45), TWO, SlotState(), GRACE_S).wait_s == 15
    assert decide_step(replace(FILLING, age_s=1), TWO, SlotState(0, True), GRACE_S).wait_s == LEASE_S - 1


@pytest.mark.parametrize(
    ("plan", "required"),
    [
        (STEADY, {"a": "one"}),
        (FILLING, {"a": "one"}),
        (CLOSING, {"a": "one", "b": "two"}),
        (RETIRING, {"a": "one", "b": "two"}),
        (CLEARING, {"b": "two"}),
    ],
    ids=lambda value: value.phase.value if isinstance(value, ReembeddingPlan) else "",
)
def test_what_a_write_must_bring(plan: ReembeddingPlan, required: dict[str, str]) -> None:
    """Both models from the last pass until no request looks into the old slot any more."""
    assert plan.required == required


@pytest.mark.parametrize("plan", [FILLING, CLOSING])
def test_another_target_does_not_interfere(plan: ReembeddingPlan) -> None:
    """The message says what is under way and how to end it."""
    with pytest.raises(PlanError, match=r"two is under way.*--abort"):
        decide_step(plan, THREE, SlotState(), GRACE_S)


def test_a_change_that_is_nearly_done_is_ended_before_the_next_begins() -> None:
    """Killed in its last phases, and then something else is wanted."""
    assert decide_step(CLEARING, THREE, SlotState(), GRACE_S).action is Action.CLEAR
    assert decide_step(RETIRING, ONE, SlotState(), GRACE_S).action is Action.WAIT


def test_models_of_one_name_have_the_same_dimensions() -> None:
    """They would be compared with each other."""
    for plan in (STEADY, FILLING):
        with pytest.raises(PlanError, match="another name"):
            decide_step(plan, Model("one", 512), SlotState(), GRACE_S)
        with pytest.raises(PlanError, match="another name"):
            role_of(plan, (Model("one", 512),))


@pytest.mark.parametrize("plan", [FILLING, CLOSING])
def test_a_change_can_be_aborted_until_it_is_made(plan: ReembeddingPlan) -> None:
    """What has been filled is cleared."""
    given_up = aborted(plan)
    assert (given_up.phase, given_up.active, given_up.other) == (Phase.CLEARING, Place("a", ONE), None)


@pytest.mark.parametrize("plan", [STEADY, RETIRING, CLEARING])
def test_a_change_that_is_made_cannot_be_aborted(plan: ReembeddingPlan) -> None:
    """The way back is another change."""
    with pytest.raises(PlanError):
        aborted(plan)


@pytest.mark.parametrize(
    ("plan", "models", "reads", "writes", "lacks"),
    [
        pytest.param(STEADY, (ONE,), "one", ["one"], None, id="one model"),
        pytest.param(STEADY, (ONE, TWO), "one", ["one"], None, id="a next model that is not wanted yet"),
        pytest.param(FILLING, (ONE, TWO), "one", ["one", "two"], None, id="both while filling"),
        pytest.param(FILLING, (ONE,), "one", ["one"], None, id="an old server while filling"),
        pytest.param(CLOSING, (ONE,), "one", ["one"], "two", id="an old server cannot write any more"),
        pytest.param(RETIRING, (ONE, TWO), "two", ["two", "one"], None, id="both after the change"),
        pytest.param(RETIRING, (TWO,), "two", ["two"], "one", id="a new server reads and waits to write"),
        pytest.param(CLEARING, (TWO,), "two", ["two"], None, id="a new server"),
        pytest.param(CLEARING, (ONE, TWO), "two", ["two"], None, id="both when all is done"),
    ],
)
def test_what_a_server_does(
    plan: ReembeddingPlan, models: tuple[Model, ...], reads: str, writes: list[str], lacks: str | None
) -> None:
    """By the models that it has."""
    role = role_of(plan, models)
    assert role.reads.model.name == reads
    assert [place.model.name for place in role.writes] == writes
    assert role.lacks == lacks


@pytest.mark.parametrize(
    ("plan", "models", "remedy"),
    [
        pytest.param(STEADY, (TWO,), "set one as the model and two as the next one", id="another model"),
        pytest.param(RETIRING, (ONE,), "gather-brain reembed", id="the old model after the change"),
        pytest.param(FILLING, (TWO,), "--status", id="the next model alone, too early"),
        pytest.param(FILLING, (THREE,), "gather-brain reembed", id="a third model"),
    ],
)
def test_a_server_that_cannot_find_anything_names_the_remedy(
    plan: ReembeddingPlan, models: tuple[Model, ...], remedy: str
) -> None:
    """It must not answer as if there were nothing."""
    with pytest.raises(PlanError, match=remedy):
        role_of(plan, models)


@given(
    phases=st.lists(st.sampled_from(["seen", "unseen"]), min_size=1, max_size=12),
    models=st.sampled_from([(ONE,), (TWO,), (ONE, TWO)]),
)
def test_who_may_write_leaves_no_reader_without_a_vector(
    phases: list[str], models: tuple[Model, ...]
) -> None:
    """A write that takes its lock under a plan is found by all who act upon it or the plan before.

    `seen` is whether the change was noticed; a server acts upon the plan before for no longer than the
    shortest time that the phases with readers of both slots last.
    """
    plan = before = STEADY
    for notice in phases:
        acted_upon = plan if notice == "seen" else before
        brought = {place.slot: place.model.name for place in acted_upon.places if place.model in models}
        if all(brought.get(slot) == model for slot, model in plan.required.items()):
            for reader in (plan, before):
                assert brought.get(reader.active.slot) == reader.active.model.name
        step = decide_step(plan, TWO, SlotState(0, True, True), GRACE_MIN_S)
        if step.action is Action.END:
            break
        plan, before = replace(step.plan or plan, age_s=GRACE_MIN_S), plan
