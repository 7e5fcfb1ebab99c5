"""The manifests: what a worker pod may and may not do, and what it is given."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gather_contracts import names
from gather_contracts.run_document import decode_run_document
from gather_operator.decisions.manifests import WorkerTemplate, build_config_map, build_job

TEMPLATE = WorkerTemplate(
    image="registry/worker:1",
    service_account="worker",
    secret="worker-secret",  # noqa: S106 - the name of a Secret
    config_map="worker-config",
    node_selector={"pool": "cpu_intensive"},
    tolerations=[{"key": "pool", "operator": "Exists"}],
    resources={"requests": {"cpu": "100m"}},
)


def job_of(build: Any, **fields: Any) -> dict[str, Any]:
    department = build.document("story").departments[0].model_copy(update={"retries": 5})
    return build_job(build.run(**fields), department, 2, 1, 7, TEMPLATE)


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_worker_gets_numbers_and_paths_only(build: Any) -> None:
    """The kubelet expands $(NAME) in arguments, so no user's text may stand there."""
    container = container_of(job_of(build, spec={"userId": "$(SECRET)"}))
    assert container["command"] == ["gather-worker"]
    assert container["args"] == [
        "run", "--run-file", "/etc/gather/run/run.json", "--department-index", "2", "--iterations", "7",
    ]  # fmt: skip
    assert "$(SECRET)" not in json.dumps(container)


def test_retries_are_the_department_s_and_the_time_limit_is_the_run_s(build: Any) -> None:
    """One attempt's limit stands on the pod, so that waiting for a node does not use it up."""
    spec = job_of(build, spec={"departmentTimeoutSeconds": 90})["spec"]
    assert spec["backoffLimit"] == 5
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 90
    assert "activeDeadlineSeconds" not in spec


def test_attempts_never_overlap_and_poison_is_not_retried(build: Any) -> None:
    """Exit code 64 ends the Job; a disruption costs no attempt."""
    spec = job_of(build)["spec"]
    assert spec["podReplacementPolicy"] == "Failed"
    poison, disruption = spec["podFailurePolicy"]["rules"]
    assert (poison["action"], poison["onExitCodes"]["values"]) == ("FailJob", [64])
    assert poison["onExitCodes"]["containerName"] == container_of(job_of(build))["name"]
    assert disruption["action"] == "Ignore"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_pod_is_locked_down(build: Any) -> None:
    """No token, no root, no writable root, no capabilities."""
    pod = job_of(build)["spec"]["template"]["spec"]
    container = container_of(job_of(build))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_runs_where_the_chart_says(build: Any) -> None:
    """Pool, tolerations, resources, account and image are values."""
    pod = job_of(build)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "cpu_intensive"}
    assert pod["tolerations"][:1] == TEMPLATE.tolerations
    assert pod["serviceAccountName"] == "worker"
    assert container_of(job_of(build))["resources"] == {"requests": {"cpu": "100m"}}
    assert container_of(job_of(build))["image"] == "registry/worker:1"


def test_secrets_are_files_and_the_result_has_its_place(build: Any) -> None:
    """No secret in env or args; the termination message is read from its file."""
    pod = job_of(build)["spec"]["template"]["spec"]
    volumes = {v["name"]: v for v in pod["volumes"]}
    container = container_of(job_of(build))
    assert volumes["secrets"]["secret"]["secretName"] == "worker-secret"
    assert not any("secretKeyRef" in json.dumps(e) for e in container["env"])
    assert container["envFrom"] == [{"configMapRef": {"name": "worker-config"}}]
    assert container["terminationMessagePath"] == "/dev/termination-log"


def test_a_stopped_worker_has_time_to_save_within_the_promise(build: Any) -> None:
    """Thirty seconds from the deletion to no pod, of which the kubelet needs some itself."""
    assert 10 <= job_of(build)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] <= 25


def test_labels_let_the_informer_find_what_belongs_to_a_run(build: Any) -> None:
    """On the Job and on its pods."""
    job = job_of(build, name="f" * 80)
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        labels = metadata["labels"]
        assert labels[names.LABEL_MANAGED_BY] == "gather-operator"
        assert labels[names.LABEL_RUN_UID] == build.uid
        assert labels[names.LABEL_DEPARTMENT] == "story"
        assert labels[names.LABEL_DEPARTMENT_INDEX] == "2"
        assert labels[names.LABEL_ITERATIONS] == "7"
        assert all(len(value) <= 63 for value in labels.values())


def test_the_run_owns_what_was_made_for_it(build: Any) -> None:
    """Deleting the run lets the garbage collector take the rest; blocking it would need more rights."""
    for made in (job_of(build), build_config_map(build.run(), build.document("story"))):
        (owner,) = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("GatherRun", build.uid, True)
        assert owner["blockOwnerDeletion"] is False


def test_the_config_map_is_immutable_and_reads_back(build: Any) -> None:
    """What the worker reads is what was decided."""
    document = build.document("story", "world")
    made = build_config_map(build.run(), document)
    assert made["immutable"] is True
    assert decode_run_document(made["data"]["run.json"]) == document


def test_each_generation_has_its_own_name(build: Any) -> None:
    """A Job that is still going is never met by the next one."""
    department = build.document("story").departments[0]
    first, second = (build_job(build.run(), department, 0, g, 5, TEMPLATE) for g in (1, 2))
    assert first["metadata"]["name"] != second["metadata"]["name"]


@pytest.mark.parametrize(("lost_s", "tolerated_s"), [(120, 40), (80, 0), (3600, 3520)])
def test_a_pod_leaves_a_lost_node_in_time_to_be_given_up(build: Any, lost_s: int, tolerated_s: int) -> None:
    """What Kubernetes takes to notice, and what the pod gets to end, are in the time that is promised."""
    template = replace(TEMPLATE, node_lost_s=lost_s)
    job = build_job(build.run(), build.document("story").departments[0], 0, 1, 5, template)
    own = [t for t in job["spec"]["template"]["spec"]["tolerations"] if "tolerationSeconds" in t]
    assert {t["key"] for t in own} == {"node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"}
    assert {t["tolerationSeconds"] for t in own} == {tolerated_s}
    assert {(t["operator"], t["effect"]) for t in own} == {("Exists", "NoExecute")}
