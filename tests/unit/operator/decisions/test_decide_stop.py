"""A run's early end: cancelled or deleted, and nothing is let go before its end is published."""

from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.reasons import Reason, RunPhase
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import (
    CreateJob,
    DeleteJob,
    DeletePod,
    ReleaseFinalizer,
)
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import Numbers

# --- cancelling


def stopping(build: Any, **spec: Any) -> Any:
    departments = build.departments("story", "world", **build.succeeded, jobName=build.job_name("story"))
    departments[1].update({**build.at_work, "jobName": build.job_name("world")})
    return build.run(spec={"cancel": True, **spec}, status={"phase": "Running", "departments": departments})


def test_cancelling_deletes_the_job_at_work_and_leaves_ended_ones(build: Any) -> None:
    """Their logs may be wanted."""
    jobs = [build.job("story", is_complete=True), build.job("world")]
    pods = (build.done("story"), build.pod("world", phase="Running"))
    decision = decide(build.snapshot(stopping(build), jobs=jobs, pods=pods))
    assert decision.actions == (DeleteJob(build.job_name("world")),)
    assert decision.status.phase is RunPhase.CANCELLING
    assert build.phases(decision.status) == ["Succeeded", "Running"]


def test_a_pod_whose_job_is_gone_is_deleted_too(build: Any) -> None:
    """The garbage collector may be slow; thirty seconds are promised."""
    pods = (build.pod("world", phase="Running"),)
    decision = decide(build.snapshot(stopping(build), pods=pods))
    assert decision.actions == (DeletePod(pods[0].name),)
    assert pods[0].name in build.conditions(decision.status)["Progressing"].message


def test_a_terminating_pod_is_waited_for(build: Any) -> None:
    """Its worker is saving."""
    pods = (build.pod("world", phase="Running", is_terminating=True),)
    decision = decide(build.snapshot(stopping(build), pods=pods))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.CANCELLING


def test_once_the_pods_are_gone_the_run_is_cancelled_with_what_was_made(build: Any) -> None:
    """The stopped pod's result is remembered although it is gone."""
    last = build.pod(
        "world",
        phase="Failed",
        is_gone=True,
        result=build.result(2, 11, reason=StopReason.TERMINATED, quality_score=30),
    )
    decision = decide(build.snapshot(stopping(build), pods=(last,), live={"world": Numbers(1, 6, 20)}))
    status = decision.status
    assert decision.actions == ()
    assert (status.phase, status.progress) == (RunPhase.CANCELLED, "1/2")
    assert build.phases(status) == ["Succeeded", "Cancelled"]
    assert (status.items_created, status.departments[1].items_created) == (29, 11)
    assert build.conditions(status)["Succeeded"].reason == Reason.CANCELLED


def test_without_a_result_the_numbers_come_from_the_last_events(build: Any) -> None:
    """A pod that was killed hard left no message."""
    status = decide(build.snapshot(stopping(build), live={"world": Numbers(2, 9, 30)})).status
    assert status.departments[1].items_created == 9


def test_a_run_that_ended_while_it_was_cancelled_has_ended_well(build: Any) -> None:
    """The last department was done before its pod could be stopped."""
    pods = (build.done("world"),)
    decision = decide(build.snapshot(stopping(build), jobs=[build.job("world", is_complete=True)], pods=pods))
    assert decision.status.phase is RunPhase.SUCCEEDED


def test_a_run_cancelled_before_it_began_is_cancelled_at_once(build: Any) -> None:
    """The CMS need not answer for that."""
    decision = decide(build.snapshot(build.run(spec={"cancel": True})))
    assert (decision.actions, decision.status.phase) == ((), RunPhase.CANCELLED)


# --- deleting

DELETED = "2026-05-01T11:59:50Z"


def deleted(build: Any, at: str = DELETED, **status: Any) -> Any:
    departments = build.departments("story", **build.at_work, jobName=build.job_name("story"))
    return build.run(deleted=at, status={"phase": "Running", "departments": departments, **status})


def test_deleting_a_run_deletes_all_its_jobs_ended_or_not(build: Any) -> None:
    """Nothing of it stays but its items."""
    jobs = [build.job("story"), build.job("story", 2, is_failed=True)]
    decision = decide(build.snapshot(deleted(build), jobs=jobs))
    assert set(decision.actions) == {DeleteJob(j.name) for j in jobs}
    assert decision.status.phase is RunPhase.CANCELLING


