"""What a department waits for, from Jobs, pods and Events as Kubernetes writes them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.reasons import WaitReason
from gather_operator.decisions.facts import JobFacts, ObjectEvent, PodFacts, UsualStarts
from gather_operator.decisions.waiting import backoff_end, condense, stuck_jobs, unexplained, wait_of
from gather_operator.kube.conversion import job_facts, object_event, pod_facts

NOW: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
JOB: Final = "film-story-1"
POD: Final = "film-story-1-aaaaa"
CASES: Final = yaml.safe_load((ROOT / "tests" / "data" / "kubernetes_waits.yaml").read_text("utf-8"))


def job_of(case: Mapping[str, Any]) -> JobFacts:
    """The Job, 2 minutes old where nothing else is said."""
    given = case.get("job", {})
    labels = {names.LABEL_RUN_UID: "uid", names.LABEL_DEPARTMENT_INDEX: "0"}
    metadata = {"name": JOB, "labels": labels, "creationTimestamp": "2026-05-01T11:58:00Z"}
    return job_facts({**given, "metadata": {**metadata, **given.get("metadata", {})}})


def pods_of(case: Mapping[str, Any]) -> list[PodFacts]:
    """Its pods."""
    labels = {names.LABEL_RUN_UID: "uid", "batch.kubernetes.io/job-name": JOB}
    metadata = {"name": POD, "labels": labels, "creationTimestamp": "2026-05-01T11:58:00Z"}
    pods = case.get("pods", [])
    return [pod_facts({**p, "metadata": {**metadata, **p.get("metadata", {})}}) for p in pods]


def events_of(case: Mapping[str, Any]) -> list[ObjectEvent]:
    """Their Events, as the operator sorts them."""
    objects = {"job": {"kind": "Job", "name": JOB}, "pod": {"kind": "Pod", "name": POD}}
    given = [object_event({**e, "involvedObject": objects[e["of"]]}) for e in case.get("events", [])]
    return sorted(given, key=lambda e: e.at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_what_a_department_waits_for(case: Mapping[str, Any]) -> None:
    """The word, Kubernetes' own words, and whether it ever comes right by itself."""
    wait = wait_of(job_of(case), pods_of(case), NOW, events_of(case))
    if case["reason"] is None:
        assert wait is None
        return
    assert wait is not None
    assert (wait.reason, wait.message) == (case["reason"], case["message"])
    assert wait.is_permanent is case.get("is_permanent", False)


def test_pods_that_are_gone_or_given_up_hold_nothing_up(build: Any) -> None:
    """The newest of the others counts."""
    job = build.job("story", created="2026-05-01T11:59:55Z")
    stuck = build.pod("story", reason="Unschedulable", message="no node")
    assert wait_of(job, [stuck], NOW) is not None
    for changes in ({"is_gone": True}, {"is_given_up": True}):
        passed = build.pod("story", attempt=2, phase="Running", is_terminating=True, **changes)
        assert wait_of(job, [passed], NOW) is None
        assert wait_of(job, [stuck, passed], NOW) == wait_of(job, [stuck], NOW)


@pytest.mark.parametrize(
    ("waited_s", "usual_s", "is_said"),
    [(11, 0, True), (11, 3, True), (50, 20, False), (61, 20, True), (179, 100, False), (181, 100, True)],
)
def test_a_start_that_is_no_slower_than_others_is_not_said(
    build: Any, waited_s: int, usual_s: float, is_said: bool
) -> None:
    """While the cluster is busy every Job waits for its pod; each time it would be a status and a Warning."""
    job = build.job("story", created=(NOW - timedelta(seconds=waited_s)).isoformat())
    wait = wait_of(job, [], NOW, usual=UsualStarts(job_s=usual_s))
    assert (wait is not None) is is_said
    assert unexplained(build.snapshot(build.run(), jobs=[job])) == [job.name], "asked for all the same"


def test_a_pod_that_is_prepared_no_slower_than_others_is_not_said(build: Any) -> None:
    """But what Kubernetes has a word for is, however busy it is."""
    created = (NOW - timedelta(seconds=100)).isoformat()
    pod = build.pod("story", node="node-1", waiting_since=created, created=created)
    job = build.job("story", created=created)
    assert wait_of(job, [pod], NOW, usual=UsualStarts(pod_s=10)) is not None
    busy = UsualStarts(job_s=40, pod_s=40)
    assert wait_of(job, [pod], NOW, usual=busy) is None
    stuck = replace(pod, reason="Unschedulable", message="no node")
    assert wait_of(job, [stuck], NOW, usual=busy) is not None
    refused = [ObjectEvent(job.name, "FailedCreate", "exceeded quota", created)]
    assert wait_of(job, [], NOW, refused, busy) is not None


def test_every_word_for_a_wait_is_tried() -> None:
    """But for three that the kubelet names itself, like those that are tried."""
    passed_on = {
        WaitReason.ERR_IMAGE_NEVER_PULL, WaitReason.IMAGE_INSPECT_ERROR, WaitReason.CREATE_CONTAINER_ERROR,
        WaitReason.RUN_CONTAINER_ERROR,
    }  # fmt: skip
    assert {*WaitReason} - {case["reason"] for case in CASES} == passed_on


def test_events_are_asked_for_only_where_they_say_something(build: Any) -> None:
    """A Job without pods and a pod that is being prepared; everything else says itself what it waits for."""
    asked = []
    for case in CASES:
        snapshot = build.snapshot(build.run(), jobs=[job_of(case)], pods=tuple(pods_of(case)))
        if unexplained(snapshot):
            asked.append(case)
    assert all(case.get("events") or case["reason"] == WaitReason.NO_POD for case in asked)
    assert [c["case"] for c in CASES if c.get("events") and c not in asked] == []


def test_only_jobs_at_work_are_stuck(build: Any) -> None:
    """Those that never come right by themselves."""
    for case in CASES:
        job = job_of(case)
        snapshot = build.snapshot(
            build.run(), jobs=[job], pods=tuple(pods_of(case)), events=tuple(events_of(case))
        )
        assert stuck_jobs(snapshot) == ({JOB} if case.get("is_permanent") else set())


@pytest.mark.parametrize(
    ("failures", "wait_s"), [(1, 10), (2, 20), (3, 40), (4, 80), (6, 320), (7, 600), (11, 600), (500, 600)]
)
def test_a_job_s_back_off(build: Any, failures: int, wait_s: int) -> None:
    """As the Job controller counts it; pods that are gone are in the Job's own count."""
    failed = build.pod("story", phase="Failed", ended="2026-05-01T11:00:00Z")
    began = datetime(2026, 5, 1, 11, 0, 0, tzinfo=UTC)
    assert backoff_end([failed], failures) == began + timedelta(seconds=wait_s)
    assert backoff_end([], failures) is None
    assert backoff_end([build.pod("story", phase="Failed", ended="soon", created="")], failures) is None


def test_long_words_keep_their_end() -> None:
    """It is where a runtime says why."""
    words = f"failed to pull image {'x' * 500}: not found"
    cut = condense(words, 100)
    assert len(cut) == 100
    assert cut.startswith("failed to pull image")
    assert cut.endswith("x: not found")
    assert condense("two\n lines", 100) == "two lines"
    assert len(condense(words, 3)) == 3
