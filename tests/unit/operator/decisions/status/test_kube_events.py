"""Kubernetes Events: one for each transition, none for mere progress."""

from typing import Any

from gather_contracts.reasons import RunPhase
from gather_contracts.resource import GatherRunStatus
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import CmsFailure
from gather_operator.decisions.status.kube_events import build_event, events_between
from gather_operator.decisions.status.run_status import refused


def reasons(before: GatherRunStatus, after: GatherRunStatus) -> list[str]:
    return [n.reason for n in events_between(before, after)]


def status(build: Any, *slugs: str, phase: str = "Running", **first: Any) -> GatherRunStatus:
    return build.run(status={"phase": phase, "departments": build.departments(*slugs, **first)}).status  # type: ignore[no-any-return]


def test_progress_is_no_event(build: Any) -> None:
    """Hundreds of iterations must not become hundreds of Events."""
    before = status(build, "story", phase="Running", jobName="j", iterations=1)
    after = status(build, "story", phase="Running", jobName="j", iterations=2, itemsCreated=9)
    assert reasons(before, after) == []


def test_a_department_starts_and_ends(build: Any) -> None:
    """The end of one and the start of the next come in that order."""
    before = status(build, "story", "world", jobName="j1", phase="Running")
    after = status(build, "story", "world", jobName="j1")
    departments = [
        after.departments[0].model_copy(update={"phase": "Succeeded", "reason": "ThresholdReached"}),
        after.departments[1].model_copy(update={"phase": "Running", "job_name": "j2"}),
    ]
    later = after.model_copy(update={"departments": departments})
    assert reasons(before, later) == ["DepartmentSucceeded", "DepartmentStarted"]


def test_failures_and_skips_are_warnings(build: Any) -> None:
    """They stand out in `kubectl describe`."""
    before = status(build, "story")
    for phase in ("Failed", "Skipped"):
        (event,) = events_between(before, status(build, "story", phase="Running").model_copy(
            update={"departments": [before.departments[0].model_copy(update={"phase": phase})]}
        ))  # fmt: skip
        assert (event.reason, event.kind) == (f"Department{phase}", "Warning")


def test_acceptance_is_one_event(build: Any) -> None:
    """An hour without the CMS is one Event, its return another."""
    empty = build.run().status
    refused = decide(build.snapshot(build.run(), cms=CmsFailure("refused"))).status
    still = decide(build.snapshot(build.run(), cms=CmsFailure("timed out"))).status
    accepted = decide(build.snapshot(build.run(), cms=build.cms("story"))).status
    assert reasons(empty, refused) == ["CMSUnavailable"]
    assert reasons(refused, still) == []
    assert reasons(refused, accepted) == ["DepartmentsResolved"]


def test_a_refused_job_is_one_event(build: Any) -> None:
    """Kubernetes' own words, once."""
    snapshot = build.snapshot(build.running("story"), document=build.document("story"))
    before = snapshot.run.status
    after = refused(snapshot, before, "create job: exceeded quota: jobs")
    (event,) = events_between(before, after)
    assert (event.reason, event.message, event.kind) == (
        "JobRefused", "create job: exceeded quota: jobs", "Warning",
    )  # fmt: skip
    assert events_between(after, refused(snapshot, after, "create job: exceeded quota: pods")) == []


def test_the_end_is_an_event(build: Any) -> None:
    """With the words of the condition."""
    before = status(build, "story")
    for phase in (RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED, RunPhase.CANCELLING):
        assert reasons(before, before.model_copy(update={"phase": phase})) == [phase]


def test_an_event_points_at_its_run(build: Any) -> None:
    """`kubectl describe` finds it by the UID."""
    event = events_between(build.run().status, build.run(status={"phase": "Failed"}).status)[0]
    manifest = build_event(build.run(), event, build.now)
    assert manifest["involvedObject"]["uid"] == build.uid
    assert (manifest["type"], manifest["firstTimestamp"]) == ("Warning", "2026-05-01T12:00:00Z")
    assert manifest["metadata"]["generateName"] == "film."
