"""What to do next for a run: named tables of what is known and what follows."""

from typing import Any

import pytest

from gather_contracts.reasons import DepartmentPhase
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import (
    CreateJob,
    DeleteJob,
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
    "its Job was deleted by hand, its pod still ends: no second one beside it": (
        {"jobs": [], "pods": ["ending"]},
        ["Running", "Pending"],
        [],
    ),
    "its pod cannot end, on a dead node: the Job goes, the next comes once no pod of its can": (
        {"jobs": ["running"], "pods": ["given up"]},
        ["Running", "Pending"],
        [DeleteJob("story")],
    ),
    "a Job that somebody deletes waits for a pod that cannot end: the next comes": (
        {"jobs": ["terminating"], "pods": ["given up"]},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "its pod has ended and a finalizer of somebody else holds it: its Job makes the next attempt": (
        {"jobs": ["running"], "pods": ["ended and held"]},
        ["Running", "Pending"],
        [],
    ),
    "the pod of its last Job cannot end: the Job goes, as it would wait forever": (
        {"jobs": ["third"], "pods": ["third given up"]},
        ["Running", "Pending"],
        [DeleteJob("story-3")],
    ),
    "its last Job is gone and a pod is still at work: no department goes on beside it": (
        {"jobs": [], "pods": ["third running"]},
        ["Running", "Pending"],
        [],
    ),
    "its Job is deleted and its pod cannot end: the next Job comes": (
        {"jobs": [], "pods": ["given up"]},
        ["Running", "Pending"],
        [CreateJob(0, 2, 10)],
    ),
    "after a pod that was given up, the Job has another: at work": (
        {"jobs": ["running"], "pods": ["given up", "later"]},
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
        "third": build.job("story", 3),
        "third complete": build.job("story", 3, is_complete=True),
    }
    pods = {
        "running": build.pod("story", phase="Running"),
        "done": build.done("story", attempt=2),
        "mute": build.pod("story", phase="Succeeded"),
        "ending": build.pod("story", phase="Running", is_terminating=True),
        "given up": build.pod("story", phase="Running", is_terminating=True, is_given_up=True),
        "third running": build.pod("story", 3, phase="Running"),
        "third given up": build.pod("story", 3, phase="Running", is_terminating=True, is_given_up=True),
        "ended and held": build.pod("story", phase="Failed", is_terminating=True, is_given_up=True),
        "gone": build.pod("story", phase="Running", is_terminating=True, is_gone=True),
        "later": build.pod("story", attempt=2, phase="Running"),
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
    names = {"story": build.job_name("story"), "story-3": build.job_name("story", 3)}
    named = [DeleteJob(names[a.name]) if isinstance(a, DeleteJob) else a for a in expected_actions]
    assert list(decision.actions) == named


def test_a_job_that_no_status_names_leaves_its_name_to_nobody(build: Any) -> None:
    """It was deleted, and its pod is all that is known of it: the next Job must have another name."""
    run = build.running("story", jobName="")
    pods = (facts_of(build, {"pods": ["gone"]})["pods"][0],)
    decision = decide(build.snapshot(run, document=build.document("story"), pods=pods))
    assert decision.actions == (CreateJob(0, 2, 10),)


@pytest.mark.parametrize(
    ("world", "actions"),
    [
        pytest.param({}, (), id="its pod is about to come"),
        pytest.param({"is_failed": True}, (CreateJob(0, 2, 10),), id="it has ended"),
    ],
)
def test_a_department_whose_end_was_lost_waits_for_the_one_at_work(
    build: Any, world: dict[str, Any], actions: tuple[Any, ...]
) -> None:
    """Killed before it wrote the first one's end, of which Job and pod are gone when it comes back."""
    run = build.running("story", "world")
    jobs = [build.job("world", **world)]
    decision = decide(build.snapshot(run, document=build.document("story", "world"), jobs=jobs))
    assert decision.actions == actions


@pytest.mark.parametrize("case", DEPARTMENT_CASES)
def test_deciding_twice_asks_for_the_same(build: Any, case: str) -> None:
    """Killed after the decision and before its first act: the next operator decides alike."""
    known, _, _ = DEPARTMENT_CASES[case]
    run = build.running("story", "world")
    snapshot = build.snapshot(run, document=build.document("story", "world"), **facts_of(build, known))
    assert decide(snapshot) == decide(snapshot)


@pytest.mark.parametrize(
    "case",
    [c for c, (_, _, acts) in DEPARTMENT_CASES.items() if not any(isinstance(a, DeleteJob) for a in acts)],
)
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
