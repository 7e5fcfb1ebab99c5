"""API objects into facts: what Kubernetes writes in the moments that matter."""

from typing import Any

import pytest
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from gather_contracts import names
from gather_contracts.result import StopReason
from gather_operator.kube.conversion import job_facts, pod_facts

LABELS = {names.LABEL_RUN_UID: "uid", names.LABEL_DEPARTMENT_INDEX: "3", names.LABEL_ITERATIONS: "7"}
RESULT = '{"iterations":2,"itemsCreated":9,"qualityScore":55.5,"reason":"Terminated"}'


def job(status: dict[str, Any] | None = None, **metadata: Any) -> Job:
    return Job.from_dict(  # type: ignore[return-value]
        {
            "metadata": {"name": "j", "labels": LABELS, "resourceVersion": "5", **metadata},
            "status": status or {},
        }
    )


def pod(status: dict[str, Any], **metadata: Any) -> Pod:
    labels = {**LABELS, "batch.kubernetes.io/job-name": "j"}
    return Pod.from_dict({"metadata": {"name": "p", "labels": labels, **metadata}, "status": status})  # type: ignore[return-value]


def container(**state: Any) -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"name": "worker", "ready": False, "restartCount": 0, "image": "", "imageID": "", "state": state}
        ]
    }


def test_a_new_job_has_no_end() -> None:
    """Its labels say whose it is."""
    facts = job_facts(job())
    assert (facts.name, facts.run_uid, facts.department_index, facts.iterations) == ("j", "uid", 3, 7)
    assert not facts.is_finished
    assert not facts.is_terminating


@pytest.mark.parametrize(
    ("conditions", "complete", "failed"),
    [
        ([{"type": "Complete", "status": "True"}], True, False),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], False, False),
        ([{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}], False, True),
        ([{"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy"}], False, False),
        ([{"type": "Failed", "status": "False"}], False, False),
    ],
)
def test_a_job_has_ended_only_by_its_last_condition(
    conditions: list[dict[str, str]], complete: bool, failed: bool
) -> None:
    """FailureTarget comes while its pods still run."""
    facts = job_facts(job({"conditions": conditions, "failed": 2}))
    assert (facts.is_complete, facts.is_failed, facts.failed_pods) == (complete, failed, 2)
    assert facts.failure_reason == ("PodFailurePolicy" if failed else "")


def test_a_pod_s_result_is_its_termination_message() -> None:
    """Also of one that was stopped."""
    ended = container(terminated={"exitCode": 143, "reason": "Error", "message": RESULT})
    facts = pod_facts(pod({"phase": "Failed", **ended}))
    assert facts.job_name == "j"
    assert facts.result is not None
    assert (facts.result.items_created, facts.result.reason) == (9, StopReason.TERMINATED)
    assert not facts.has_succeeded


@pytest.mark.parametrize("message", [None, "", "{", '{"iterations":-1}', "Traceback (most recent call last)"])
def test_an_unreadable_result_is_none(message: str | None) -> None:
    """A pod that ended well without one has not succeeded for us."""
    ended = container(terminated={"exitCode": 0, "reason": "Completed", "message": message})
    facts = pod_facts(pod({"phase": "Succeeded", **ended}))
    assert facts.result is None
    assert not facts.has_succeeded


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param({"phase": "Failed", "reason": "Evicted"}, "Evicted", id="evicted"),
        pytest.param({"phase": "Failed", "reason": "DeadlineExceeded"}, "DeadlineExceeded", id="out of time"),
        pytest.param(
            {"phase": "Failed", **container(terminated={"exitCode": 137, "reason": "OOMKilled"})},
            "OOMKilled",
            id="out of memory",
        ),
        pytest.param(
            {"phase": "Pending", **container(waiting={"reason": "ImagePullBackOff"})},
            "ImagePullBackOff",
            id="image",
        ),
        pytest.param(
            {"phase": "Pending", **container(waiting={"reason": "ContainerCreating"})},
            "",
            id="creating is ordinary",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
            "Unschedulable",
            id="no node",
        ),
        pytest.param({"phase": "Running"}, "", id="at work"),
        pytest.param({}, "", id="just made"),
    ],
)
def test_reasons(status: dict[str, Any], reason: str) -> None:
    """In Kubernetes' own words."""
    assert pod_facts(pod(status)).reason == reason


def test_times_and_deletion_are_read() -> None:
    """Attempts are put in order by their creation."""
    facts = pod_facts(
        pod({}, creationTimestamp="2026-05-01T12:00:00Z", deletionTimestamp="2026-05-01T12:00:09Z")
    )
    assert facts.created == "2026-05-01T12:00:00+00:00"
    assert facts.is_terminating


def test_labels_of_others_do_not_trip_us() -> None:
    """Somebody made a Job with our label by hand."""
    facts = job_facts(job(labels={names.LABEL_DEPARTMENT_INDEX: "a"}))
    assert (facts.run_uid, facts.department_index, facts.iterations) == ("", -1, 0)
