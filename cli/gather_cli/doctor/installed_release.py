"""Which Gather is installed in a namespace: found by the chart's labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gather_cli.cluster.api_server import ApiServer
from gather_contracts import names

LABELS: Final = "app.kubernetes.io/name=gather"
INSTANCE: Final = "app.kubernetes.io/instance"
COMPONENT: Final = "app.kubernetes.io/component"
VERSION: Final = "app.kubernetes.io/version"
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its Deployments by room."""

    name: str
    version: str
    rooms: Mapping[str, Object]

    @property
    def operator_env(self) -> dict[str, str]:
        """Return the operator's environment, which says what workers are made of; empty without it."""
        return environment(self.rooms["operator"]) if "operator" in self.rooms else {}

    @property
    def operator_leases(self) -> list[str]:
        """Return the names of the Leases by which the operator's shards act, in the shards' order."""
        env = self.operator_env
        shards = env.get("GATHER_SHARDS", "")
        count = min(int(shards), names.SHARDS_MAX) if shards.isdecimal() else 1
        return [names.shard_name(env.get("GATHER_LEASE", ""), index) for index in range(count)]


def releases_of(server: ApiServer, namespace: str) -> list[Release]:
    """Return the releases of a namespace, by name; raises CliError."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    return releases(server.get(path, labelSelector=LABELS).get("items") or [])


def releases(deployments: list[dict[str, Any]]) -> list[Release]:
    """Return the releases that Deployments belong to."""
    found: dict[str, dict[str, Object]] = {}
    versions: dict[str, str] = {}
    for deployment in deployments:
        labels = deployment["metadata"].get("labels") or {}
        instance, room = labels.get(INSTANCE, ""), labels.get(COMPONENT, "")
        found.setdefault(instance, {})[room] = deployment
        versions[instance] = labels.get(VERSION, versions.get(instance, ""))
    return [Release(name, versions[name], rooms) for name, rooms in sorted(found.items())]


def section_of(room: str) -> str:
    """Return the section of the chart's values that makes a room; all shards of the operator have one."""
    return "operator" if room.startswith("operator-") else room


def container(deployment: Object) -> Object:
    """Return a Deployment's first container."""
    containers = deployment["spec"]["template"]["spec"].get("containers") or [{}]
    first: Object = containers[0]
    return first


def environment(deployment: Object) -> dict[str, str]:
    """Return a Deployment's environment, of variables whose value stands there."""
    return {
        str(e.get("name")): str(e["value"]) for e in container(deployment).get("env") or () if "value" in e
    }


def secret_of(deployment: Object) -> str:
    """Return the name of the Secret that is mounted as `secrets`, empty if there is none."""
    for volume in deployment["spec"]["template"]["spec"].get("volumes") or ():
        if volume.get("name") == "secrets":
            return str((volume.get("secret") or {}).get("secretName", ""))
    return ""
