"""What the decisions make of waits: the status, its condition and Events, and an end for what has none."""

from dataclasses import replace
from typing import Any

import pytest

from gather_contracts.reasons import DepartmentPhase, RunPhase, WaitReason
from gather_contracts.resource import MESSAGE_MAX, GatherRun, GatherRunStatus
from gather_operator.decisions.actions import CreateJob, Decision, DeleteJob
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import ConditionFacts, JobFacts, ObjectEvent, PodFacts, RunSnapshot
from gather_operator.decisions.status.kube_events import events_between

QUOTA = "exceeded quota: compute-resources, requested: pods=1, used: pods=4, limited: pods=4"
NO_IMAGE = "example.test/worker:none: not found"


def refused_job(build: Any, slug: str = "story", message: str = QUOTA) -> tuple[JobFacts, ObjectEvent]:
    """A Job whose pod is refused, and the Event that says so."""
    job = build.job(slug, created="2026-05-01T11:58:00Z")
    error = f'Error creating: pods "{job.name}-x" is forbidden: {message}'
    return job, ObjectEvent(job.name, "FailedCreate", error, "2026-05-01T11:59:00Z")


def without_image(build: Any, slug: str = "story", **fields: Any) -> PodFacts:
    """A pod whose image does not exist."""
    since = "2026-05-01T11:50:00Z"
    facts = {"reason": "ImagePullBackOff", "message": NO_IMAGE, "node": "n", "waiting_since": since}
    return build.pod(slug, **{**facts, **fields})  # type: ignore[no-any-return]


def at_work(build: Any, *slugs: str, **fields: Any) -> RunSnapshot:
    """A run whose first department is at work."""
    return build.snapshot(build.running(*slugs), document=build.document(*slugs), **fields)  # type: ignore[no-any-return]


def later(snapshot: RunSnapshot, status: GatherRunStatus, **facts: Any) -> RunSnapshot:
    """The same run with that status written."""
    run: GatherRun = snapshot.run.model_copy(update={"status": status})
    return replace(snapshot, run=run, **facts)


def test_a_quota_s_words_stand_in_the_status(build: Any) -> None:
    """In the department, in the condition, in REASON and in an Event; the phases stay."""
    job, event = refused_job(build)
    before = at_work(build, "story", jobs=[job])
    status = decide(replace(before, events=(event,))).status
    department, progressing = status.departments[0], build.conditions(status)["Progressing"]
    assert (department.phase, status.phase, status.reason) == ("Running", "Running", "FailedCreate")
    assert (department.reason, department.message) == ("FailedCreate", f"the pod is forbidden: {QUOTA}")
    assert (progressing.status, progressing.reason) == ("False", "FailedCreate")
    assert progressing.message == f"Department story waits: the pod is forbidden: {QUOTA}"
    (posted,) = events_between(before.run.status, status)
    assert (posted.reason, posted.kind) == ("FailedCreate", "Warning")
    assert posted.message == f"story: the pod is forbidden: {QUOTA}"


def test_an_event_comes_once_for_each_change_of_the_reason(build: Any) -> None:
    """Not with each new word of the scheduler, and not when the wait ends."""
    job = build.job("story")
    waiting = build.pod("story", reason="Unschedulable", message="0/1 nodes are available")
    snapshot = at_work(build, "story", jobs=[job], pods=(waiting,))
    first = decide(snapshot).status
    more = replace(waiting, message="0/2 nodes are available")
    second = decide(later(snapshot, first, pods=(more,))).status
    assert second.departments[0].message == "0/2 nodes are available"
    assert events_between(first, second) == []
    begun = replace(waiting, phase="Running", reason="", message="", started="2026-05-01T11:59:59Z")
    third = decide(later(snapshot, second, pods=(begun,))).status
    assert (third.departments[0].reason, third.departments[0].message) == ("", "")
    assert (third.reason, build.conditions(third)["Progressing"].status) == ("DepartmentRunning", "True")
    assert events_between(second, third) == []


