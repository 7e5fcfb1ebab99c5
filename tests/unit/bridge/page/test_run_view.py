"""What the page says of a snapshot, before it is HTML."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gather_bridge.page.figures import duration, money, rough, score
from gather_bridge.page.project_view import project_view
from gather_bridge.page.reason_words import RUN_ENUMS, WAITING_ENUMS, words_of
from gather_bridge.page.rendering import as_code
from gather_bridge.page.run_view import RunView, run_view
from gather_bridge.page.signing_in import local
from gather_contracts.snapshots.run_state import DepartmentState, RunState

NOW = datetime(2026, 11, 29, 12, 10, tzinfo=UTC)
BEGAN = "2026-11-29T12:00:00Z"


def shown(departments: dict[str, dict[str, Any]] | None = None, **run: Any) -> RunView:
    """Return the view of a run with these departments."""
    state = RunState(
        project_id="p", run="film", run_uid="u", namespace="films",
        departments={
            slug: DepartmentState(slug=slug, place=place, threshold=80, **each)
            for place, (slug, each) in enumerate((departments or {}).items())
        },
        **{"phase": "Running", "started_at": BEGAN, "max_iterations": 50, **run},
    )  # fmt: skip
    return run_view({**state.document(), "complete": True, "notes": None}, NOW)


def tile(view: RunView, label: str) -> tuple[str, str, bool]:
    (found,) = (each for each in view.tiles if each.label == label)
    return found.value, found.note, found.is_warning


@pytest.mark.parametrize(
    ("department", "look", "state"),
    [
        ({"phase": "Pending"}, "pending", "Waits for its turn"),
        ({"phase": "Running", "activity": "generating"}, "running", "Writing notes"),
        ({"phase": "Running", "activity": "deduplicating"}, "running", "Weeding out duplicates"),
        ({"phase": "Running"}, "running", "Starting"),
        ({"phase": "Running", "reason": "ImagePullBackOff"}, "waiting", "Waits"),
        ({"phase": "Succeeded", "curve": {1: 80}}, "done", "Good enough"),
        ({"phase": "Succeeded", "curve": {1: 79.9}}, "low", "Done, below its threshold"),
        ({"phase": "Failed"}, "failed", "Failed"),
        ({"phase": "Skipped"}, "skipped", "Skipped"),
        ({"phase": "Cancelled"}, "cancelled", "Cancelled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_department_s_state_is_said_in_words(department: dict[str, Any], look: str, state: str) -> None:
    """And in a look for the style sheet."""
    (step,) = shown({"story": department}).steps
    assert (step.look, step.state) == (look, state)


def test_a_run_that_has_ended_leaves_nobody_waiting() -> None:
    """The operator's word on the departments may come after the run's end."""
    (step,) = shown({"story": {"phase": "Pending"}}, phase="Cancelled").steps
    assert step.state == "Not begun"


def test_what_is_left_of_money_and_tokens_is_said() -> None:
    """And that nothing is; without a budget there is none to be left."""
    at_work = {"story": {"phase": "Running", "cost_usd": 0.42, "tokens": 1200}}
    assert tile(shown(at_work), "Cost") == ("$0.42", "1,200 tokens, no budget set", False)
    assert tile(shown(at_work, max_cost_usd=2.0), "Cost") == ("$0.42", "$1.58 left of $2.00", False)
    assert tile(shown(at_work, max_tokens=1000), "Cost")[1:] == ("budget used, 0 left of 1,000 tokens", True)
    spent = {"story": {"phase": "Succeeded", "reason": "BudgetUsed", "cost_usd": 0.4}}
    assert tile(shown(spent, max_cost_usd=0.41), "Cost")[1] == "budget used, under $0.01 left of $0.41"


def test_the_time_left_is_known_once_there_is_a_pace() -> None:
    """Ten minutes for five iterations: 45 more take an hour and a half at most."""
    assert tile(shown({"story": {"phase": "Running", "iterations": 5}}), "Time left")[0] == "1.5 h"
    assert tile(shown({"story": {"phase": "Running", "iterations": 2}}), "Time left")[0] == "–"  # noqa: RUF001
    assert [each.label for each in shown({"story": {}}, phase="Suspended").tiles][-1] == "Time"


def test_what_is_not_known_is_a_dash_and_not_nought() -> None:
    """Before the departments are known, and before the first score."""
    assert [each.value for each in shown(phase="Pending", started_at="").tiles] == ["–"]  # noqa: RUF001
    view = shown({"story": {"phase": "Running"}})
    assert tile(view, "Quality")[0] == "–"  # noqa: RUF001
    assert view.steps[0].to_go == "–"  # noqa: RUF001


def test_a_reason_is_explained_where_it_is_known() -> None:
    """Kubernetes' own words stay as they are; a condition's name before the meaning is left out."""
    waits = words_of("Unschedulable", WAITING_ENUMS)
    assert waits is not None
    assert (waits.meaning[:22], waits.helps[:9]) == ("No node takes the pod,", "Add nodes")
    suspended = words_of("Suspended", RUN_ENUMS)
    assert suspended is not None
    assert suspended.meaning.startswith("`spec.suspend` is true")
    unknown = words_of("SomethingNew", WAITING_ENUMS)
    assert unknown is not None
    assert (unknown.meaning, unknown.helps) == ("", "")
    assert words_of("", WAITING_ENUMS) is None


def test_the_same_reason_is_explained_by_how_the_department_ended() -> None:
    """One that was left out for the budget has no notes that could be kept."""
    departments = {
        "story": {"phase": "Succeeded", "reason": "BudgetUsed"},
        "sound": {"phase": "Skipped", "reason": "BudgetUsed"},
    }
    meanings = [step.reason.meaning for step in shown(departments).steps if step.reason]
    assert [meaning.split(";")[0] for meaning in meanings] == [
        "Not even a short answer of the model would still fit into the run's budget",
        "A department before it ended because the run's budget is used.",
    ]


def test_figures_are_as_people_read_them() -> None:
    """Less than a cent is not nothing, and a clock has its hours only when it needs them."""
    assert [money(usd) for usd in (0, 0.004, 0.42, 1234.5)] == ["$0.00", "under $0.01", "$0.42", "$1,234.50"]
    assert [score(value) for value in (80, 79.96, 61.25)] == ["80", "80", "61.2"]
    assert [duration(timedelta(seconds=s)) for s in (-3, 5, 65, 3661)] == ["0:00", "0:05", "1:05", "1:01:01"]
    assert [rough(timedelta(minutes=m)) for m in (0.5, 7, 120)] == ["under a minute", "7 min", "2.0 h"]


def test_a_run_s_address_has_its_namespace_where_that_is_known() -> None:
    """Runs of an older operator are found by their project."""
    runs = [
        RunState(project_id="p", run=name, run_uid=name, namespace=namespace).document()
        for name, namespace in (("film", "films"), ("old", ""))
    ]
    view = project_view({"runs": runs, "complete": True}, NOW)
    assert [line.address for line in view.runs] == ["/runs/films/film", "/projects/p/runs/old"]


def test_code_in_a_text_is_marked_and_everything_escaped() -> None:
    """Backticks alone make HTML."""
    assert as_code("Set `a<b` & `c`") == "Set <code>a&lt;b</code> &amp; <code>c</code>"


@pytest.mark.parametrize(
    "address",
    ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a?b=c", "", None],
    ids=repr,
)
def test_nobody_is_sent_to_another_site(address: str | None) -> None:
    """After signing in only addresses of ours are gone on to."""
    assert local(address) == "/"
    assert local("/runs/films/a.b-1") == "/runs/films/a.b-1"
