"""How a run ends: departments that are skipped, its totals, and what its end says."""

from typing import Any

from gather_contracts.reasons import Reason, RunPhase
from gather_contracts.result import StopReason
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import Numbers


def test_on_failure_stop_skips_the_rest_and_the_run_fails(build: Any) -> None:
    """What was made is kept; automation_failed follows from the status."""
    run = build.running("story", "world", "music", spec={"onDepartmentFailure": "Stop"})
    jobs = [build.job("story", is_failed=True, failure_reason="BackoffLimitExceeded", failed_pods=2)]
    pods = (
        build.pod("story", phase="Failed", result=build.result(2, 12, reason=StopReason.MODEL_UNAVAILABLE)),
    )
    document = build.document("story", "world", "music")
    decision = decide(build.snapshot(run, document=document, jobs=jobs, pods=pods))
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


def test_what_a_department_leaves_is_said_though_the_run_succeeded(build: Any) -> None:
    """Notes that the brain does not take wait for a setting that somebody has to change."""
    left = "2 notes are not indexed: BRAIN_SERVICE_API_KEY: the brain refuses the key"
    done = build.pod("story", phase="Succeeded", result=build.result(2, 12, message=left))
    snapshot = build.snapshot(
        build.running("story"), document=build.document("story"), jobs=[build.job("story")], pods=(done,)
    )
    status = decide(snapshot).status
    assert status.phase is RunPhase.SUCCEEDED
    assert build.conditions(status)["Succeeded"].message == f"12 items in 2 iterations. story: {left}"


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
