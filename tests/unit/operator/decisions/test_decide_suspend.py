"""What to do for a run that its user holds, and when it is let go on."""

from dataclasses import replace
from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.resource import GatherRunStatus
from gather_operator.decisions.actions import CreateJob, DeleteJob, ResumeJob, SuspendJob
from gather_operator.decisions.assessment import needs_fresh_facts
from gather_operator.decisions.decide import decide, needs_cms
from gather_operator.decisions.facts import RunSnapshot
from gather_operator.decisions.status.kube_events import events_between
from gather_operator.decisions.status.run_status import refused

SUSPENDED = {"suspend": True}


def at_work(build: Any, *, suspend: bool = True, **job: Any) -> RunSnapshot:
    """Two departments, the first with a Job that has a pod, unless it is suspended."""
    run = build.running("story", "world", spec={"suspend": suspend})
    pods = () if job.get("is_suspended") else (build.pod("story", phase="Running"),)
    snapshot: RunSnapshot = build.snapshot(
        run, document=build.document("story", "world"), jobs=[build.job("story", **job)], pods=pods
    )
    return snapshot


JOBS: dict[str, tuple[dict[str, bool], list[Any]]] = {
    "at work: suspended": ({}, [SuspendJob]),
    "suspended by us: nothing": ({"is_suspended": True, "is_suspended_by_us": True}, []),
    "suspended by somebody else: nothing": ({"is_suspended": True}, []),
    "suspended by us and resumed by somebody else: deleted": ({"is_suspended_by_us": True}, [DeleteJob]),
    "at work in a queue, which would resume it: deleted": ({"is_queued": True}, [DeleteJob]),
    "waiting in a queue: deleted": ({"is_queued": True, "is_suspended": True}, [DeleteJob]),
    "being deleted: nothing": ({"is_terminating": True}, []),
    "ended: nothing": ({"is_failed": True}, []),
}


@pytest.mark.parametrize("case", JOBS)
def test_what_happens_to_the_job_of_a_suspended_run(build: Any, case: str) -> None:
    """No other Job is made."""
    job, actions = JOBS[case]
    decision = decide(at_work(build, **job))
    assert list(decision.actions) == [kind(build.job_name("story")) for kind in actions]
    assert decision.status.phase == "Suspended"


def test_the_status_says_who_holds_the_run_and_what_still_saves(build: Any) -> None:
    """First the pods that are ending, then how to go on."""
    snapshot = at_work(build)
    status = decide(snapshot).status
    condition = build.conditions(status)["Progressing"]
    assert (condition.status, condition.reason) == ("False", "Suspended")
    pod = snapshot.pods[0].name
    assert condition.message == f"spec.suspend is true; waiting for {pod} to save and end."
    assert (status.reason, status.departments[0].phase, status.departments[0].reason) == (
        "Suspended",
        "Running",
        "Suspended",
    )
    held = decide(at_work(build, is_suspended=True, is_suspended_by_us=True)).status
    assert build.conditions(held)["Progressing"].message == "spec.suspend is true; set it to false to go on."


def test_where_kubernetes_refuses_it_the_run_is_not_called_suspended(build: Any) -> None:
    """A right that is missing: the pod works on, and the status says why."""
    snapshot = at_work(build)
    decision = decide(snapshot)
    assert decision.observed is not None
    status = refused(snapshot, decision.observed, "patch job: forbidden")
    assert (status.phase, status.reason) == ("Running", "JobRefused")


@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_job_whose_pod_succeeded_while_it_was_suspended_is_ended(
    build: Any, suspend: bool, is_ours: bool
) -> None:
    """Kubernetes has not counted that pod: resumed, by us or by a queue, the Job would make another."""
    held = at_work(build, suspend=suspend, is_suspended=True, is_suspended_by_us=is_ours)
    decision = decide(replace(held, pods=(build.done("story"),)))
    after = () if suspend else (CreateJob(1, 1, 47),)
    assert decision.actions == (DeleteJob(build.job_name("story")), *after)


def test_between_two_departments_nothing_is_started(build: Any) -> None:
    """What has ended counts."""
    snapshot = replace(at_work(build), pods=(build.done("story"),))
    decision = decide(snapshot)
    assert decision.actions == ()
    assert (decision.status.phase, decision.status.progress) == ("Suspended", "1/2")
    assert build.phases(decision.status) == ["Succeeded", "Pending"]


def test_a_run_whose_last_department_has_ended_has_ended(build: Any) -> None:
    """There is nothing left to hold."""
    run = build.running("story", spec=SUSPENDED)
    snapshot = build.snapshot(
        run, document=build.document("story"), jobs=[build.job("story")], pods=(build.done("story"),)
    )
    assert decide(snapshot).status.phase == "Succeeded"


