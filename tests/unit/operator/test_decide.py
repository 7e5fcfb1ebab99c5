"""What to do next for a run: named tables of what is known and what follows."""

from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.reasons import DepartmentPhase, Reason, RunPhase
from gather_contracts.resource import Condition, GatherRunStatus
from gather_contracts.result import StopReason
from gather_operator.actions import (
    CreateJob,
    DeleteJob,
    DeletePod,
    HoldFinalizer,
    ReleaseFinalizer,
    WriteDocument,
)
from gather_operator.decide import decide, needs_cms
from gather_operator.facts import CmsFailure, CmsReading, Numbers

SUCCEEDED = {"phase": "Succeeded", "reason": "ThresholdReached", "iterations": 3, "itemsCreated": 18}
RUNNING = {"phase": "Running", "iterationLimit": 10, "startTime": "2026-05-01T11:00:00.000Z"}


def conditions(status: GatherRunStatus) -> dict[str, Condition]:
    return {c.type: c for c in status.conditions}


def phases(status: GatherRunStatus) -> list[str]:
    return [str(d.phase) for d in status.departments]


def running(build: Any, *slugs: str, spec: dict[str, Any] | None = None, **first: Any) -> Any:
    """A run with its first department at work, or as `first` says."""
    job = (
        {} if "jobName" in first or first.get("phase") == "Pending" else {"jobName": build.job_name(slugs[0])}
    )
    departments = build.departments(*slugs, **{**RUNNING, **job, **first})
    return build.run(spec=spec, status={"phase": "Running", "departments": departments})


# --- acceptance


def test_a_new_run_gets_the_finalizer_before_anything_else(build: Any) -> None:
    """Else a deletion in the first second would leave pods behind."""
    decision = decide(build.view(build.run(finalizers=())))
    assert decision.actions == (HoldFinalizer(),)
    assert decision.status.phase is RunPhase.PENDING
    assert decision.status.conditions == []


def test_the_finalizers_of_others_do_not_count(build: Any) -> None:
    """Only ours makes a deletion wait for the pods."""
    assert decide(build.view(build.run(finalizers=("a.b/c",)))).actions == (HoldFinalizer(),)


@pytest.mark.parametrize(
    ("run", "has_document", "expected"),
    [
        pytest.param({}, False, True, id="a held run without document"),
        pytest.param({}, True, False, id="a run with its document"),
        pytest.param({"finalizers": ()}, False, False, id="a run that is not held yet"),
        pytest.param({"spec": {"cancel": True}}, False, False, id="a cancelled run"),
        pytest.param({"deleted": "2026-05-01T11:00:00Z"}, False, False, id="a deleted run"),
        pytest.param({"status": {"phase": "Failed"}}, False, False, id="an ended run"),
    ],
)
def test_the_cms_is_asked_only_when_its_answer_is_needed(
    build: Any, run: dict[str, Any], has_document: bool, expected: bool
) -> None:
    """Once at the start of a run."""
    assert needs_cms(build.run(**run), has_document=has_document) is expected


def test_an_answer_of_the_cms_becomes_the_run_document_and_the_departments(build: Any) -> None:
    """In the CMS's order, each with its threshold and model."""
    decision = decide(build.view(build.run(), cms=build.cms("story", "world")))
    (write,) = decision.actions
    assert isinstance(write, WriteDocument)
    assert [d.slug for d in write.document.departments] == ["story", "world"]
    assert write.document.departments[0].description == "About story"
    assert (decision.status.phase, decision.status.progress) == (RunPhase.RUNNING, "0/2")
    assert decision.status.start_time == "2026-05-01T12:00:00.000Z"
    accepted = conditions(decision.status)["Accepted"]
    assert (accepted.status, accepted.reason) == ("True", Reason.DEPARTMENTS_RESOLVED)


def test_a_cms_that_is_down_leaves_the_run_pending_with_the_reason(build: Any) -> None:
    """It is asked again; nothing else happens."""
    decision = decide(build.view(build.run(), cms=CmsFailure("The CMS answered HTTP 401.")))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.PENDING
    accepted = conditions(decision.status)["Accepted"]
    assert (accepted.status, accepted.reason) == ("False", Reason.CMS_UNAVAILABLE)
    assert accepted.message == "The CMS answered HTTP 401."


