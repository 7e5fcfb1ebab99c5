# ruff: noqa: E501 - a table, a fault a row
"""Faults of an installation: each breaks a healthy one in one way, and says what doctor has to name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.support.installation.installation import Installation, at, condition, container, department

EXIT_64: Final = {"exitCode": 64, "reason": "Error", "finishedAt": at()}
CRASHING: Final = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
WORKER: Final = "gather-backing-worker"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be broken."""

    name: str
    seed: Callable[[Installation], object]
    finding: str
    """The row's name."""
    says: str
    """Stands in the row: the cause."""
    fix: str
    """Stands in what helps."""
    status: str = "fail"
    follows: tuple[str, ...] = ()
    """Rows that are wrong because of it."""
    is_last: bool = False
    """It lets no pods in, so that others cannot be seeded after it."""


def _without_key(secret: str, key: str) -> Callable[[Installation], object]:
    return lambda it: it.patch("Secret", secret, {"data": {key: None}})


def _crashing(room: str, *lines: str) -> Callable[[Installation], object]:
    status = {"containerStatuses": [container(room, waiting=CRASHING, ended=EXIT_64, restarts=4)]}
    return lambda it: it.break_pod(room, status, list(lines))


def _waiting(room: str, reason: str, message: str) -> Callable[[Installation], object]:
    status = {
        "containerStatuses": [container(room, waiting={"reason": reason, "message": message})],
        "phase": "Pending",
    }
    return lambda it: it.break_pod(room, status)


def _silent(room: str, *lines: str) -> Callable[[Installation], object]:
    return lambda it: it.break_pod(room, {"containerStatuses": [container(room, running=True)]}, list(lines))


def _run(*conditions: dict[str, Any], **status: Any) -> Callable[[Installation], object]:
    said = {"phase": "Running", "startTime": at(60), "conditions": list(conditions), **status}
    return lambda it: it.run("my-film", said)


def _waiting_run(reason: str, message: str) -> Callable[[Installation], object]:
    at_work = department("story", "Running", attempt=1, reason=reason, message=message, startTime=at(50))
    return _run(condition("Progressing", "False", reason, message), departments=[at_work])


def _failed_run(reason: str, message: str) -> Callable[[Installation], object]:
    failed = department("story", "Failed", attempt=4, reason=reason, message=message)
    said = {"phase": "Failed", "reason": reason, "completionTime": at(90), "departments": [failed]}
    return lambda it: it.run("my-film", said)


def _pool(it: Installation, **node: Any) -> None:
    """Have one node, of another kind."""
    it.delete("Node", f"node-{it.namespace}")
    it.node(f"other-{it.namespace}", **node)


def _quota(it: Installation) -> None:
    it.create(
        {"kind": "ResourceQuota", "metadata": {"name": "films"}, "spec": {"hard": {"requests.memory": "1Gi"}}}
    )
    it.status(
        "ResourceQuota", "films", {"hard": {"requests.memory": "1Gi"}, "used": {"requests.memory": "1Gi"}}
    )


def _quota_of_limits(it: Installation) -> None:
    it.create({"kind": "ResourceQuota", "metadata": {"name": "films"}, "spec": {"hard": {"limits.cpu": "8"}}})
    it.status("ResourceQuota", "films", {"hard": {"limits.cpu": "8"}, "used": {"limits.cpu": "0"}})


def _limit_range(it: Installation) -> None:
    it.create({
        "kind": "LimitRange", "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "100Mi"}}]},
    })  # fmt: skip


def _webhook(it: Installation) -> None:
    name = f"policy-{it.namespace}"
    it.create({
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": "pods.policy.example", "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"namespace": it.namespace, "name": "policy"}},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": it.namespace}},
        }],
    })  # fmt: skip


