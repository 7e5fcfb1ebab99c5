"""A run's state is a join: in whatever order and however often something is said, the same is known."""

import functools
import json
import random
from typing import Any

import pytest

from gather_contracts.reasons import DepartmentPhase, RunPhase
from gather_contracts.resource import GatherRun
from gather_contracts.snapshots.run_state import RunState, state_of_event, state_of_run
from tests.support.events.page import taken
from tests.support.events.played_run import played_run

PROJECT = "66f1a2b3c4d5e6f708192a3b"


def folded(states: list[RunState]) -> RunState:
    return functools.reduce(lambda one, other: one.joined(other), states)


def by_operator(said: list[RunState], at: str, **status: Any) -> RunState:
    """Return what the operator writes when it knows what was said: three departments, in the CMS's order."""
    known = folded(said)
    departments = []
    for slug in ("story", "visual", "sound"):
        d = known.departments.get(slug)
        departments.append(
            {"slug": slug, "name": slug.title(), "threshold": 80, "model": "m"}
            | ({} if d is None else {
                "phase": d.phase, "attempt": d.attempt, "iterations": d.iterations,
                "itemsCreated": d.items_created, "qualityScore": d.quality_score,
                "costUSD": d.cost_usd, "tokens": d.tokens,
            })
        )  # fmt: skip
    body = {
        "metadata": {"name": "film", "namespace": "gather", "uid": "u-1"},
        "spec": {"projectId": PROJECT, "userId": "u", "maxIterations": 12},
        "status": {
            "phase": known.phase, "startTime": known.started_at or None, "departments": departments, **status,
        },
    }  # fmt: skip
    return state_of_run(GatherRun.model_validate(body), at)


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_order_and_repetition_change_nothing(fails: bool) -> None:
    """A hundred orders, each with repetitions and what the operator wrote in between."""
    events = played_run(PROJECT, fails=fails)
    states = [state_of_event(event) for event in events]
    states += [by_operator(states[:n], events[n].at) for n in (1, 5, 12)]
    expected = folded(states)
    generator = random.Random(14)  # noqa: S311 - no secret
    for _ in range(100):
        some = generator.choices(states, k=10) + states
        generator.shuffle(some)
        assert folded(some) == expected


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_a_page_from_a_snapshot_and_what_follows_is_the_page_from_all_events(fails: bool) -> None:
    """At every cut; the page is written by the rules of the documentation alone."""
    events = played_run(PROJECT, fails=fails)
    states = [state_of_event(event) for event in events]
    whole = folded(states).document()
    for cut in range(1, len(events) + 1):
        page = json.loads(json.dumps(folded(states[:cut]).document()))
        for event in events[cut:]:
            page = taken(page, event.model_dump(mode="json"))
        assert _sorted(page) == _sorted(whole), f"cut {cut}"


def test_a_page_from_what_the_operator_wrote_and_what_follows_is_right_too() -> None:
    """Where the log has lost the beginning; the operator's part may be older or newer than the cut."""
    events = played_run(PROJECT)
    states = [state_of_event(event) for event in events]
    for cut in range(1, len(events)):
        for seen in range(1, len(events), 3):
            wrote = by_operator(states[:seen], events[seen].at)
            page = json.loads(json.dumps(folded([wrote, *states[min(seen, cut) : cut]]).document()))
            for event in events[cut:]:
                page = taken(page, event.model_dump(mode="json"))
            whole = folded([wrote, *states[min(seen, cut) :]]).document()
            assert _sorted(page) == _sorted(whole), f"seen {seen}, cut {cut}"
            assert (whole["phase"], whole["items_created"], whole["tokens"]) == ("Succeeded", 30, 6000)


def test_what_only_the_operator_knows_is_shown_until_an_event_says_otherwise() -> None:
    """A run that is held, and departments that have not begun."""
    events = played_run(PROJECT)
    states = [state_of_event(event) for event in events[:4]]
    held = folded([*states, by_operator(states, "2026-11-29T12:00:10Z", phase="Suspended")])
    assert held.phase is RunPhase.SUSPENDED
    assert [d["slug"] for d in held.document()["departments"]] == ["story", "visual", "sound"]
    assert held.departments["sound"].phase is DepartmentPhase.PENDING
    resumed = played_run(PROJECT)[6].model_copy(update={"at": "2026-11-29T12:00:20Z"})
    assert resumed.type == "department_started"
    assert held.joined(state_of_event(resumed)).phase is RunPhase.RUNNING


def _sorted(page: dict[str, Any]) -> dict[str, Any]:
    return page | {"departments": sorted(page["departments"], key=lambda d: str(d["slug"]))}


def test_what_the_spec_and_kubernetes_say_is_shown_with_the_numbers() -> None:
    """Namespace, budget, why a department waits in Kubernetes' words, and when it began and ended."""
    body = {
        "metadata": {"name": "film", "namespace": "films", "uid": "u-1"},
        "spec": {"projectId": PROJECT, "userId": "u", "budget": {"maxCostUSD": 2.5}},
        "status": {
            "phase": "Running", "reason": "Unschedulable",
            "conditions": [{
                "type": "Progressing", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes",
                "lastTransitionTime": "2026-11-29T12:00:00Z",
            }],
            "departments": [{
                "slug": "story", "phase": "Running", "reason": "Unschedulable",
                "message": "0/4 nodes are available", "startTime": "2026-11-29T12:00:00Z",
            }],
        },
    }  # fmt: skip
    written = state_of_run(GatherRun.model_validate(body), "2026-11-29T12:00:05.000Z")
    for state in (written, written.joined(state_of_event(played_run(PROJECT)[0]))):
        shown = state.document()
        assert [shown[name] for name in ("namespace", "max_cost_usd", "max_tokens")] == ["films", 2.5, None]
        (department,) = shown["departments"]
        assert (department["message"], department["started_at"]) == (
            "0/4 nodes are available", "2026-11-29T12:00:00Z",
        )  # fmt: skip
    assert written.document()["message"] == "0/4 nodes"