def test_between_two_questions_to_the_cms_the_status_stays(build: Any) -> None:
    """No answer is not a new failure."""
    waiting = decide(build.view(build.run(), cms=CmsFailure("away"))).status
    run = build.run().model_copy(update={"status": waiting})
    assert decide(build.view(run)).status == waiting


def test_unknown_and_malformed_departments_are_named(build: Any) -> None:
    """The run goes on with the rest."""
    run = build.run(spec={"departments": ["world", "wrold"]})
    reading = build.cms("story", "world", malformed=("Bad Slug (slug)",))
    status = decide(build.view(run, cms=reading)).status
    accepted = conditions(status)["Accepted"]
    assert accepted.reason == Reason.DEPARTMENTS_LEFT_OUT
    assert accepted.status == "True"
    assert "not named by the CMS: wrold" in accepted.message
    assert "malformed in the CMS: Bad Slug (slug)" in accepted.message
    assert [d.slug for d in status.departments] == ["world"]


@pytest.mark.parametrize("reading", [CmsReading(()), CmsReading((), ("x (slug)",))])
def test_a_run_without_departments_fails_and_says_so(build: Any, reading: CmsReading) -> None:
    """The spec cannot change, so waiting would be for ever."""
    decision = decide(build.view(build.run(spec={"departments": ["nope"]}), cms=reading))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.FAILED
    assert decision.status.completion_time
    for kind in ("Accepted", "Succeeded"):
        condition = conditions(decision.status)[kind]
        assert (condition.status, condition.reason) == ("False", Reason.NO_DEPARTMENTS)
        assert "nope" in condition.message


def test_killed_between_document_and_status_the_document_is_the_truth(build: Any) -> None:
    """The first Job starts, and what was left out is still said."""
    document = build.document("story", "world", left_out=["not named by the CMS: wrold"])
    decision = decide(build.view(build.run(), document=document))
    assert decision.actions == (CreateJob(0, 1, 49),)
    assert [d.slug for d in decision.status.departments] == ["story", "world"]
    assert "wrold" in conditions(decision.status)["Accepted"].message