def test_the_next_attempt_says_how_the_last_one_ended(build: Any) -> None:
    """Its Event came with the wait before it."""
    ended = build.pod(
        "story", phase="Failed", reason="OOMKilled", message="the memory limit is 512Mi",
        ended="2026-05-01T11:59:55Z",
    )  # fmt: skip
    snapshot = at_work(build, "story", jobs=[build.job("story", failed_pods=1)], pods=(ended,))
    backing_off = decide(snapshot).status
    assert backing_off.reason == WaitReason.BACKING_OFF
    assert "OOMKilled: the memory limit is 512Mi" in backing_off.departments[0].message
    (posted,) = events_between(snapshot.run.status, backing_off)
    assert "12:00:05 UTC" in posted.message
    running = build.pod("story", attempt=2, phase="Running", started="2026-05-01T12:00:05Z")
    status = decide(later(snapshot, backing_off, pods=(ended, running))).status
    assert status.reason == "OOMKilled"
    said = build.conditions(status)["Progressing"]
    assert (said.status, said.reason) == ("True", "DepartmentRunning")
    assert "512Mi" in said.message
    assert events_between(backing_off, status) == []


def test_a_failed_department_keeps_the_words(build: Any) -> None:
    """Who reads the run later finds why, when pods and their Events are gone."""
    job = build.job("story", is_failed=True, failure_reason="BackoffLimitExceeded", failed_pods=4)
    ended = build.pod("story", phase="Failed", reason="OOMKilled", message="the memory limit is 512Mi")
    before = at_work(build, "story", jobs=[job], pods=(ended,))
    status = decide(before).status
    assert status.departments[0].message == "the memory limit is 512Mi"
    assert "story (OOMKilled)" in build.conditions(status)["Succeeded"].message
    assert "512Mi" in build.conditions(status)["Succeeded"].message
    assert "512Mi" in events_between(before.run.status, status)[0].message
    condition = ConditionFacts(
        "Failed", "True", "PodFailurePolicy", "container worker failed with exit code 64"
    )
    job = replace(job, failure_reason="PodFailurePolicy", conditions=(condition,))
    status = decide(at_work(build, "story", jobs=[job])).status
    assert (status.reason, status.departments[0].message) == ("PodFailurePolicy", condition.message)


@pytest.mark.parametrize("is_other_waiting", [False, True])
def test_the_first_that_waits_is_shown_where_several_are_at_work(build: Any, is_other_waiting: bool) -> None:
    """The run goes on as long as one of them does."""
    slugs = ("story", "world", "music")
    run = build.running(*slugs)
    departments = [
        d.model_copy(update={"phase": DepartmentPhase.RUNNING, "job_name": build.job_name(d.slug)})
        for d in run.status.departments
    ]
    run = run.model_copy(update={"status": run.status.model_copy(update={"departments": departments})})
    job, event = refused_job(build, "world")
    others = [build.job("story"), build.job("music")]
    pods = tuple(build.pod(s, phase="Running", started="2026-05-01T11:59:00Z") for s in ("story", "music"))
    if is_other_waiting:
        pods = tuple(without_image(build, s) for s in ("story", "music"))
    snapshot = build.snapshot(
        run, document=build.document(*slugs), jobs=[job, *others], pods=pods, events=(event,)
    )
    status = decide(snapshot).status
    said = build.conditions(status)["Progressing"]
    expected = (
        ("story", "ImagePullBackOff", "False") if is_other_waiting else ("world", "FailedCreate", "True")
    )
    assert said.message.startswith(f"Department {expected[0]} waits: ")
    assert (said.reason, said.status, status.reason) == (expected[1], expected[2], expected[1])


def test_long_words_fit(build: Any) -> None:
    """256 characters, the end kept."""
    pod = without_image(build, message=f"failed to pull {'x' * 900}: not found")
    status = decide(at_work(build, "story", jobs=[build.job("story")], pods=(pod,))).status
    for message in (status.departments[0].message, build.conditions(status)["Progressing"].message):
        assert len(message) == MESSAGE_MAX
        assert message.endswith(": not found")


