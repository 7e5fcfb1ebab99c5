"""What to do next for a run: named tables of what is known and what follows."""

from typing import Any

import pytest

from gather_contracts.reasons import DepartmentPhase, Reason, RunPhase
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import (
    CreateJob,
)
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import Numbers

# --- departments


DEPARTMENT_CASES: dict[str, tuple[dict[str, Any], list[str], list[Any]]] = {
    # what is known beyond two departments, the first at work -> phases, actions
    "its Job and pod at work: wait": (
        {"jobs": ["running"], "pods": ["running"]},
        ["Running", "Pending"],
        [],
    ),
    "its Job has no pod yet: wait": ({"jobs": ["running"]}, ["Running", "Pending"], []),
    "its pod succeeded before its Job says so: next": (
        {"jobs": ["running"], "pods": ["done"]},
        ["Succeeded", "Running"],
        [CreateJob(1, 1, 47)],
    ),
    "its pod succeeded and its Job is complete: next": (
        {"jobs": ["complete"], "pods": ["done"]},
        ["Succeeded", "Running"],
        [CreateJob(1, 1, 47)],
    ),
    "its pod succeeded and its Job was deleted: next": (
        {"pods": ["done"]},
        ["Succeeded", "Running"],
        [CreateJob(1, 1, 47)],
    ),
    "a pod failed but its Job has not given up: wait": (
        {"jobs": ["running"], "pods": ["failed"]},
        ["Running", "Pending"],
        [],
    ),
    "a pod failed, the next one succeeded: next": (
        {"jobs": ["running"], "pods": ["failed", "done"]},
        ["Succeeded", "Running"],
        [CreateJob(1, 1, 47)],
    ),
    "its Job failed: failed, next": (
        {"jobs": ["failed"], "pods": ["failed"]},
        ["Failed", "Running"],
        [CreateJob(1, 1, 48)],
    ),
    "its Job was deleted: another one": (
        {},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "its Job is being deleted: wait until it is gone": (
        {"jobs": ["terminating"]},
        ["Running", "Pending"],
        [],
    ),
    "its Job completed without a readable result: another one": (
        {"jobs": ["complete"], "pods": ["mute"]},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "its result was lost with its pod: another Job": (
        {"jobs": ["complete"]},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "the other Job is at work: wait": (
        {"jobs": ["complete", "second"], "pods": ["mute"]},
        ["Running", "Pending"],
        [],
    ),
    "the third Job completed without a result: failed, next": (
        {"jobs": ["third complete"], "pods": ["mute"]},
        ["Failed", "Running"],
        [CreateJob(1, 1, 50)],
    ),
}


def facts_of(build: Any, known: dict[str, Any]) -> dict[str, Any]:
    jobs = {
        "running": build.job("story"),
        "complete": build.job("story", is_complete=True),
        "failed": build.job("story", is_failed=True, failure_reason="BackoffLimitExceeded", failed_pods=2),
        "terminating": build.job("story", is_terminating=True),
        "second": build.job("story", 2),
        "third complete": build.job("story", 3, is_complete=True),
    }
    pods = {
        "running": build.pod("story", phase="Running"),
        "done": build.done("story", attempt=2),
        "mute": build.pod("story", phase="Succeeded"),
        "failed": build.pod(
            "story", phase="Failed", result=build.result(2, 12, reason=StopReason.MODEL_UNAVAILABLE)
        ),
    }
    return {
        "jobs": [jobs[name] for name in known.get("jobs", [])],
        "pods": tuple(pods[name] for name in known.get("pods", [])),
    }


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_departments(build: Any, case: str) -> None:
    """What follows for two departments, the first of which is at work."""
    known, expected_phases, expected_actions = DEPARTMENT_CASES[case]
    run = build.running("story", "world")
    snapshot = build.snapshot(run, document=build.document("story", "world"), **facts_of(build, known))
    decision = decide(snapshot)
    assert build.phases(decision.status) == expected_phases
    assert list(decision.actions) == expected_actions


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_deciding_twice_asks_for_the_same(build: Any, case: str) -> None:
    """Killed after the decision and before its first act: the next operator decides alike."""
    known, _, _ = DEPARTMENT_CASES[case]
    run = build.running("story", "world")
    snapshot = build.snapshot(run, document=build.document("story", "world"), **facts_of(build, known))
    assert decide(snapshot) == decide(snapshot)


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_after_the_status_is_written_no_second_job_is_asked_for(build: Any, case: str) -> None:
    """The Job just made is not in the cache yet; the fresh snapshot has it."""
    known, _, _ = DEPARTMENT_CASES[case]
    run = build.running("story", "world")
    facts = facts_of(build, known)
    document = build.document("story", "world")
    first = decide(build.snapshot(run, document=document, **facts))
    made = [a for a in first.actions if isinstance(a, CreateJob)]
    slugs = ["story", "world"]
    facts["jobs"] += [build.job(slugs[a.department_index], a.generation) for a in made]
    written = run.model_copy(update={"status": first.status})
    assert decide(build.snapshot(written, document=document, **facts)).actions == ()


def test_a_pod_s_result_replaces_the_live_numbers(build: Any) -> None:
    """More was reported live than was saved: what the worker counted stands."""
    run = build.running("story", itemsCreated=20, iterations=4)
    status = decide(
        build.snapshot(
            run,
            document=build.document("story"),
            jobs=[build.job("story")],
            pods=(build.done("story"),),
            live={"story": Numbers(4, 20, 70)},
        )
    ).status
    department = status.departments[0]
    assert (department.iterations, department.items_created, department.quality_score) == (3, 18, 85)
    assert (status.iterations, status.items_created, status.quality_score) == (3, 18, 85)
    assert department.reason == "ThresholdReached"
    assert department.completion_time == "2026-05-01T12:00:00.000Z"


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(Numbers(3, 17, 61.5), (3, 17, 61.5), id="ahead: taken"),
        pytest.param(Numbers(2, 15, 50), (2, 15, 50), id="same iteration, more items: taken"),
        pytest.param(Numbers(1, 6, 90), (2, 12, 40), id="behind: ignored"),
        pytest.param(Numbers(), (2, 12, 40), id="no live numbers: kept"),
        pytest.param(Numbers(3, 10, 55), (3, 12, 55), id="fewer items than known: items stay"),
    ],
)
def test_live_numbers_never_take_progress_back(build: Any, live: Numbers, expected: tuple[Any, ...]) -> None:
    """Iterations and items only grow; quality is the latest measure."""
    run = build.running("story", iterations=2, itemsCreated=12, qualityScore=40)
    snapshot = build.snapshot(
        run, document=build.document("story"), jobs=[build.job("story")], live={"story": live}
    )
    department = decide(snapshot).status.departments[0]
    assert (department.iterations, department.items_created, department.quality_score) == expected


def test_a_failed_department_keeps_what_its_attempts_made_and_says_why(build: Any) -> None:
    """The last attempt's own reason overrides the Job's."""
    run = build.running("story", "world")
    facts = facts_of(build, {"jobs": ["failed"], "pods": ["failed"]})
    department = decide(
        build.snapshot(run, document=build.document("story", "world"), **facts)
    ).status.departments[0]
    assert (department.phase, department.reason) == (DepartmentPhase.FAILED, "ModelUnavailable")
    assert (department.iterations, department.items_created, department.attempt) == (2, 12, 2)


@pytest.mark.parametrize(
    ("pod", "job_reason", "expected"),
    [
        pytest.param({"reason": "OOMKilled"}, "BackoffLimitExceeded", "OOMKilled", id="the kubelet's reason"),
        pytest.param({"reason": "DeadlineExceeded"}, "X", "DeadlineExceeded", id="out of time"),
        pytest.param({}, "BackoffLimitExceeded", "BackoffLimitExceeded", id="the Job's reason"),
        pytest.param({}, "", "AttemptsUsedUp", id="no reason given"),
    ],
)
def test_reasons_of_failed_departments(
    build: Any, pod: dict[str, Any], job_reason: str, expected: str
) -> None:
    """The reason nearest to what happened."""
    snapshot = build.snapshot(
        build.running("story"),
        document=build.document("story"),
        jobs=[build.job("story", is_failed=True, failure_reason=job_reason)],
        pods=(build.pod("story", phase="Failed", **pod),),
    )
    assert decide(snapshot).status.departments[0].reason == expected


@pytest.mark.parametrize(
    ("result", "pod", "expected"),
    [
        pytest.param(
            StopReason.TERMINATED, "DeadlineExceeded", "DeadlineExceeded", id="Kubernetes' deadline"
        ),
        pytest.param(StopReason.TERMINATED, "Error", "Terminated", id="SIGTERM for something else"),
        pytest.param(StopReason.DEADLINE_NEAR, "Error", "DeadlineNear", id="the worker's own deadline"),
        pytest.param(
            StopReason.STORE_UNAVAILABLE, "DeadlineExceeded", "StoreUnavailable", id="why it took so long"
        ),
    ],
)
def test_a_worker_that_was_stopped_at_the_deadline_ran_out_of_time(
    build: Any, result: StopReason, pod: str, expected: str
) -> None:
    """To the worker it is a SIGTERM like any other."""
    failed = build.pod("story", phase="Failed", reason=pod, result=build.result(2, 12, reason=result))
    snapshot = build.snapshot(
        build.running("story"),
        document=build.document("story"),
        jobs=[build.job("story", is_failed=True)],
        pods=(failed,),
    )
    assert decide(snapshot).status.departments[0].reason == expected


def test_the_current_department_says_what_its_pod_waits_for(build: Any) -> None:
    """A full node pool must be visible without looking at pods."""
    snapshot = build.snapshot(
        build.running("story"),
        document=build.document("story"),
        jobs=[build.job("story")],
        pods=(build.pod("story", reason="Unschedulable"),),
    )
    status = decide(snapshot).status
    assert status.departments[0].reason == "Unschedulable"
    assert "Unschedulable" in build.conditions(status)["Progressing"].message
    assert status.current_department == "story"


def test_on_failure_stop_skips_the_rest_and_the_run_fails(build: Any) -> None:
    """What was made is kept; automation_failed follows from the status."""
    run = build.running("story", "world", "music", spec={"onDepartmentFailure": "Stop"})
    facts = facts_of(build, {"jobs": ["failed"], "pods": ["failed"]})
    decision = decide(build.snapshot(run, document=build.document("story", "world", "music"), **facts))
    assert decision.actions == ()
    assert build.phases(decision.status) == ["Failed", "Skipped", "Skipped"]
    assert {d.reason for d in decision.status.departments[1:]} == {"EarlierDepartmentFailed"}
    assert decision.status.phase is RunPhase.FAILED
    assert decision.status.items_created == 12


def test_departments_for_which_no_iteration_is_left_are_skipped(build: Any) -> None:
    """The run still succeeds, and says which ones."""
    run = build.running("story", "world", "music", spec={"maxIterations": 3})
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world", "music"),
        jobs=[build.job("story")],
        pods=(build.done("story"),),
    )
    status = decide(snapshot).status
    assert build.phases(status) == ["Succeeded", "Skipped", "Skipped"]
    assert {d.reason for d in status.departments[1:]} == {"IterationsExhausted"}
    assert (status.phase, status.progress) == (RunPhase.SUCCEEDED, "3/3")
    assert "world, music" in build.conditions(status)["Succeeded"].message


