"""The summary reason of a run, and that every stop reason of a worker reaches the resource."""

from typing import Any

import pytest

from gather_contracts.reasons import DepartmentPhase, DepartmentReason
from gather_contracts.resource import DepartmentStatus, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import CmsFailure
from gather_operator.decisions.status.summary_reason import summary_reason

THRESHOLD = ("Succeeded", "ThresholdReached")
LIMIT = ("Succeeded", "IterationsUsed")
FLAT = ("Succeeded", "QualityFlat")
SKIPPED = ("Skipped", "IterationsExhausted")
BROKEN = ("Failed", "ModelUnavailable")

ENDS_WELL = (
    StopReason.THRESHOLD_REACHED, StopReason.ITERATIONS_USED, StopReason.QUALITY_FLAT, StopReason.BUDGET_USED
)  # fmt: skip
"""Exit code 0; every other reason fails the pod."""


def department(number: int, phase: str, reason: str) -> DepartmentStatus:
    return DepartmentStatus(slug=f"d{number}", phase=DepartmentPhase(phase), reason=reason)


def conditions(*listed: tuple[str, str, str]) -> list[dict[str, str]]:
    moment = "2026-05-01T12:00:00.000Z"
    return [
        {"type": kind, "status": status, "reason": reason, "lastTransitionTime": moment}
        for kind, status, reason in listed
    ]


@pytest.mark.parametrize(
    ("phase", "departments", "conditions_of", "expected"),
    [
        pytest.param("Pending", [], [], "", id="nothing is known yet"),
        pytest.param(
            "Pending", [], [("Accepted", "False", "CMSUnavailable"), ("Progressing", "False", "Waiting")],
            "CMSUnavailable", id="the CMS is unavailable, not merely waiting",
        ),
        pytest.param(
            "Running", [("Running", "")], [("Progressing", "True", "DepartmentRunning")],
            "DepartmentRunning", id="nothing special",
        ),
        pytest.param(
            "Running", [THRESHOLD, ("Running", "Unschedulable")],
            [("Progressing", "True", "DepartmentRunning")], "Unschedulable", id="a pod waits for a node",
        ),
        pytest.param(
            "Running", [("Running", "DeadlineNear")], [("Progressing", "True", "DepartmentRunning")],
            "DeadlineNear", id="an attempt ran out of time, another goes on",
        ),
        pytest.param(
            "Running", [("Running", "DeadlineNear"), ("Running", "FailedCreate")],
            [("Progressing", "True", "FailedCreate")], "FailedCreate", id="one of two at work waits",
        ),
        pytest.param(
            "Running", [("Pending", "")], [("Progressing", "False", "JobRefused")],
            "JobRefused", id="Kubernetes refuses the Job",
        ),
        pytest.param("Succeeded", [THRESHOLD, THRESHOLD], [], "ThresholdReached", id="all good enough"),
        pytest.param("Succeeded", [THRESHOLD, FLAT, LIMIT], [], "QualityFlat", id="the first to fall short"),
        pytest.param("Succeeded", [LIMIT, LIMIT, SKIPPED], [], "IterationsExhausted", id="some never ran"),
        pytest.param(
            "Failed", [THRESHOLD, BROKEN, ("Failed", "OOMKilled")],
            [("Progressing", "False", "Finished"), ("Succeeded", "False", "DepartmentsFailed")],
            "ModelUnavailable", id="why the first failed department did",
        ),
        pytest.param(
            "Failed", [], [("Progressing", "False", "Finished"), ("Succeeded", "False", "NoDepartments")],
            "NoDepartments", id="no department takes part",
        ),
        pytest.param(
            "Cancelling", [("Running", "")], [("Progressing", "True", "Cancelling")], "Cancelling",
            id="being cancelled",
        ),
        pytest.param(
            "Cancelled", [THRESHOLD, ("Cancelled", "Cancelled")],
            [("Progressing", "False", "Cancelled"), ("Succeeded", "False", "Cancelled")], "Cancelled",
            id="cancelled",
        ),
    ],
)  # fmt: skip
def test_the_summary_reason(
    phase: str,
    departments: list[tuple[str, str]],
    conditions_of: list[tuple[str, str, str]],
    expected: str,
) -> None:
    """What REASON shows with `-o wide`."""
    status = GatherRunStatus.model_validate(
        {
            "phase": phase,
            "conditions": conditions(*conditions_of),
            "departments": [department(number, *known) for number, known in enumerate(departments)],
        }
    )
    assert summary_reason(status) == expected


def at_work(build: Any, **spec: Any) -> Any:
    first = {"phase": "Running", "iterationLimit": 10, "jobName": build.job_name("story")}
    return build.run(
        spec=spec, status={"phase": "Running", "departments": build.departments("story", **first)}
    )