def test_nothing_is_skipped_while_a_run_is_held(build: Any) -> None:
    """It may be cancelled instead."""
    spec = {**SUSPENDED, "onDepartmentFailure": "Stop"}
    run = build.running("story", "world", spec=spec)
    jobs = [build.job("story", is_failed=True)]
    snapshot = build.snapshot(run, document=build.document("story", "world"), jobs=jobs)
    assert build.phases(decide(snapshot).status) == ["Failed", "Pending"]


def test_before_its_first_job_it_asks_for_no_departments(build: Any) -> None:
    """The CMS counts as it is when the run goes on."""
    run = build.run(spec=SUSPENDED)
    assert not needs_cms(run, has_document=False)
    decision = decide(build.snapshot(run))
    assert (decision.status.phase, decision.actions) == ("Suspended", ())
    assert decision.status.departments == []


def test_suspended_right_after_its_acceptance_it_says_what_was_accepted(build: Any) -> None:
    """The document was written, its status was not."""
    run = build.run(spec=SUSPENDED, status={"phase": "Pending"})
    status = decide(build.snapshot(run, document=build.document("story", "world"))).status
    assert build.conditions(status)["Accepted"].reason == "DepartmentsResolved"
    assert build.phases(status) == ["Pending", "Pending"]


def resumed(build: Any, status: GatherRunStatus, **fields: Any) -> RunSnapshot:
    """The run of that status, with `spec.suspend` false again."""
    run = build.run().model_copy(update={"status": status})
    snapshot: RunSnapshot = build.snapshot(run, **fields)
    return snapshot


def test_resumed_it_goes_on_with_the_same_job(build: Any) -> None:
    """From its checkpoint."""
    job = build.job("story", is_suspended=True, is_suspended_by_us=True)
    held = decide(at_work(build, is_suspended=True, is_suspended_by_us=True)).status
    document = build.document("story", "world")
    decision = decide(resumed(build, held, document=document, jobs=[job]))
    assert decision.actions == (ResumeJob(job.name),)
    assert decision.status.phase == "Running"
    condition = build.conditions(decision.status)["Progressing"]
    assert (condition.status, condition.reason) == ("True", "DepartmentRunning")
    assert [e.reason for e in events_between(held, decision.status)] == ["Resumed"]


def test_a_job_that_somebody_else_suspended_is_not_resumed(build: Any) -> None:
    """A queue, or a person, takes it back."""
    for suspend in (True, False):
        assert decide(at_work(build, suspend=suspend, is_suspended=True)).actions == ()


def test_resumed_without_its_job_it_gets_another(build: Any) -> None:
    """One that a queue held was deleted."""
    held = decide(at_work(build, is_queued=True)).status
    decision = decide(resumed(build, held, document=build.document("story", "world")))
    assert decision.actions == (CreateJob(0, 2, 10),)


def test_resumed_before_its_first_job_it_asks_for_departments(build: Any) -> None:
    """As a new run does."""
    held = decide(build.snapshot(build.run(spec=SUSPENDED))).status
    snapshot = resumed(build, held)
    assert needs_cms(snapshot.run, has_document=False)
    status = decide(snapshot).status
    assert (status.phase, status.conditions) == ("Pending", [])


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_a_held_run_can_be_stopped(build: Any, how: str) -> None:
    """Its Job goes, whoever has suspended it."""
    job = build.job("story", is_suspended=True, is_suspended_by_us=True)
    spec = {**SUSPENDED, "cancel": how == "cancelled"}
    body = {"spec": spec, "deleted": "2026-05-01T12:00:00Z" if how == "deleted" else None}
    run = build.run(**body, status={"phase": "Suspended", "departments": build.departments("story")})
    decision = decide(build.snapshot(run, document=build.document("story"), jobs=[job]))
    assert decision.actions == (DeleteJob(job.name),)
    assert decide(build.snapshot(run)).status.phase == "Cancelled"


def test_before_a_job_is_suspended_or_resumed_the_api_is_asked(build: Any) -> None:
    """A cache that is behind would have it done once more for each pass."""
    assert needs_fresh_facts(at_work(build))
    held = {"is_suspended": True, "is_suspended_by_us": True}
    assert needs_fresh_facts(at_work(build, suspend=False, **held))
    assert not needs_fresh_facts(at_work(build, **held))


def test_a_held_run_without_its_job_costs_no_lists(build: Any) -> None:
    """It may be held for weeks."""
    assert not needs_fresh_facts(replace(at_work(build), jobs={}, pods=()))
    assert needs_fresh_facts(replace(at_work(build, suspend=False), jobs={}, pods=()))


def test_suspension_and_mark_are_named_by_contracts() -> None:
    """Another operator's version has to find its mark."""
    assert names.ANNOTATION_SUSPENDED == "gather.ft.tc/suspended"
