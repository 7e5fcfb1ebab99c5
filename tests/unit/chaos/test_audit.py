"""The audit of `make chaos` finds what it is for, and takes what is allowed for no breach."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.audit import _brain_differs, _evaluations, _heard, _of_department
from tests.chaos.charges import read_charges
from tests.chaos.disturbances import DOINGS, Disturbance, Disturber, all_names, drawn
from tests.chaos.listeners import Listener


def note(number: int, **metadata: Any) -> dict[str, Any]:
    """Return a note as MongoDB has it."""
    return {
        "_id": f"n{number}",
        "content": f"note {number}",
        "automationMetadata": {"iteration": 1, **metadata},
    }


def checkpoint(**fields: Any) -> dict[str, Any]:
    """Return a finished department's."""
    return {
        "itemsCreated": 1, "finished": "IterationsUsed", "pending": [], "drafts": [], "unindexed": [],
        "iterations": 1, "scores": [50.0], "evaluation": "none", **fields,
    }  # fmt: skip


def test_a_note_that_is_lost_or_doubled_is_found() -> None:
    """Also one that waits where nothing waits any more."""
    assert list(_of_department(checkpoint(), [note(1)], has_succeeded=True)) == []
    assert list(_of_department(checkpoint(), [], has_succeeded=True)) != []
    assert list(_of_department(checkpoint(), [note(1), note(2)], has_succeeded=True)) != []
    assert list(_of_department(checkpoint(pending=[{}]), [note(1)], has_succeeded=True)) != []
    assert list(_of_department(checkpoint(finished=None), [note(1)], has_succeeded=True)) != []
    assert list(_of_department(checkpoint(scores=[]), [note(1)], has_succeeded=True)) != []
    assert list(_of_department(checkpoint(pending=[{}], finished=None), [note(1)], has_succeeded=False)) == []


def test_a_brain_that_differs_is_found() -> None:
    """But for notes that a checkpoint says it lacks."""
    notes, node = [note(1, qualityScore=50.0)], {"qualityScore": 50.0}
    assert list(_brain_differs(notes, [checkpoint()], {"n1": node})) == []
    assert list(_brain_differs(notes, [checkpoint(unindexed=["n1"])], {})) == []
    assert list(_brain_differs(notes, [checkpoint()], {})) != []
    assert list(_brain_differs([], [checkpoint()], {"n1": node})) != []
    assert list(_brain_differs(notes, [checkpoint()], {"n1": {"qualityScore": 40.0}})) != []


def test_an_evaluation_too_many_or_too_few_is_found() -> None:
    """One that waits to be sent is allowed to have been sent."""
    assert list(_evaluations("story", checkpoint(evaluation="sent"), 1)) == []
    assert list(_evaluations("story", checkpoint(evaluation="sending"), 1)) == []
    assert list(_evaluations("story", checkpoint(evaluation="sent"), 0)) != []
    assert list(_evaluations("story", checkpoint(evaluation="sent"), 2)) != []
    assert list(_evaluations("story", checkpoint(), 1)) != []


def test_a_listener_that_missed_an_event_or_got_one_twice_is_found() -> None:
    """And one that was told to reload, since Redis loses nothing here."""
    listener = Listener("http://bridge", "p", [{"epoch": "e", "offset": offset} for offset in (1, 2)])
    assert list(_heard(listener, [("e", 1), ("e", 2)])) == []
    assert list(_heard(listener, [("e", 1), ("e", 2), ("e", 3)])) != []
    assert list(_heard(listener, [("e", 1)])) != []
    listener.reloads = 1
    assert list(_heard(listener, [("e", 1), ("e", 2)])) != []


def test_what_was_charged_outlives_the_process(tmp_path: Path) -> None:
    """Sums by run over all lives; the last line may be cut off."""
    said = {"user": "run", "tokens": 7, "cost_usd": 0.5}
    start = {"message": "gather-demo-llm starts on port 1"}
    lines = [start, said, start, said, {**said, "user": "other"}]
    log = tmp_path / "log"
    log.write_text("\n".join(map(json.dumps, lines)) + '\n{"user": "run", "tok', encoding="utf-8")
    found = read_charges(log)
    assert (found.starts, found.tokens["run"], found.cost_usd, found.last_life_usd) == (
        2, 14, {"run": 1.0, "other": 0.5}, 1.0,
    )  # fmt: skip


def test_a_seed_draws_the_same_again_and_everything_once_before_anything_twice() -> None:
    """Else a rare one would come by chance alone."""
    names = all_names()
    first, again = ([next(plan) for _ in names] for plan in (drawn(names, 7), drawn(names, 7)))
    assert first == again
    assert sorted(one.name for one in first) == sorted(names)


@dataclass
class Fallen:
    """A service that has ended by itself."""

    name: str = "a service"
    uri: str = "nowhere"
    pid: int = 0
    has_ended: bool = True

    def start(self) -> None:
        """Run."""
        self.has_ended = False

    kill = start


@pytest.mark.parametrize(
    ("disturbance", "is_stuck"),
    [("cut/brain", True), ("full/mongodb", True), ("memory/brain", False), ("stop/operator", True)],
)
def test_a_service_that_does_not_come_back_by_itself_is_a_breach(
    monkeypatch: pytest.MonkeyPatch, disturbance: str, *, is_stuck: bool
) -> None:
    """But for the one that was disturbed, where its disk or memory ended it; the operator may always."""
    kind, service = disturbance.split("/")
    monkeypatch.setitem(DOINGS, kind, lambda *_: [])
    services = {"brain": Fallen(), "operator": Fallen(), "redis": Fallen(has_ended=False)}
    world: Any = SimpleNamespace(services=services)
    disturber = Disturber(world)
    said = disturber.carry_out(Disturbance(kind, service, 0, 0))
    assert said == "brain had ended; operator had ended"
    assert disturber.stuck == ([f"{disturbance}: brain had ended"] if is_stuck else [])
    assert not any(one.has_ended for one in services.values())