def test_a_deleted_run_is_not_let_go_before_its_status_says_cancelled(build: Any) -> None:
    """automation_cancelled is built from the written status."""
    decision = decide(build.snapshot(deleted(build)))
    assert (decision.actions, decision.status.phase) == ((), RunPhase.CANCELLED)


@pytest.mark.parametrize(("has_published_all", "expected"), [(True, (ReleaseFinalizer(),)), (False, ())])
def test_a_deleted_run_is_let_go_once_its_events_are_published(
    build: Any, has_published_all: bool, expected: tuple[Any, ...]
) -> None:
    """Or once waiting for the event log has taken long enough, which is the publisher's to say."""
    run = build.run(deleted=DELETED, status={"phase": "Cancelled"})
    assert decide(build.snapshot(run, has_published_all=has_published_all)).actions == expected


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_a_run_that_has_ended_keeps_no_finalizer(build: Any, phase: str) -> None:
    """Else a namespace with one could not be deleted once the operator is gone."""
    run = build.run(status={"phase": phase})
    assert decide(build.snapshot(run)).actions == (ReleaseFinalizer(),)
    assert decide(build.snapshot(run, has_published_all=False)).actions == ()
    released = build.run(status={"phase": phase}, finalizers=("a.b/c",))
    assert decide(build.snapshot(released)).actions == ()


def test_deleting_an_ended_run_lets_it_go_at_once(build: Any) -> None:
    """Its Jobs go with it, by their owner references."""
    run = build.run(deleted=DELETED, status={"phase": "Succeeded"})
    assert decide(build.snapshot(run, jobs=[build.job("story", is_complete=True)])).actions == (
        ReleaseFinalizer(),
    )


def test_a_deleted_run_without_our_finalizer_is_not_touched(build: Any) -> None:
    """Somebody else's finalizer keeps it."""
    run = build.run(deleted=DELETED, finalizers=("a.b/c",))
    assert decide(build.snapshot(run)).actions == ()


@pytest.mark.parametrize(("stopping_s", "expected"), [(299, RunPhase.CANCELLING), (301, RunPhase.CANCELLED)])
@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_a_pod_on_a_dead_node_holds_a_stop_up_only_so_long(
    build: Any, how: str, stopping_s: float, expected: RunPhase
) -> None:
    """Five minutes of trying; the condition names the pod that was given up."""
    pods = (build.pod("story", phase="Running", is_terminating=True),)
    run = deleted(build) if how == "deleted" else build.running("story", spec={"cancel": True})
    status = decide(build.snapshot(run, pods=pods, stopping_s=stopping_s)).status
    assert status.phase is expected
    if expected is RunPhase.CANCELLED:
        assert pods[0].name in build.conditions(status)["Progressing"].message


@pytest.mark.parametrize("stopping_s", [0, 301])
def test_time_without_an_operator_closes_no_run(build: Any, stopping_s: float) -> None:
    """It was deleted an hour ago; the Job still works and must be deleted, whatever the clock says."""
    run = deleted(build, "2026-05-01T10:00:00Z")
    snapshot = build.snapshot(
        run, jobs=[build.job("story")], pods=(build.pod("story", phase="Running"),), stopping_s=stopping_s
    )
    decision = decide(snapshot)
    assert decision.actions == (DeleteJob(build.job_name("story")),)
    assert (decision.status.phase is RunPhase.CANCELLING) is (stopping_s == 0)


def test_a_run_deleted_before_it_was_accepted_goes_without_asking_the_cms(build: Any) -> None:
    """Its status has no departments yet."""
    decision = decide(build.snapshot(build.run(deleted=DELETED)))
    assert decision.status.phase is RunPhase.CANCELLED


def test_names_in_actions_carry_the_run_s_identity(build: Any) -> None:
    """A recreated run of the same name meets none of the old Jobs."""
    other = names.job_name("film", "another-uid", "story", 1)
    assert other != build.job_name("story")
    snapshot = build.snapshot(
        build.run(),
        document=build.document("story"),
        jobs=[build.job("story").__class__(other, "another-uid", 0)],
    )
    assert decide(snapshot).actions == (CreateJob(0, 1, 50),)


# --- pods that only a sidecar keeps running


