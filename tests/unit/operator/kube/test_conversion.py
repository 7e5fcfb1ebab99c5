"""API objects into facts: what Kubernetes writes in the moments that matter."""

from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.result import StopReason
from gather_operator.kube.conversion import job_facts, pod_facts

LABELS = {names.LABEL_RUN_UID: "uid", names.LABEL_DEPARTMENT_INDEX: "3", names.LABEL_ITERATIONS: "7"}
RESULT = '{"iterations":2,"itemsCreated":9,"qualityScore":55.5,"reason":"Terminated"}'


def job(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "j", "labels": LABELS, "resourceVersion": "5", **metadata},
        "status": status or {},
    }


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    labels = {**LABELS, "batch.kubernetes.io/job-name": "j"}
    return {"metadata": {"name": "p", "labels": labels, **metadata}, "status": status}


def container(name: str = "worker", **state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": name, "ready": False, "restartCount": 0, "state": state}]}


def containers(**states: Any) -> dict[str, Any]:
    """Containers by name, in that order."""
    return {
        "containerStatuses": [c for n, s in states.items() for c in container(n, **s)["containerStatuses"]]
    }


DONE = {"terminated": {"exitCode": 0, "reason": "Completed", "message": RESULT}}
AT_WORK = {"running": {"startedAt": "2026-05-01T12:00:00Z"}}


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
    assert facts.created == "2026-05-01T12:00:00Z"
    assert facts.deletion_time == "2026-05-01T12:00:09Z"
    assert facts.is_terminating


def test_labels_of_others_do_not_trip_us() -> None:
    """Somebody made a Job with our label by hand."""
    facts = job_facts(job(labels={names.LABEL_DEPARTMENT_INDEX: "a"}))
    assert (facts.run_uid, facts.department_index, facts.iterations) == ("", -1, 0)


@pytest.mark.parametrize("order", [("worker", "istio-proxy"), ("istio-proxy", "worker")])
def test_a_pod_is_done_when_its_worker_is_though_a_sidecar_runs_on(order: tuple[str, str]) -> None:
    """The order in which containers are listed says nothing."""
    states = {"worker": DONE, "istio-proxy": AT_WORK}
    facts = pod_facts(pod({"phase": "Running", **containers(**{name: states[name] for name in order})}))
    assert facts.has_succeeded
    assert facts.is_lingering
    assert facts.result is not None
    assert facts.result.items_created == 9


def test_a_sidecar_s_own_message_is_no_result() -> None:
    """It ended first, and has left what looks like one."""
    facts = pod_facts(pod({"phase": "Running", **containers(**{"istio-proxy": DONE, "worker": AT_WORK})}))
    assert facts.result is None
    assert facts.exit_code is None
    assert not facts.has_succeeded
    assert not facts.is_lingering
    assert (facts.started, facts.ended) == ("2026-05-01T12:00:00Z", "")
    both = pod({"phase": "Running", **containers(**{"istio-proxy": AT_WORK, "worker": AT_WORK})})
    assert not pod_facts(both).is_lingering, "its worker is at work"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_sidecar_that_ends_badly_does_not_undo_the_worker_s_success(phase: str) -> None:
    """The pod has failed, the department has not."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    facts = pod_facts(pod({"phase": phase, **containers(worker=DONE, linkerd=killed)}))
    assert facts.has_succeeded
    assert not facts.is_lingering


def test_a_worker_that_ended_badly_lingers_too() -> None:
    """Its Job does not see the end before the pod is over."""
    ended = {"terminated": {"exitCode": 75, "reason": "Error", "message": RESULT}}
    facts = pod_facts(pod({"phase": "Running", **containers(worker=ended, linkerd=AT_WORK)}))
    assert facts.is_lingering
    assert not facts.has_succeeded
    assert facts.exit_code == 75


def test_the_kubelet_ends_sidecars_among_the_init_containers_itself() -> None:
    """Nobody has to help, and what they say is no result."""
    native = {"initContainerStatuses": container("istio-proxy", **AT_WORK)["containerStatuses"]}
    facts = pod_facts(pod({"phase": "Running", **containers(worker=DONE), **native}))
    assert facts.has_succeeded
    assert not facts.is_lingering


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        pytest.param(
            {
                "phase": "Pending",
                **containers(
                    proxy={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    worker={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
                ),
            },
            "ImagePullBackOff",
            "no such image",
            id="the worker's goes first",
        ),
        pytest.param(
            {
                "phase": "Pending",
                **containers(worker={"waiting": {"reason": "PodInitializing"}}),
                "initContainerStatuses": [
                    {
                        "name": "istio-init",
                        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "x"}},
                    }
                ],
            },
            "ImagePullBackOff",
            "x",
            id="an init container's, while the worker waits for it",
        ),
        pytest.param(
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            "Evicted",
            "The node was low on resource: memory.",
            id="evicted",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "m" * 2000,
                    }
                ],
            },
            "Unschedulable",
            "m" * 1024,
            id="the scheduler's words, cut",
        ),
        pytest.param(
            {
                "phase": "Failed",
                **containers(
                    worker={"terminated": {"exitCode": 1, "reason": "Error", "message": "a secret"}}
                ),
            },
            "Error",
            "",
            id="never what the container wrote",
        ),
        pytest.param({"phase": "Failed", "reason": "R" * 999}, "R" * 64, "", id="a long reason is cut"),
    ],
)
def test_messages_belong_to_the_reason(status: dict[str, Any], reason: str, message: str) -> None:
    """In Kubernetes' own words, bounded."""
    facts = pod_facts(pod(status))
    assert (facts.reason, facts.message) == (reason, message)


def test_a_waiting_pod_s_clock_starts_anew_once_it_has_a_node() -> None:
    """Waiting for a node and pulling an image are two waits; at work it waits no longer."""
    at = "2026-05-01T12:00:00Z"
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-01T12:07:00Z"}
    assert pod_facts(pod({}, creationTimestamp=at)).waiting_since == at
    facts = pod_facts(pod({"conditions": [scheduled]}, creationTimestamp=at))
    assert facts.waiting_since == "2026-05-01T12:07:00Z"
    running = pod({"conditions": [scheduled], **containers(worker=AT_WORK)}, creationTimestamp=at)
    assert pod_facts(running).waiting_since == ""


def test_conditions_that_say_something_are_kept() -> None:
    """Those of an ordinary pod are not."""
    told = {
        "DisruptionTarget": ("True", "DeletionByTaintManager"),
        "Ready": ("False", "ContainersNotReady"),
        "PodScheduled": ("True", ""),
        "Initialized": ("False", "x"),
    }
    conditions = [
        {"type": t, "status": s, "reason": r, "message": "m", "lastTransitionTime": "2026-05-01T12:00:00Z"}
        for t, (s, r) in told.items()
    ]
    body = {**pod({"conditions": conditions}), "spec": {"nodeName": "node-1"}}
    facts = pod_facts(body)
    assert [(c.type, c.status, c.reason) for c in facts.conditions] == [
        ("DisruptionTarget", "True", "DeletionByTaintManager"),
        ("Ready", "False", "ContainersNotReady"),
    ]
    assert facts.node == "node-1"
    ended = {**body, "status": {**body["status"], "phase": "Failed"}}
    assert [c.type for c in pod_facts(ended).conditions] == ["DisruptionTarget"]


def test_a_suspended_job_and_what_its_conditions_say() -> None:
    """Bounded: a quota's message can be long."""
    conditions = [
        {"type": "FailureTarget", "status": "True", "reason": "R" * 99, "message": "m" * 2000},
        {"type": "Suspended", "status": "True", "reason": "JobSuspended"},
        {"type": "Failed", "status": "False", "reason": "no"},
    ]
    facts = job_facts({**job({"conditions": conditions}), "spec": {"suspend": True}})
    assert facts.is_suspended
    kept, suspended = facts.conditions
    assert (suspended.type, suspended.reason) == ("Suspended", "JobSuspended")
    assert (kept.type, kept.reason, kept.message) == ("FailureTarget", "R" * 64, "m" * 1024)
    assert not job_facts(job()).is_suspended
    assert not facts.is_suspended_by_us
    assert not facts.is_queued


def test_whose_a_suspension_is() -> None:
    """Ours bears a mark; a queue's Job bears the queue's name."""
    ours, queued = job(), job()
    ours["metadata"]["annotations"] = {"gather.ft.tc/suspended": "true"}
    queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "films"
    assert job_facts(ours).is_suspended_by_us
    assert job_facts(queued).is_queued


BENT: list[Any] = [None, 1, "x", [], {}, [1], {"a": 1}]


@pytest.mark.parametrize("value", BENT, ids=repr)
@pytest.mark.parametrize("key", ["metadata", "spec", "status"])
def test_an_object_that_somebody_bent_reads_as_not_said(key: str, value: Any) -> None:
    """Nothing from the cluster may end a watch."""
    assert job_facts({**job(), key: value}).department_index in {3, -1}
    assert pod_facts({**pod({}), key: value}).phase == "Pending"


@pytest.mark.parametrize("value", BENT, ids=repr)
def test_bent_fields_read_as_not_said(value: Any) -> None:
    """One level deeper."""
    keys = (
        "phase",
        "reason",
        "message",
        "conditions",
        "containerStatuses",
        "initContainerStatuses",
        "failed",
    )
    status = dict.fromkeys(keys, value)
    metadata = dict.fromkeys(("name", "labels", "resourceVersion", "creationTimestamp"), value)
    facts = pod_facts({"metadata": metadata, "status": status})
    assert not facts.has_succeeded
    assert not job_facts({"metadata": metadata, "status": status}).is_finished
    state = {
        "containerStatuses": [{"name": "worker", "state": value}, {"name": "x", "state": {"waiting": value}}]
    }
    assert pod_facts(pod(state)).result is None
    ended = containers(
        worker={"terminated": dict.fromkeys(("exitCode", "message", "reason", "finishedAt"), value)}
    )
    assert pod_facts(pod(ended)).result is None
