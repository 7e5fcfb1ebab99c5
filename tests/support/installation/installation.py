"""A healthy Gather on an API server without nodes: the rendered chart, and what controllers would make of it.

A test breaks one thing of it.
"""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from gather_contracts import names
from tests.support.installation.kubelet_double import KubeletDouble
from tests.support.kubernetes.control_plane import ADMIN, ControlPlane, bearer

PLACES: Final = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Event": "/api/v1/namespaces/{}/events",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    names.KIND: f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{{}}/{names.PLURAL}",
    "Node": "/api/v1/nodes",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
}
KEYS: Final = (
    "BRAIN_SERVICE_API_KEY", "GATHER_WEBHOOK_SECRET", "MONGODB_URI", "OPENROUTER_API_KEY", "PAYLOAD_API_KEY",
    "REDIS_URL", "keys.json", "tokens.json",
)  # fmt: skip
"""What all rooms together read; each Secret has all of it."""


def at(ago_s: float = 0) -> str:
    """A moment of the past, as Kubernetes writes it."""
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Installation:
    """One namespace with a release `gather` in it."""

    def __init__(self, plane: ControlPlane, kubelet: KubeletDouble) -> None:
        self.kubelet, self.folder, self.server = kubelet, plane.folder, plane.server
        # One connection for all calls: making one costs more than what it asks for.
        self._client = httpx.Client(
            base_url=plane.server,
            headers=bearer(ADMIN),
            verify=False,  # noqa: S501 - our own, on this machine
            timeout=30,
        )
        self.namespace = f"film-{secrets.token_hex(4)}"
        self._of_cluster: list[str] = []

    def install(self, rendered: list[dict[str, Any]]) -> None:
        """Put a rendered chart there, and what makes it healthy."""
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        text = (
            json.dumps(rendered)
            .replace('"film"', f'"{self.namespace}"')
            .replace(".film.svc", f".{self.namespace}.svc")
        )
        text = text.replace('{\\"pool\\":\\"cpu_intensive\\"}', json.dumps(json.dumps(self.pool))[1:-1])
        self.node(f"host-{self.namespace}", labels={})
        rooms: dict[str, int] = {}
        for document in json.loads(text):
            is_hook = "helm.sh/hook" in (document["metadata"].get("annotations") or {})
            if document["kind"] in PLACES and not is_hook:
                self.create(document)
            if document["kind"] == "Deployment":
                room = document["metadata"]["labels"]["app.kubernetes.io/component"]
                rooms[room] = document["spec"].get("replicas", 1)
        for room in ("worker", *rooms):
            self.create({
                "kind": "Secret", "metadata": {"name": f"gather-backing-{room}"},
                "stringData": dict.fromkeys(KEYS, "x"),
            })  # fmt: skip
        for room, replicas in rooms.items():
            counts = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
            self.status("Deployment", f"gather-{room}", dict.fromkeys(counts, replicas))
            ready = [{"type": "Ready", "status": "True"}]
            self.pod(room, {"containerStatuses": [container(room, running=True)], "conditions": ready})
        self.create(
            {
                "kind": "Lease",
                "metadata": {"name": "gather-operator"},
                "spec": {
                    "holderIdentity": "gather-operator-0",
                    "leaseDurationSeconds": 9,
                    "renewTime": at().replace("Z", ".000000Z"),
                },
            }
        )
        self.node(f"node-{self.namespace}")

    @property
    def pool(self) -> dict[str, str]:
        """The label of nodes that take this release's workers."""
        return {"pool": self.namespace}

    def remove(self) -> None:
        """Take away what does not go with the namespace."""
        for path in reversed(self._of_cluster):
            self.delete_path(path)
        self._client.close()

    # --- objects

    def path(self, kind: str, name: str = "") -> str:
        """Where objects of a kind are."""
        return PLACES[kind].format(self.namespace) + (f"/{name}" if name else "")

    def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object."""
        kind = document["kind"]
        made = self.call("POST", self.path(kind), {**document, **_version(kind)})
        if "{}" not in PLACES[kind]:
            self._of_cluster.append(self.path(kind, made["metadata"]["name"]))
        return made

    def patch(self, kind: str, name: str, body: Any, subresource: str = "") -> None:
        """Merge a body into an object."""
        self.call("PATCH", self.path(kind, name) + subresource, body)

    def status(self, kind: str, name: str, status: Any) -> None:
        """Write an object's status."""
        self.patch(kind, name, {"status": status}, "/status")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object at once."""
        self.delete_path(self.path(kind, name))

    def delete_path(self, path: str) -> None:
        """Delete what is at a path, if it is there."""
        try:
            self.call("DELETE", f"{path}?gracePeriodSeconds=0")
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        return self.call("GET", self.path(kind, name))

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make one call as the administrator; raises httpx.HTTPError."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        answer = self._client.request(method, path, content=content, headers={"Content-Type": kind})
        answer.raise_for_status()
        return dict(answer.json())

    # --- what controllers and kubelets would write

    def node(
        self, name: str, *, labels: Mapping[str, str] | None = None, spec: Any = None, status: Any = None
    ) -> None:
        """Make a node that is ready."""
        self.create(
            {
                "kind": "Node",
                "metadata": {"name": name, "labels": dict(self.pool if labels is None else labels)},
                "spec": spec or {},
            }
        )
        self.status("Node", name, {**self.kubelet.node_status(), **(status or {})})

    def pod(
        self,
        room: str,
        status: Any,
        *,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        lines: list[str] | None = None,
        container_name: str | None = None,
    ) -> str:
        """Make a pod as a node runs it, with what it logs."""
        name = name or f"gather-{room}-0"
        own = {
            "app.kubernetes.io/name": "gather",
            "app.kubernetes.io/instance": "gather",
            "app.kubernetes.io/component": room,
        }
        self.create(
            {
                "kind": "Pod",
                "metadata": {"name": name, "labels": dict(labels or own)},
                "spec": {
                    "nodeName": f"host-{self.namespace}",
                    "containers": [{"name": container_name or room, "image": "x"}],
                },
            }
        )
        self.status("Pod", name, {"phase": "Running", "startTime": at(30), **status})
        if lines is not None:
            self.kubelet.lines[self.namespace, name] = lines
        return name

    def break_pod(self, room: str, status: Any, lines: list[str] | None = None) -> None:
        """Let a room's pod be not ready, for what its status says."""
        self.delete("Pod", f"gather-{room}-0")
        self.pod(room, {"conditions": [{"type": "Ready", "status": "False"}], **status}, lines=lines)
        self.status(
            "Deployment",
            f"gather-{room}",
            {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": 1},
        )

    def event(self, kind: str, name: str, reason: str, message: str) -> None:
        """Make a warning about an object."""
        self.create(
            {
                "kind": "Event",
                "metadata": {"name": f"{name}.{secrets.token_hex(4)}"},
                "type": "Warning",
                "reason": reason,
                "message": message,
                "involvedObject": {"kind": kind, "name": name, "namespace": self.namespace},
                "lastTimestamp": at(),
            }
        )

    def run(self, name: str, status: Any = None, **spec: Any) -> dict[str, Any]:
        """Make a GatherRun, with what the operator would say of it."""
        made = self.create(
            {
                "kind": names.KIND,
                "metadata": {"name": name},
                "spec": {"projectId": "66f1a2b3c4d5e6f708192a3b", "userId": "user-123", **spec},
            }
        )
        if status is not None:
            self.status(names.KIND, name, status)
        return made


def container(
    name: str, *, running: bool = False, waiting: Any = None, ended: Any = None, restarts: int = 0
) -> dict[str, Any]:
    """A container's status."""
    state: dict[str, Any] = {"running": {"startedAt": at(20)}} if running else {}
    if waiting:
        state = {"waiting": waiting}
    found = {
        "name": name,
        "image": "x",
        "imageID": "",
        "ready": running,
        "restartCount": restarts,
        "state": state,
    }
    if ended:
        found |= {"lastState": {"terminated": ended}} if waiting else {"state": {"terminated": ended}}
    return found


def department(slug: str, phase: str, **more: Any) -> dict[str, Any]:
    """A department's status."""
    return {"slug": slug, "name": slug.title(), "codeDepNumber": 1, "threshold": 80, "phase": phase, **more}


def condition(type_: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """A run's condition."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at(5),
    }


def _version(kind: str) -> dict[str, str]:
    place = PLACES[kind].split("/namespaces/")[0].removeprefix("/apis/").removeprefix("/api/")
    parts = place.split("/")
    return {"apiVersion": parts[0] if PLACES[kind].startswith("/api/") else "/".join(parts[:2])}