def test_a_department_that_is_done_loses_its_job_where_a_sidecar_runs_on_and_the_next_starts(
    build: Any,
) -> None:
    """Its Job would never be complete, and at its deadline start the department once more."""
    run = build.running("story", "world")
    pods = (build.pod("story", phase="Running", exit_code=0, is_lingering=True, result=build.result()),)
    decision = decide(
        build.snapshot(run, document=build.document("story", "world"), jobs=[build.job("story")], pods=pods)
    )
    assert decision.actions == (DeleteJob(build.job_name("story")), CreateJob(1, 1, 47))
    assert build.phases(decision.status) == ["Succeeded", "Running"]


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param({"phase": "Running", "is_terminating": True}, id="somebody deletes the pod"),
        pytest.param({"phase": "Running", "is_gone": True}, id="somebody has deleted the pod"),
        pytest.param({"phase": "Failed", "is_lingering": False}, id="the sidecar broke down"),
    ],
)
def test_a_department_that_is_done_gets_no_other_pod(build: Any, pod: dict[str, Any]) -> None:
    """To its Job the pod has failed, and another one would work beside the next department."""
    run = build.running("story", "world")
    facts = {"exit_code": 0, "is_lingering": True, "result": build.result(), **pod}
    snapshot = build.snapshot(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("story")],
        pods=(build.pod("story", **facts),),
    )
    assert decide(snapshot).actions == (DeleteJob(build.job_name("story")), CreateJob(1, 1, 47))


def test_a_department_has_ended_once_its_job_s_next_pod_has(build: Any) -> None:
    """The sidecar made the first pod fail, and the operator was away: the next department waits."""
    run = build.running("story", "world")
    broken = build.pod("story", phase="Failed", exit_code=0, result=build.result())
    other = build.pod("story", attempt=2, phase="Running")
    snapshot = build.snapshot(
        run, document=build.document("story", "world"), jobs=[build.job("story")], pods=(broken, other)
    )
    decision = decide(snapshot)
    assert decision.actions == (DeleteJob(build.job_name("story")),)
    assert build.phases(decision.status) == ["Running", "Pending"]


def test_the_last_department_s_sidecar_is_ended_before_the_run_is(build: Any) -> None:
    """Nobody looks at an ended run's pods again."""
    run = build.running("story")
    pods = (build.pod("story", phase="Running", exit_code=0, is_lingering=True, result=build.result()),)
    decision = decide(
        build.snapshot(run, document=build.document("story"), jobs=[build.job("story")], pods=pods)
    )
    assert decision.actions == (DeleteJob(build.job_name("story")),)
    assert decision.status.phase is RunPhase.SUCCEEDED
    assert decision.observed == run.status, "a run whose sidecar could not be ended has not ended"


def test_a_worker_that_failed_beside_a_sidecar_loses_its_pod_and_keeps_its_job(build: Any) -> None:
    """So that the Job sees the end, and makes the next attempt."""
    run = build.running("story")
    failed = build.result(reason=StopReason.MODEL_UNAVAILABLE)
    pods = (build.pod("story", phase="Running", exit_code=75, is_lingering=True, result=failed),)
    decision = decide(
        build.snapshot(run, document=build.document("story"), jobs=[build.job("story")], pods=pods)
    )
    assert decision.actions == (DeletePod(pods[0].name),)
    assert build.phases(decision.status) == ["Running"]


@pytest.mark.parametrize(
    ("job", "pod"),
    [
        pytest.param({"is_terminating": True}, {"exit_code": 0}, id="its Job is going"),
        pytest.param({}, {"exit_code": 75, "is_terminating": True}, id="the pod is going"),
        pytest.param({}, {"exit_code": 75, "is_gone": True}, id="the pod is gone"),
        pytest.param({}, {"exit_code": 0, "is_lingering": False}, id="the kubelet ends its sidecars"),
    ],
)
def test_nothing_is_ended_twice_or_by_two(build: Any, job: dict[str, Any], pod: dict[str, Any]) -> None:
    """A sidecar among the init containers is the kubelet's."""
    run = build.running("story")
    facts = {"phase": "Running", "is_lingering": True, "result": build.result(), **pod}
    pods = (build.pod("story", **facts),)
    jobs = [build.job("story", **job)]
    decision = decide(build.snapshot(run, document=build.document("story"), jobs=jobs, pods=pods))
    assert decision.actions == ()