def test_departments_after_one_that_used_the_budget_are_skipped(build: Any) -> None:
    """No pod starts only to find that nothing is left; the run succeeds with what there is, and says so."""
    run = build.running("story", "world", "music", spec={"budget": {"maxCostUSD": 1.5}})
    used = build.result(reason=StopReason.BUDGET_USED)
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world", "music"),
        jobs=[build.job("story")],
        pods=(build.pod("story", phase="Succeeded", result=used),),
    )
    decision = decide(snapshot)
    status = decision.status
    assert decision.actions == ()
    assert build.phases(status) == ["Succeeded", "Skipped", "Skipped"]
    assert [d.reason for d in status.departments] == ["BudgetUsed"] * 3
    assert status.phase is RunPhase.SUCCEEDED
    assert "want of budget: world, music" in build.conditions(status)["Succeeded"].message


def test_a_last_department_that_used_the_budget_is_named_in_the_message(build: Any) -> None:
    """Nothing is skipped then, but the reader should know why the notes are few."""
    run = build.running("story")
    used = build.result(reason=StopReason.BUDGET_USED)
    pods = (build.pod("story", phase="Succeeded", result=used),)
    snapshot = build.snapshot(run, document=build.document("story"), jobs=[build.job("story")], pods=pods)
    assert "The budget is used." in build.conditions(decide(snapshot).status)["Succeeded"].message