def test_a_new_job_begins_without_words(build: Any) -> None:
    """Those of the one before it are over."""
    run = build.running("story", reason="OOMKilled", message="the last attempt ended with OOMKilled")
    status = decide(build.snapshot(run, document=build.document("story"))).status
    assert (status.departments[0].phase, status.departments[0].message) == ("Running", "")


# --- what never comes right by itself


def overdue(build: Any, *slugs: str) -> RunSnapshot:
    """A run whose first department has waited too long for its image."""
    job = build.job(slugs[0])
    pods = (without_image(build, slugs[0]),)
    return at_work(build, *slugs, jobs=[job], pods=pods, overdue=frozenset({job.name}))


def test_a_department_fails_that_waits_for_ever(build: Any) -> None:
    """The status says so first, since the Job that it was read from goes; then the next department starts."""
    snapshot = overdue(build, "story", "world")
    said = decide(snapshot)
    assert said.actions == ()
    story, world = said.status.departments
    assert (story.phase, story.reason, story.message) == ("Failed", "ImagePullBackOff", NO_IMAGE)
    assert (world.phase, said.status.phase) == ("Pending", "Running")
    (posted,) = events_between(snapshot.run.status, said.status)
    assert (posted.reason, NO_IMAGE in posted.message) == ("DepartmentFailed", True)
    done = decide(later(snapshot, said.status))
    assert done.actions == (
        DeleteJob(build.job_name("story")),
        CreateJob(1, 1, done.status.departments[1].iteration_limit),
    )
    assert done.status.departments[0] == story


def test_a_run_ends_only_when_the_job_is_stopped(build: Any) -> None:
    """Nobody looks at the Jobs of a run that has ended."""
    snapshot = overdue(build, "story")
    said = decide(snapshot)
    assert (said.status.phase, said.status.departments[0].phase) == ("Running", "Failed")
    done = decide(later(snapshot, said.status))
    assert done.actions == (DeleteJob(build.job_name("story")),)
    assert (done.status.phase, done.status.reason) == ("Failed", "ImagePullBackOff")
    assert done.observed is not None
    assert done.observed.phase is RunPhase.RUNNING
    gone = decide(later(snapshot, said.status, jobs={}, pods=()))
    assert gone == Decision(done.status)


def test_a_job_that_goes_on_is_not_given_up(build: Any) -> None:
    """The image came in the last second; or the run is being cancelled, which says more."""
    snapshot = overdue(build, "story")
    begun = build.pod("story", phase="Running", started="2026-05-01T11:59:59Z")
    assert decide(replace(snapshot, pods=(begun,))).status.departments[0].phase == "Running"
    quota, event = refused_job(build)
    full = at_work(build, "story", jobs=[quota], events=(event,), overdue=frozenset({quota.name}))
    assert decide(full).status.departments[0].phase == "Running"
    run = build.run(spec={"cancel": True}, status=snapshot.run.status.model_dump(mode="json", by_alias=True))
    stopping = decide(replace(snapshot, run=run))
    assert (stopping.status.departments[0].phase, stopping.status.phase) == ("Running", "Cancelling")
    stopped = decide(replace(snapshot, run=run, jobs={}, pods=()))
    assert stopped.status.departments[0].phase == "Cancelled"


def test_a_cancelled_run_says_what_holds_its_pods(build: Any) -> None:
    """A dead node ends nothing."""
    ready = ConditionFacts("Ready", "False")
    pod = build.pod(
        "story", phase="Running", started="2026-05-01T11:00:00Z", node="node-1", conditions=(ready,),
        is_terminating=True, deletion_time="2026-05-01T11:59:00Z",
    )  # fmt: skip
    run = build.run(
        spec={"cancel": True},
        status={"phase": "Running", "departments": build.departments("story", phase="Running")},
    )
    status = decide(build.snapshot(run, document=build.document("story"), pods=(pod,))).status
    said = build.conditions(status)["Progressing"]
    assert said.reason == "Cancelling"
    assert pod.name in said.message
    assert "NodeLost: node node-1 does not answer" in said.message