def test_a_deleted_run_document_is_restored_from_the_status(build: Any) -> None:
    """Order, thresholds and models stay; descriptions come from the CMS."""
    run = running(build, "world", "story")
    decision = decide(build.view(run, cms=build.cms("story", "world", "new")))
    (write,) = decision.actions
    assert isinstance(write, WriteDocument)
    assert [(d.slug, d.description) for d in write.document.departments] == [
        ("world", "About world"),
        ("story", "About story"),
    ]
    assert decision.status == run.status


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
    "its Job was deleted by somebody: another one": (
        {},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "its Job is being deleted by somebody: wait until it is gone": (
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
    run = running(build, "story", "world")
    view = build.view(run, document=build.document("story", "world"), **facts_of(build, known))
    decision = decide(view)
    assert phases(decision.status) == expected_phases
    assert list(decision.actions) == expected_actions


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_deciding_twice_asks_for_the_same(build: Any, case: str) -> None:
    """Killed after the decision and before its first act: the next operator decides alike."""
    known, _, _ = DEPARTMENT_CASES[case]
    run = running(build, "story", "world")
    view = build.view(run, document=build.document("story", "world"), **facts_of(build, known))
    assert decide(view) == decide(view)


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_after_the_status_is_written_no_second_job_is_asked_for(build: Any, case: str) -> None:
    """The Job just made is not in the cache yet; the fresh view has it."""
    known, _, _ = DEPARTMENT_CASES[case]
    run = running(build, "story", "world")
    facts = facts_of(build, known)
    document = build.document("story", "world")
    first = decide(build.view(run, document=document, **facts))
    made = [a for a in first.actions if isinstance(a, CreateJob)]
    slugs = ["story", "world"]
    facts["jobs"] += [build.job(slugs[a.department_index], a.generation) for a in made]
    written = run.model_copy(update={"status": first.status})
    assert decide(build.view(written, document=document, **facts)).actions == ()


def test_a_pod_s_result_is_the_last_word_on_the_numbers(build: Any) -> None:
    """More was heard live than was saved: what the worker counted stands."""
    run = running(build, "story", itemsCreated=20, iterations=4)
    status = decide(
        build.view(
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
        pytest.param(Numbers(), (2, 12, 40), id="nothing heard: kept"),
        pytest.param(Numbers(3, 10, 55), (3, 12, 55), id="fewer items than known: items stay"),
    ],
)
def test_live_numbers_never_take_progress_back(build: Any, live: Numbers, expected: tuple[Any, ...]) -> None:
    """Iterations and items only grow; quality is the latest measure."""
    run = running(build, "story", iterations=2, itemsCreated=12, qualityScore=40)
    view = build.view(run, document=build.document("story"), jobs=[build.job("story")], live={"story": live})
    department = decide(view).status.departments[0]
    assert (department.iterations, department.items_created, department.quality_score) == expected


def test_a_failed_department_keeps_what_its_attempts_made_and_says_why(build: Any) -> None:
    """The last attempt's own reason goes before the Job's."""
    run = running(build, "story", "world")
    facts = facts_of(build, {"jobs": ["failed"], "pods": ["failed"]})
    department = decide(
        build.view(run, document=build.document("story", "world"), **facts)
    ).status.departments[0]
    assert (department.phase, department.reason) == (DepartmentPhase.FAILED, "ModelUnavailable")
    assert (department.iterations, department.items_created, department.attempt) == (2, 12, 2)


@pytest.mark.parametrize(
    ("pod", "job_reason", "expected"),
    [
        pytest.param({"reason": "OOMKilled"}, "BackoffLimitExceeded", "OOMKilled", id="the kubelet's word"),
        pytest.param({"reason": "DeadlineExceeded"}, "X", "DeadlineExceeded", id="out of time"),
        pytest.param({}, "BackoffLimitExceeded", "BackoffLimitExceeded", id="the Job's word"),
        pytest.param({}, "", "AttemptsUsedUp", id="nobody's word"),
    ],
)
def test_reasons_of_failed_departments(
    build: Any, pod: dict[str, Any], job_reason: str, expected: str
) -> None:
    """The word nearest to what happened."""
    view = build.view(
        running(build, "story"),
        document=build.document("story"),
        jobs=[build.job("story", is_failed=True, failure_reason=job_reason)],
        pods=(build.pod("story", phase="Failed", **pod),),
    )
    assert decide(view).status.departments[0].reason == expected


def test_the_current_department_says_what_its_pod_waits_for(build: Any) -> None:
    """A full node pool must be visible without looking at pods."""
    view = build.view(
        running(build, "story"),
        document=build.document("story"),
        jobs=[build.job("story")],
        pods=(build.pod("story", reason="Unschedulable"),),
    )
    status = decide(view).status
    assert status.departments[0].reason == "Unschedulable"
    assert "Unschedulable" in conditions(status)["Progressing"].message
    assert status.current_department == "story"


def test_on_failure_stop_skips_the_rest_and_the_run_fails(build: Any) -> None:
    """What was made is kept; automation_failed follows from the status."""
    run = running(build, "story", "world", "music", spec={"onDepartmentFailure": "Stop"})
    facts = facts_of(build, {"jobs": ["failed"], "pods": ["failed"]})
    decision = decide(build.view(run, document=build.document("story", "world", "music"), **facts))
    assert decision.actions == ()
    assert phases(decision.status) == ["Failed", "Skipped", "Skipped"]
    assert {d.reason for d in decision.status.departments[1:]} == {"EarlierDepartmentFailed"}
    assert decision.status.phase is RunPhase.FAILED
    assert decision.status.items_created == 12


def test_departments_for_which_no_iteration_is_left_are_skipped(build: Any) -> None:
    """The run still succeeds, and says which ones."""
    run = running(build, "story", "world", "music", spec={"maxIterations": 3})
    view = build.view(
        run,
        document=build.document("story", "world", "music"),
        jobs=[build.job("story")],
        pods=(build.done("story"),),
    )
    status = decide(view).status
    assert phases(status) == ["Succeeded", "Skipped", "Skipped"]
    assert {d.reason for d in status.departments[1:]} == {"IterationsExhausted"}
    assert (status.phase, status.progress) == (RunPhase.SUCCEEDED, "3/3")
    assert "world, music" in conditions(status)["Succeeded"].message


def test_a_run_ends_well_when_its_last_department_does(build: Any) -> None:
    """Conditions, times and totals."""
    departments = build.departments("story", "world", **SUCCEEDED)
    departments[1].update({**RUNNING, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    view = build.view(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("world")],
        pods=(build.done("world"),),
    )
    status = decide(view).status
    assert status.phase is RunPhase.SUCCEEDED
    assert (status.progress, status.current_department) == ("2/2", "")
    assert (status.iterations, status.items_created) == (6, 36)
    assert status.completion_time == "2026-05-01T12:00:00.000Z"
    succeeded = conditions(status)["Succeeded"]
    assert (succeeded.status, succeeded.reason) == ("True", Reason.ALL_DEPARTMENTS_DONE)
    assert conditions(status)["Progressing"].reason == Reason.FINISHED


def test_a_run_with_a_failed_department_fails_at_its_end(build: Any) -> None:
    """Continue goes on to the last one first."""
    departments = build.departments("story", "world", phase="Failed", reason="ModelUnavailable")
    departments[1].update({**RUNNING, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    view = build.view(run, document=build.document("story", "world"), pods=(build.done("world"),))
    status = decide(view).status
    assert status.phase is RunPhase.FAILED
    assert conditions(status)["Succeeded"].reason == Reason.DEPARTMENTS_FAILED
    assert "story" in conditions(status)["Succeeded"].message


def test_an_ended_department_stays_ended_whatever_its_job_does(build: Any) -> None:
    """Its Job may be deleted, collected or even run again by hand."""
    departments = build.departments("story", "world", **SUCCEEDED, jobName=build.job_name("story"))
    departments[1].update({**RUNNING, "jobName": build.job_name("world")})
    run = build.run(status={"phase": "Running", "departments": departments})
    view = build.view(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("world")],
        live={"story": Numbers(9, 99)},
    )
    decision = decide(view)
    assert decision.status.departments[0] == run.status.departments[0]
    assert decision.actions == ()


def test_an_ended_run_is_left_alone(build: Any) -> None:
    """Even if it is cancelled afterwards."""
    run = build.run(status={"phase": "Succeeded"}, spec={"cancel": True})
    decision = decide(build.view(run, jobs=[build.job("story")]))
    assert decision.actions == ()
    assert decision.status == run.status


def test_mean_quality_counts_only_departments_that_have_a_score(build: Any) -> None:
    """A department that has not begun does not pull it down."""
    run = running(build, "story", "world")
    view = build.view(
        run,
        document=build.document("story", "world"),
        jobs=[build.job("story")],
        live={"story": Numbers(1, 6, 50)},
    )
    assert decide(view).status.quality_score == 50


# --- cancelling


def stopping(build: Any, **spec: Any) -> Any:
    departments = build.departments("story", "world", **SUCCEEDED, jobName=build.job_name("story"))
    departments[1].update({**RUNNING, "jobName": build.job_name("world")})
    return build.run(spec={"cancel": True, **spec}, status={"phase": "Running", "departments": departments})


def test_cancelling_deletes_the_job_at_work_and_leaves_ended_ones(build: Any) -> None:
    """Their logs may be wanted."""
    jobs = [build.job("story", is_complete=True), build.job("world")]
    pods = (build.done("story"), build.pod("world", phase="Running"))
    decision = decide(build.view(stopping(build), jobs=jobs, pods=pods))
    assert decision.actions == (DeleteJob(build.job_name("world")),)
    assert decision.status.phase is RunPhase.CANCELLING
    assert phases(decision.status) == ["Succeeded", "Running"]


def test_a_pod_whose_job_is_gone_is_deleted_too(build: Any) -> None:
    """The garbage collector may be slow; thirty seconds are promised."""
    pods = (build.pod("world", phase="Running"),)
    decision = decide(build.view(stopping(build), pods=pods))
    assert decision.actions == (DeletePod(pods[0].name),)
    assert pods[0].name in conditions(decision.status)["Progressing"].message


def test_a_terminating_pod_is_waited_for(build: Any) -> None:
    """Its worker is saving."""
    pods = (build.pod("world", phase="Running", is_terminating=True),)
    decision = decide(build.view(stopping(build), pods=pods))
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
    decision = decide(build.view(stopping(build), pods=(last,), live={"world": Numbers(1, 6, 20)}))
    status = decision.status
    assert decision.actions == ()
    assert (status.phase, status.progress) == (RunPhase.CANCELLED, "1/2")
    assert phases(status) == ["Succeeded", "Cancelled"]
    assert (status.items_created, status.departments[1].items_created) == (29, 11)
    assert conditions(status)["Succeeded"].reason == Reason.CANCELLED


def test_without_a_result_the_numbers_come_from_the_last_events(build: Any) -> None:
    """A pod that was killed hard left no message."""
    status = decide(build.view(stopping(build), live={"world": Numbers(2, 9, 30)})).status
    assert status.departments[1].items_created == 9


def test_a_run_that_ended_while_it_was_cancelled_has_ended_well(build: Any) -> None:
    """The last department was done before its pod could be stopped."""
    pods = (build.done("world"),)
    decision = decide(build.view(stopping(build), jobs=[build.job("world", is_complete=True)], pods=pods))
    assert decision.status.phase is RunPhase.SUCCEEDED


def test_a_run_cancelled_before_it_began_is_cancelled_at_once(build: Any) -> None:
    """The CMS need not answer for that."""
    decision = decide(build.view(build.run(spec={"cancel": True})))
    assert (decision.actions, decision.status.phase) == ((), RunPhase.CANCELLED)


# --- deleting

DELETED = "2026-05-01T11:59:50Z"


def deleted(build: Any, at: str = DELETED, **status: Any) -> Any:
    departments = build.departments("story", **RUNNING, jobName=build.job_name("story"))
    return build.run(deleted=at, status={"phase": "Running", "departments": departments, **status})


def test_deleting_a_run_deletes_all_its_jobs_ended_or_not(build: Any) -> None:
    """Nothing of it stays but its items."""
    jobs = [build.job("story"), build.job("story", 2, is_failed=True)]
    decision = decide(build.view(deleted(build), jobs=jobs))
    assert set(decision.actions) == {DeleteJob(j.name) for j in jobs}
    assert decision.status.phase is RunPhase.CANCELLING


def test_a_deleted_run_is_not_let_go_before_its_status_says_cancelled(build: Any) -> None:
    """automation_cancelled is sent from what stands there."""
    decision = decide(build.view(deleted(build)))
    assert (decision.actions, decision.status.phase) == ((), RunPhase.CANCELLED)


@pytest.mark.parametrize(("settled", "expected"), [(True, (ReleaseFinalizer(),)), (False, ())])
def test_a_deleted_run_is_let_go_once_it_is_announced(
    build: Any, settled: bool, expected: tuple[Any, ...]
) -> None:
    """Or once waiting for the event log has taken long enough, which is the announcer's to say."""
    run = build.run(deleted=DELETED, status={"phase": "Cancelled"})
    assert decide(build.view(run, is_settled=settled)).actions == expected


def test_deleting_an_ended_run_lets_it_go_at_once(build: Any) -> None:
    """Its Jobs go with it, by their owner references."""
    run = build.run(deleted=DELETED, status={"phase": "Succeeded"})
    assert decide(build.view(run, jobs=[build.job("story", is_complete=True)])).actions == (
        ReleaseFinalizer(),
    )


def test_a_deleted_run_that_we_do_not_hold_is_left_alone(build: Any) -> None:
    """Somebody else's finalizer keeps it."""
    run = build.run(deleted=DELETED, finalizers=("a.b/c",))
    assert decide(build.view(run)).actions == ()


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-05-01T11:56:00Z", RunPhase.CANCELLING), ("2026-05-01T11:54:00Z", RunPhase.CANCELLED)],
)
def test_a_pod_on_a_dead_node_holds_a_deletion_up_only_so_long(
    build: Any, at: str, expected: RunPhase
) -> None:
    """Five minutes; its later writes are fenced off anyway."""
    pods = (build.pod("story", phase="Running", is_terminating=True),)
    assert decide(build.view(deleted(build, at), pods=pods)).status.phase is expected


def test_a_run_deleted_before_it_was_accepted_goes_without_asking_the_cms(build: Any) -> None:
    """Its status has no departments yet."""
    decision = decide(build.view(build.run(deleted=DELETED)))
    assert decision.status.phase is RunPhase.CANCELLED


def test_names_in_actions_carry_the_run_s_identity(build: Any) -> None:
    """A recreated run of the same name meets none of the old Jobs."""
    other = names.job_name("film", "another-uid", "story", 1)
    assert other != build.job_name("story")
    view = build.view(
        build.run(),
        document=build.document("story"),
        jobs=[build.job("story").__class__(other, "another-uid", 0)],
    )
    assert decide(view).actions == (CreateJob(0, 1, 50),)
