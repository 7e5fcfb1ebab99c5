"""When cached Jobs and pods are not believed: one event of a watch that was lost must not hold a run up."""

from typing import Any

import pytest

from gather_operator.decisions.assessment import needs_fresh_facts
from gather_operator.decisions.facts import ConditionFacts

FAILURE_TARGET = ConditionFacts("FailureTarget", "True", "PodFailurePolicy")


def test_a_job_that_is_about_to_fail_is_asked_for_once_its_pods_have_ended(build: Any) -> None:
    """Its last event may be the one that was lost, and no other follows."""
    run = build.running("story", "character")
    job = build.job("story", conditions=(FAILURE_TARGET,))
    pod = build.pod("story", phase="Failed", exit_code=64)
    assert needs_fresh_facts(build.snapshot(run, jobs=[job], pods=(pod,)))


def test_a_pod_that_is_gone_without_a_result_makes_the_job_be_asked_for(build: Any) -> None:
    """The Job may have been deleted with it, which no other event says."""
    run = build.running("story", "character")
    gone = build.pod("story", phase="Failed", is_gone=True)
    assert needs_fresh_facts(build.snapshot(run, jobs=[build.job("story")], pods=(gone,)))


@pytest.mark.parametrize("ended", [{"phase": "Failed", "exit_code": 75}, {"phase": "Running"}])
def test_a_job_that_goes_on_is_believed(build: Any, ended: dict[str, Any]) -> None:
    """It waits for its back-off, which can take minutes, or its pod works: there is nothing to find out."""
    run = build.running("story", "character")
    snapshot = build.snapshot(run, jobs=[build.job("story")], pods=(build.pod("story", **ended),))
    assert not needs_fresh_facts(snapshot)


def test_a_pod_that_still_works_for_a_job_that_is_about_to_fail_is_waited_for(build: Any) -> None:
    """The Job fails only after it."""
    run = build.running("story", "character")
    job = build.job("story", conditions=(FAILURE_TARGET,))
    snapshot = build.snapshot(run, jobs=[job], pods=(build.pod("story", phase="Running"),))
    assert not needs_fresh_facts(snapshot)


@pytest.mark.parametrize("phase", ["Running", ""])
def test_a_job_that_failed_before_its_pod_was_seen_to_end_makes_the_pod_be_asked_for(
    build: Any, phase: str
) -> None:
    """It has the reason and what was spent."""
    run = build.running("story", "character")
    pods = (build.pod("story", phase=phase),) if phase else ()
    assert needs_fresh_facts(build.snapshot(run, jobs=[build.job("story", is_failed=True)], pods=pods))


def test_a_failed_job_is_asked_for_once_more_though_a_pod_s_end_was_seen(build: Any) -> None:
    """That may not have been its last attempt, whose reason and numbers count."""
    run = build.running("story", "character")
    pod = build.pod("story", phase="Failed", exit_code=64)
    assert needs_fresh_facts(build.snapshot(run, jobs=[build.job("story", is_failed=True)], pods=(pod,)))


@pytest.mark.parametrize(("limit", "is_asked"), [(0, True), (10, False)])
def test_a_pod_that_succeeded_before_its_job_was_seen_makes_the_job_be_asked_for(
    build: Any, limit: int, is_asked: bool
) -> None:
    """It has the number of iterations that were allowed, unless the status has it already."""
    run = build.running("story", "character", iterationLimit=limit)
    assert needs_fresh_facts(build.snapshot(run, pods=(build.done("story"),))) is is_asked


def test_what_a_pod_says_of_a_job_counts_before_the_first_status_names_departments(build: Any) -> None:
    """That status can be written a second after the first Job is made: it had failed, and was made again."""
    run = build.run(status={"phase": "Pending"})
    pod = build.pod("story", phase="Failed", exit_code=64)
    snapshot = build.snapshot(run, document=build.document("story", "character"), pods=(pod,))
    assert needs_fresh_facts(snapshot)
