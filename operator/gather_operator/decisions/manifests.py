"""The manifests that a run needs: its ConfigMap and one Job per department. Pure; no Kubernetes types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRun
from gather_contracts.result import TERMINATION_MESSAGE_PATH, ExitCode
from gather_contracts.run_document import RunDocument, encode_run_document

CONTAINER: Final = "worker"
RUN_DIR: Final = "/etc/gather/run"
SECRETS_DIR: Final = "/etc/gather/secrets"
WORKER_UID: Final = 10001
GRACE_PERIOD_S: Final = 20
"""For the worker to save after SIGTERM; with it a deleted run's pods are gone within 30 s."""
NODE_MONITOR_GRACE_S: Final = 50
"""After its node's last sign of life Kubernetes calls it unreachable (kube-controller-manager's default)."""
STOP_PATIENCE_S: Final = 30
"""From when a pod is to end until it is given up; its own grace period is in it."""
NODE_TAINTS: Final = ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")
TMP_SIZE: Final = "64Mi"
RESTRICTED: Final[Mapping[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": WORKER_UID,
    "runAsGroup": WORKER_UID,
    "fsGroup": WORKER_UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What the chart says of pods unless its values say otherwise."""


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """What the chart, and a run over it, say about worker pods."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    service_account: str = "gather-worker"
    secret: str = "gather-worker"  # noqa: S105 - the name of a Secret
    config_map: str = "gather-worker"
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, Any] = field(default_factory=dict)
    affinity: dict[str, Any] = field(default_factory=dict)
    topology_spread: list[dict[str, Any]] = field(default_factory=list)
    priority_class: str = ""
    security_context: dict[str, Any] = field(default_factory=lambda: dict(RESTRICTED))
    annotations: dict[str, str] = field(default_factory=dict)
    """Of pods."""
    env: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    volume_mounts: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    """Of Jobs and pods, beside ours."""
    queue_labels: dict[str, str] = field(default_factory=dict)
    """Of Jobs alone: they say to which queue a Job belongs."""
    node_lost_s: int = 120
    """From a node's last sign of life until its pod is given up."""


def build_config_map(run: GatherRun, document: RunDocument) -> dict[str, Any]:
    """Return the run's immutable ConfigMap with `run.json`."""
    name = names.run_config_map_name(run.metadata.name, run.metadata.uid)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(run, name, _run_labels(run)),
        "immutable": True,
        "data": {names.RUN_DOCUMENT_FILE: encode_run_document(document)},
    }


def build_job(  # noqa: PLR0917 - a Job has as many inputs
    run: GatherRun,
    department: ResolvedDepartment,
    index: int,
    generation: int,
    iterations: int,
    template: WorkerTemplate,
) -> dict[str, Any]:
    """Return a department's Job; `index` is its place in the run document, `generation` counts from 1."""
    name = names.job_name(run.metadata.name, run.metadata.uid, department.slug, generation)
    labels = {
        **template.labels,
        **_run_labels(run),
        names.LABEL_DEPARTMENT: department.slug,
        names.LABEL_DEPARTMENT_INDEX: str(index),
        names.LABEL_ITERATIONS: str(iterations),
    }
    never = {"containerName": CONTAINER, "operator": "In", "values": [int(ExitCode.NEVER)]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(run, name, {**template.queue_labels, **labels}),
        "spec": {
            # A queue lets the Job begin when its turn comes; until then it must make no pod.
            **({"suspend": True} if names.LABEL_QUEUE in template.queue_labels else {}),
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": department.retries,
            # A replacement starts only once the old pod has ended: no two at work by our own doing. One that
            # cannot end, on a dead node, is given up by the operator, with its Job.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onExitCodes": never},
                    # Evicted, drained or preempted: not the worker's fault, so it costs no attempt.
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                ]
            },
            "template": {
                "metadata": {
                    "labels": labels,
                    **({"annotations": template.annotations} if template.annotations else {}),
                },
                "spec": _pod_spec(run, index, iterations, template),
            },
        },
    }


def _metadata(run: GatherRun, name: str, labels: dict[str, str]) -> dict[str, Any]:
    owner = {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": run.metadata.name,
        "uid": run.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "name": name,
        "namespace": run.metadata.namespace,
        "labels": labels,
        "ownerReferences": [owner],
    }


def _run_labels(run: GatherRun) -> dict[str, str]:
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_NAME: names.WORKER_NAME,
        names.LABEL_RUN: names.label_value(run.metadata.name),
        names.LABEL_RUN_UID: run.metadata.uid,
    }


def _pod_spec(run: GatherRun, index: int, iterations: int, template: WorkerTemplate) -> dict[str, Any]:
    config_map = names.run_config_map_name(run.metadata.name, run.metadata.uid)
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": run.spec.department_timeout_seconds,
        "terminationGracePeriodSeconds": GRACE_PERIOD_S,
        "serviceAccountName": template.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": template.node_selector,
        "tolerations": [*template.tolerations, *_node_loss(template)],
        **({"affinity": template.affinity} if template.affinity else {}),
        **({"priorityClassName": template.priority_class} if template.priority_class else {}),
        **({"topologySpreadConstraints": _spread(template)} if template.topology_spread else {}),
        "securityContext": template.security_context,
        "containers": [_container(index, iterations, template)],
        "volumes": [
            {"name": "run", "configMap": {"name": config_map}},
            {"name": "secrets", "secret": {"secretName": template.secret, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {"sizeLimit": TMP_SIZE}},
            *template.volumes,
        ],
    }


def _spread(template: WorkerTemplate) -> list[dict[str, Any]]:
    """Return the constraints; one that names no pods counts those of workers."""
    workers = {"labelSelector": {"matchLabels": {names.LABEL_NAME: names.WORKER_NAME}}}
    return [{**workers, **constraint} for constraint in template.topology_spread]


def _node_loss(template: WorkerTemplate) -> list[dict[str, Any]]:
    """Return how long a pod stays on a node that nobody hears of; Kubernetes' own default is 5 minutes.

    After it the pod is to end, which on a dead node it cannot, and so is given up.
    """
    left_s = max(0, template.node_lost_s - NODE_MONITOR_GRACE_S - STOP_PATIENCE_S)
    same = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": left_s}
    return [{"key": key, **same} for key in NODE_TAINTS]


def _container(index: int, iterations: int, template: WorkerTemplate) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": template.image,
        "imagePullPolicy": template.image_pull_policy,
        # Numbers and paths of our own only: the kubelet expands $(NAME) in arguments.
        "command": ["gather-worker"],
        "args": [
            "run",
            "--run-file",
            f"{RUN_DIR}/{names.RUN_DOCUMENT_FILE}",
            "--department-index",
            str(index),
            "--iterations",
            str(iterations),
        ],
        "envFrom": [{"configMapRef": {"name": template.config_map}}],
        "env": [
            {"name": "GATHER_SECRETS_DIR", "value": SECRETS_DIR},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            *template.env,
        ],
        "resources": template.resources,
        "terminationMessagePath": TERMINATION_MESSAGE_PATH,
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "run", "mountPath": RUN_DIR, "readOnly": True},
            {"name": "secrets", "mountPath": SECRETS_DIR, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
            *template.volume_mounts,
        ],
    }