@pytest.mark.parametrize("reason", ENDS_WELL)
def test_a_reason_that_finishes_a_department_stands_in_the_resource(build: Any, reason: StopReason) -> None:
    """In the department's line and in REASON."""
    done = build.pod("story", phase="Succeeded", result=build.result(3, 18, reason=reason))
    snapshot = build.snapshot(
        at_work(build), document=build.document("story"), jobs=[build.job("story")], pods=(done,)
    )
    status = decide(snapshot).status
    assert (status.departments[0].phase, status.departments[0].reason) == ("Succeeded", reason)
    assert (status.phase, status.reason) == ("Succeeded", reason)


@pytest.mark.parametrize("reason", [r for r in StopReason if r not in ENDS_WELL])
def test_a_reason_that_ends_the_last_attempt_stands_in_the_resource(build: Any, reason: StopReason) -> None:
    """In the department's line, in REASON, and in the message for people."""
    ended = build.pod("story", phase="Failed", result=build.result(3, 18, reason=reason))
    job = build.job("story", is_failed=True, failure_reason="BackoffLimitExceeded", failed_pods=4)
    snapshot = build.snapshot(at_work(build), document=build.document("story"), jobs=[job], pods=(ended,))
    status = decide(snapshot).status
    assert (status.departments[0].phase, status.departments[0].reason) == ("Failed", reason)
    assert (status.phase, status.reason) == ("Failed", reason)
    assert f"story ({reason})" in status.conditions[-1].message


@pytest.mark.parametrize("reason", [r for r in StopReason if r not in ENDS_WELL])
def test_a_reason_that_ends_an_attempt_shows_while_the_next_is_at_work(
    build: Any, reason: StopReason
) -> None:
    """Soft deadline and SIGTERM are seen, though the Job goes on; a fenced pod says nothing that counts."""
    ended = build.pod("story", phase="Failed", result=build.result(3, 18, reason=reason))
    going_on = build.pod("story", attempt=2, phase="Running")
    snapshot = build.snapshot(
        at_work(build), document=build.document("story"), jobs=[build.job("story")], pods=(ended, going_on)
    )
    status = decide(snapshot).status
    expected = "" if reason is StopReason.FENCED else reason
    assert (status.departments[0].phase, status.departments[0].reason) == ("Running", expected)
    assert status.reason == (expected or "DepartmentRunning")


def test_what_a_pod_waits_for_overrides_how_the_last_one_ended(build: Any) -> None:
    """It is what can be helped now."""
    ended = build.pod("story", phase="Failed", result=build.result(3, 18, reason=StopReason.DEADLINE_NEAR))
    waiting = build.pod("story", attempt=2, reason="Unschedulable")
    snapshot = build.snapshot(
        at_work(build), document=build.document("story"), jobs=[build.job("story")], pods=(ended, waiting)
    )
    assert decide(snapshot).status.reason == "Unschedulable"


def test_an_unavailable_cms_shows(build: Any) -> None:
    """Not "Waiting", which says nothing."""
    assert (
        decide(build.snapshot(build.run(), cms=CmsFailure("unavailable"))).status.reason == "CMSUnavailable"
    )


def test_the_status_of_an_ended_run_is_not_touched(build: Any) -> None:
    """Also one from before there was a summary reason."""
    run = build.run(
        status={"phase": "Succeeded", "departments": build.departments("story", phase="Succeeded")}
    )
    assert decide(build.snapshot(run)).status == run.status


def test_too_few_iterations_are_said_at_the_start(build: Any) -> None:
    """The CMS may name more departments than the run has iterations; a selection is refused by the CRD."""
    slugs = [f"d{number}" for number in range(7)]
    run = build.run(spec={"maxIterations": 3})
    accepted = decide(build.snapshot(run, cms=build.cms(*slugs))).status.conditions[0]
    assert "maxIterations 3 lasts for 3 of them" in accepted.message
    enough = decide(build.snapshot(build.run(spec={"maxIterations": 7}), cms=build.cms(*slugs))).status
    assert "maxIterations" not in enough.conditions[0].message


def test_three_iterations_for_seven_departments(build: Any) -> None:
    """The first three get one each, the others none and are named; the run is no failure."""
    slugs = [f"d{number}" for number in range(7)]
    document = build.document(*slugs)
    run = build.run(spec={"maxIterations": 3})
    status = decide(build.snapshot(run, document=document)).status
    allowed = []
    for slug in slugs:
        at_work = next((d for d in status.departments if d.phase is DepartmentPhase.RUNNING), None)
        if at_work is None:
            break
        allowed.append(at_work.iteration_limit)
        done = build.pod(
            slug, phase="Succeeded", result=build.result(1, 6, reason=StopReason.ITERATIONS_USED)
        )
        later = run.model_copy(update={"status": status})
        status = decide(build.snapshot(later, document=document, jobs=[build.job(slug)], pods=(done,))).status
    assert allowed == [1, 1, 1]
    assert [str(d.phase) for d in status.departments] == ["Succeeded"] * 3 + ["Skipped"] * 4
    assert (status.phase, status.iterations, status.reason) == (
        "Succeeded", 3, DepartmentReason.ITERATIONS_EXHAUSTED,
    )  # fmt: skip
    assert "Skipped for want of iterations: d3, d4, d5, d6." in status.conditions[-1].message