def test_a_run_ends_well_when_its_last_department_does(build: Any) -> None:
    """Conditions, times and totals."""
    departments = build.departments("story", "world", **build.succeeded)
    departments[1].update({**build.at_work, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("world")],
        pods=(build.done("world"),),
    )
    status = decide(snapshot).status
    assert status.phase is RunPhase.SUCCEEDED
    assert (status.progress, status.current_department) == ("2/2", "")
    assert (status.iterations, status.items_created) == (6, 36)
    assert status.completion_time == "2026-05-01T12:00:00.000Z"
    succeeded = build.conditions(status)["Succeeded"]
    assert (succeeded.status, succeeded.reason) == ("True", Reason.ALL_DEPARTMENTS_DONE)
    assert build.conditions(status)["Progressing"].reason == Reason.FINISHED


def test_a_run_with_a_failed_department_fails_at_its_end(build: Any) -> None:
    """Continue goes on to the last one first."""
    departments = build.departments("story", "world", phase="Failed", reason="ModelUnavailable")
    departments[1].update({**build.at_work, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    snapshot = build.snapshot(run, document=build.document("story", "world"), pods=(build.done("world"),))
    status = decide(snapshot).status
    assert status.phase is RunPhase.FAILED
    assert build.conditions(status)["Succeeded"].reason == Reason.DEPARTMENTS_FAILED
    assert "story" in build.conditions(status)["Succeeded"].message


def test_an_ended_department_stays_ended_whatever_its_job_does(build: Any) -> None:
    """Its Job may be deleted, collected or even run again by hand."""
    departments = build.departments("story", "world", **build.succeeded, jobName=build.job_name("story"))
    departments[1].update({**build.at_work, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("world")],
        live={"story": Numbers(9, 99)},
    )
    decision = decide(snapshot)
    assert decision.status.departments[0] == run.status.departments[0]
    assert decision.actions == ()


def test_an_ended_run_is_not_touched(build: Any) -> None:
    """Even if it is cancelled afterwards."""
    run = build.run(status={"phase": "Succeeded"}, spec={"cancel": True}, finalizers=())
    decision = decide(build.snapshot(run, jobs=[build.job("story")]))
    assert decision.actions == ()
    assert decision.status == run.status


def test_mean_quality_counts_only_departments_that_have_a_score(build: Any) -> None:
    """A department that has not begun does not pull it down."""
    run = build.running("story", "world")
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("story")],
        live={"story": Numbers(1, 6, 50)},
    )
    assert decide(snapshot).status.quality_score == 50
