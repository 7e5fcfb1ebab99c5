"""A real API server as the doors have it: RBAC, a namespace, and a user with the doors' rights alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dev.service_process import ServiceProcess
from gather_contracts import names
from tests.support.kubernetes.control_plane import ControlPlane, kubeconfig

NAMESPACE: Final = "films"
DOOR: Final = "door"
"""A user of the API server without any right but those that it is given here."""
VERBS: Final = ["create", "get", "watch", "patch"]
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
RUNS: Final = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"


@dataclass(frozen=True, slots=True)
class DoorsApi:
    """An API server, the door's way to it, and the administrator's calls that play the operator."""

    plane: ControlPlane
    process: ServiceProcess
    """Of the API server, for tests that stop it."""
    kubeconfig: Path

    def run(self, name: str) -> dict[str, Any]:
        """Return a GatherRun; raises httpx.HTTPError."""
        return self.plane.call("GET", f"{RUNS}/{name}")

    def runs(self) -> list[dict[str, Any]]:
        """Return all GatherRuns."""
        items: list[dict[str, Any]] = self.plane.call("GET", RUNS)["items"]
        return items

    def put_status(self, name: str, status: dict[str, Any]) -> None:
        """Write a status as the operator does."""
        body = self.run(name)
        self.plane.call("PUT", f"{RUNS}/{name}/status", {**body, "status": status})

    def replace(self, body: dict[str, Any]) -> None:
        """Write a whole GatherRun."""
        self.plane.call("PUT", f"{RUNS}/{body['metadata']['name']}", body)

    def delete(self, name: str) -> None:
        """Delete a GatherRun."""
        self.plane.call("DELETE", f"{RUNS}/{name}")

    def clear(self) -> None:
        """Delete all GatherRuns."""
        self.plane.call("DELETE", RUNS)


def doors_api(plane: ControlPlane) -> DoorsApi:
    """Return a control plane's API server as the doors have it."""
    _let_in(plane)
    return DoorsApi(plane, plane.processes["apiserver"], kubeconfig(plane.folder, DOOR))


def _let_in(plane: ControlPlane) -> None:
    """Make the namespace, and give the door's user its rights there."""
    plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    place = f"{RBAC}/namespaces/{NAMESPACE}"
    rules = [{"apiGroups": [names.GROUP], "resources": [names.PLURAL], "verbs": VERBS}]
    plane.call("POST", f"{place}/roles", {"metadata": {"name": DOOR}, "rules": rules})
    subject = {"kind": "User", "name": DOOR, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": DOOR, "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": DOOR}, "roleRef": role, "subjects": [subject]}
    plane.call("POST", f"{place}/rolebindings", binding)