def _no_egress(it: Installation) -> None:
    it.delete("NetworkPolicy", "gather-worker-egress")
    it.create({
        "kind": "NetworkPolicy", "metadata": {"name": "default-deny"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
    })  # fmt: skip


def _no_ingress(it: Installation) -> None:
    it.delete("NetworkPolicy", "gather-brain")
    it.create({
        "kind": "NetworkPolicy", "metadata": {"name": "default-deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    })  # fmt: skip


def _old_lease(it: Installation) -> None:
    it.patch("Lease", "gather-operator", {"spec": {"renewTime": at(600).replace("Z", ".000000Z")}})


def _scaled_down(it: Installation) -> None:
    it.patch("Deployment", "gather-operator", {"spec": {"replicas": 0}})
    it.status(
        "Deployment",
        "gather-operator",
        {"replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "availableReplicas": 0},
    )


def _refused_pods(message: str) -> Callable[[Installation], object]:
    def seed(it: Installation) -> None:
        it.delete("Pod", "gather-operator-0")
        it.status("Deployment", "gather-operator", {"readyReplicas": 0, "availableReplicas": 0})
        it.event("ReplicaSet", "gather-operator-7d4b9", "FailedCreate", message)

    return seed


def _missing_mount(it: Installation) -> None:
    it.break_pod(
        "bridge",
        {
            "phase": "Pending",
            "containerStatuses": [container("bridge", waiting={"reason": "ContainerCreating"})],
        },
    )
    it.event(
        "Pod",
        "gather-bridge-0",
        "FailedMount",
        'MountVolume.SetUp failed for volume "secrets" : references non-existent secret key: tokens.json',
    )


def _other_version(it: Installation) -> None:
    env = it.get("Deployment", "gather-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    changed = [
        {**e, "value": "localhost/gather-worker:0.0.9"} if e["name"] == "GATHER_WORKER_IMAGE" else e
        for e in env
    ]
    it.patch("Deployment", "gather-operator", {"spec": {"template": {"spec": {"containers": [
        {"name": "operator", "image": "localhost/gather-operator:dev", "env": changed},
    ]}}}})  # fmt: skip


def _one_queue(it: Installation) -> None:
    """Have the door take from the queue of evaluations, as the chart's defaults say."""
    env = [{"name": "GATHER_CELERY_QUEUES", "value": '["cpu_intensive"]'}]
    it.patch("Deployment", "gather-celery-door", {"spec": {"template": {"spec": {"containers": [
        {"name": "celery-door", "image": "localhost/gather-bridge:dev", "env": env},
    ]}}}})  # fmt: skip


def _checked(*lines: str) -> Callable[[Installation], object]:
    """Leave what `helm test` leaves when it fails: its pod, with the check's table."""

    def seed(it: Installation) -> None:
        labels = {
            "app.kubernetes.io/name": "gather",
            "app.kubernetes.io/instance": "gather",
            "app.kubernetes.io/component": "test",
        }
        ended = {"exitCode": 64, "reason": "Error", "finishedAt": at()}
        it.pod("test", {"phase": "Failed", "containerStatuses": [container("check", ended=ended)]}, labels=labels,
               name="gather-test-worker-check", container_name="check", lines=list(lines))  # fmt: skip

    return seed


FAULTS: Final = (
    Fault("a Secret is missing", lambda it: it.delete("Secret", WORKER), f"Secret {WORKER}", "does not exist", "docs/charts.md"),
    Fault("a Secret lacks the model's key", _without_key(WORKER, "OPENROUTER_API_KEY"), f"Secret {WORKER}", "lacks the key OPENROUTER_API_KEY", "patch secret"),
    Fault("the outbox has no MongoDB", _without_key("gather-backing-operator", "MONGODB_URI"), "Secret gather-backing-operator", "MONGODB_URI, which the operator reads", "restart the operator"),
    Fault("the operator is scaled to 0", _scaled_down, "Operator", "scaled to 0", "--replicas=1"),
    Fault("the operator has no Lease", lambda it: it.delete("Lease", "gather-operator"), "Lease", "no replica of the operator has ever acted", "logs deployment/gather-operator"),
    Fault("nobody renews the Lease", _old_lease, "Lease", "no replica of the operator acts", "logs deployment/gather-operator"),
    Fault("the operator's Role is gone", lambda it: it.delete("RoleBinding", "gather-operator"), "Rights", "may not: get, list, watch, patch, delete gatherruns.gather.ft.tc", "helm upgrade"),
    Fault("workers have no ServiceAccount", lambda it: it.delete("ServiceAccount", "gather-worker"), "ServiceAccount gather-worker", "does not exist", "helm upgrade"),
    Fault("workers have no ConfigMap", lambda it: it.delete("ConfigMap", "gather-worker"), "ConfigMap gather-worker", "does not exist", "helm upgrade"),
    Fault("the operator's image cannot be pulled", _waiting("operator", "ImagePullBackOff", 'Back-off pulling image "x:9"'), "Operator", "image cannot be pulled", "operator.image.repository"),
    Fault("a worker's image cannot be pulled", _waiting_run("ImagePullBackOff", "Back-off pulling image worker:9"), "Runs", "run my-film, story: ImagePullBackOff", "worker.image"),
    Fault("no node has the pool's label", lambda it: _pool(it, labels={"pool": "other"}), "Nodes", "nodes has the label pool=", "kubectl label node"),
    Fault("the pool's nodes are tainted", lambda it: _pool(it, spec={"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}), "Nodes", "gpu=yes:NoSchedule", "worker.tolerations"),
    Fault("the pool's nodes are cordoned", lambda it: _pool(it, spec={"unschedulable": True}), "Nodes", "are cordoned", "kubectl uncordon"),
    Fault("the pool's nodes are too small", lambda it: _pool(it, status={"allocatable": {"cpu": "10m", "memory": "8Gi"}}), "Nodes", "asks for cpu 20m", "worker.resources.requests.cpu"),
    Fault("the pool's nodes offer no disk", lambda it: _pool(it, status={"allocatable": {"cpu": "4", "memory": "8Gi"}}), "Nodes", "asks for ephemeral-storage", "to null in worker.resources"),
    Fault("the quota is used up", _quota, "Quota films", "1Gi of 1Gi requests.memory are used", "raise requests.memory", is_last=True),
    Fault("the quota wants limits", _quota_of_limits, "Quota films", "demands that each pod says limits.cpu", "worker.resources.limits.cpu", is_last=True),
    Fault("a LimitRange is too small", _limit_range, "LimitRange small", "384Mi is above its maximum of 100Mi", "worker.resources.limits.memory"),
    Fault("an admission webhook is down", _webhook, "Admission webhook", "pods.policy.example", "delete the configuration", is_last=True),
    Fault("a webhook refuses the operator's pods", _refused_pods('Internal error occurred: failed calling webhook "mpod.kb.io": no endpoints available'), "Operator", "failed calling webhook", "start the admission webhook"),
    Fault("a policy keeps workers in", _no_egress, "Network policy", "may not ask the cluster's DNS", "port 53"),
    Fault("a policy keeps the brain apart", _no_ingress, "Network policy", "the brain takes no calls of workers", "networkPolicy.enabled"),
    Fault("the webhook secret is short", _crashing("bridge", "gather-bridge: GATHER_WEBHOOK_SECRET (file /etc/gather/secrets/GATHER_WEBHOOK_SECRET): Value should have at least 16 characters"), "Bridge", "GATHER_WEBHOOK_SECRET: Value should have at least 16", "key GATHER_WEBHOOK_SECRET of Secret gather-backing-bridge", "warn"),
    Fault("the operator's Redis address is malformed", _crashing("operator", "gather-operator: REDIS_URL (file /etc/gather/secrets/REDIS_URL): it is not a redis URL"), "Operator", "REDIS_URL: it is not a redis URL", "Secret gather-backing-operator"),
    Fault("a Secret's key cannot be mounted", _missing_mount, "Bridge", "non-existent secret key: tokens.json", "bridge.existingSecret", "warn"),
    Fault("Neo4j is not reached", _silent("brain", '{"level": "INFO", "message": "waiting for Neo4j", "wait_s": 5}'), "Brain", "waits for Neo4j at bolt://gather-backing-neo4j:7687", "brain.neo4jUri"),
    Fault("Redis is not reached", _silent("bridge", '{"level": "WARNING", "message": "Redis is unavailable", "error": "ConnectionError"}'), "Bridge", "does not reach Redis", "REDIS_URL in Secret gather-backing-bridge", "warn"),
    Fault("the CMS is not reached", _run(condition("Accepted", "False", "CMSUnavailable", "http://cms:8080 cannot be reached"), phase="Pending"), "Runs", "CMSUnavailable: http://cms:8080", "appUrl"),
    Fault("MongoDB is not reached", _failed_run("StoreUnavailable", "MongoDB did not answer"), "Last run", "StoreUnavailable", "MONGODB_URI", "warn"),
    Fault("the model's key is refused", _failed_run("ModelUnavailable", "401: No auth credentials found"), "Last run", "401: No auth credentials found", "the key", "warn"),
    Fault("the check found no consumer", _checked(
        "ok    MongoDB          reached",
        "fail  Evaluation task  no running worker takes from the queue cpu_intensive; there are reviews",
        "                       > start one with --queues cpu_intensive, or set GATHER_EVALUATION_QUEUE",
    ), "Worker: Evaluation task", "no running worker takes from the queue cpu_intensive", "start one with --queues"),
    Fault("evaluations and tasks share a queue", _one_queue, "Celery queues", "throws such tasks away", "worker.evaluation.queue", "warn"),
    Fault("operator and workers differ", _other_version, "Versions", "dev, workers are of 0.0.9", "worker.image.tag", "warn"),
)  # fmt: skip


def _batches() -> list[list[Fault]]:
    """Return the faults in as few lots as can be there at once: two of one row hide each other."""
    found: list[dict[str, Fault]] = []
    for fault in FAULTS:
        row = "Runs" if fault.finding == "Last run" else fault.finding
        batch = next((b for b in found if row not in b), None)
        if batch is None:
            found.append(batch := {})
        batch[row] = fault
    return [sorted(batch.values(), key=lambda fault: fault.is_last) for batch in found]


BATCHES: Final = _batches()
