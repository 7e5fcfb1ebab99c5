"""Everything that the checks look at, read once; what may not be read is reported, and ends nothing.

Of Secrets only the names of keys are kept.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from gather_cli.cluster.api_server import ApiServer
from gather_cli.doctor.installed_release import Release, releases, secret_of
from gather_cli.doctor.rights import RIGHTS, Right
from gather_cli.errors import CliError, Forbidden, NotFound
from gather_contracts import names

PAGE: Final = 500
TAIL_LINES: Final = 60
LOGS_MAX: Final = 8
"""Pods whose log is read."""
MEANT_PODS: Final = "app.kubernetes.io/name in (gather,gather-worker)"
Object = dict[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Facts:
    """What the API server shows; None is what it may not show, or does not have."""

    namespace: str
    now: datetime
    release: Release | None = None
    other_releases: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Namespaces with an operator, where this one has none."""
    schema: Object | None = None
    """The OpenAPI document that serves GatherRuns."""
    has_crd: bool = True
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    secrets: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Keys by the Secret's name; None: there is no such Secret. What may not be read is in `refused`."""
    config_map: bool | None = None
    worker_settings: Mapping[str, str] | None = None
    """What that ConfigMap holds; nothing, if it is not there."""
    service_account: bool | None = None
    leases: dict[str, Object | None] = field(default_factory=dict)
    """Of each shard of the operator, by name; None: there is no such Lease."""
    pods: list[Object] = field(default_factory=list)
    warnings: list[Object] = field(default_factory=list)
    nodes: list[Object] | None = None
    quotas: list[Object] = field(default_factory=list)
    limit_ranges: list[Object] = field(default_factory=list)
    policies: list[Object] = field(default_factory=list)
    webhooks: list[Object] | None = None
    slices: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a webhook's Service has a ready pod."""
    rights: dict[Right, bool] | None = None
    runs: list[Object] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """The last lines of pods that are not well, by the pod's name."""
    refused: dict[str, str] = field(default_factory=dict)
    """What could not be read, and what the API server said."""


class Gathering:
    """Reads the facts of one namespace."""

    def __init__(self, server: ApiServer, namespace: str, release: str | None) -> None:
        self._server = server
        self._wanted = release
        self._facts = Facts(namespace, datetime.now(UTC))

    def gather(self) -> Facts:
        """Return the facts; raises Unreachable if there is no way to the API server."""
        facts, core = self._facts, f"/api/v1/namespaces/{self._facts.namespace}"
        self._server.get("/version")
        facts.now = self._server.now()
        self._gather_release()
        facts.schema = self._try("the served schema", self._schema, None)
        facts.namespace_labels = self._try(
            "the namespace", lambda: self._server.get(core)["metadata"].get("labels") or {}, {}
        )
        facts.pods = self._list("pods", f"{core}/pods", labelSelector=MEANT_PODS)
        facts.warnings = self._list("Events", f"{core}/events", fieldSelector="type=Warning")
        facts.quotas = self._list("ResourceQuotas", f"{core}/resourcequotas")
        facts.limit_ranges = self._list("LimitRanges", f"{core}/limitranges")
        facts.policies = self._list(
            "NetworkPolicies", f"/apis/networking.k8s.io/v1/namespaces/{facts.namespace}/networkpolicies"
        )
        nodes = self._list("nodes", "/api/v1/nodes")
        facts.nodes = None if "nodes" in facts.refused else nodes
        facts.runs = self._list(
            "GatherRuns", f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{facts.namespace}/{names.PLURAL}"
        )
        self._gather_webhooks()
        if facts.release is not None:
            self._gather_parts(facts.release, core)
            self._gather_logs(core)
        return facts

    def _gather_release(self) -> None:
        facts, path = self._facts, "/apis/apps/v1"
        selector = "app.kubernetes.io/name=gather"
        found = self._list(
            "Deployments", f"{path}/namespaces/{facts.namespace}/deployments", labelSelector=selector
        )
        there = releases(found)
        facts.release = next((r for r in there if self._wanted in {None, r.name}), None)
        facts.other_releases = [r.name for r in there if facts.release and r.name != facts.release.name]
        if facts.release is None and "Deployments" not in facts.refused:
            everywhere = self._list(
                "Deployments of all namespaces", f"{path}/deployments", labelSelector=selector
            )
            facts.elsewhere = sorted({d["metadata"]["namespace"] for d in everywhere})

    def _gather_parts(self, release: Release, core: str) -> None:
        """Read what the rooms need beside themselves."""
        facts, env = self._facts, release.operator_env
        wanted = {secret_of(deployment) for deployment in release.rooms.values()} | {
            env.get("GATHER_WORKER_SECRET", "")
        }
        for name in sorted(filter(None, wanted)):
            self._gather_secret(name, f"{core}/secrets/{name}")
        config_map = f"{core}/configmaps/{env.get('GATHER_WORKER_CONFIG_MAP', '')}"
        facts.config_map = self._exists("ConfigMaps", config_map)
        if facts.config_map:
            facts.worker_settings = self._try(
                "ConfigMaps", lambda: self._server.get(config_map).get("data") or {}, None
            )
        elif facts.config_map is False:
            facts.worker_settings = {}
        account = env.get("GATHER_WORKER_SERVICE_ACCOUNT", "")
        facts.service_account = self._exists("ServiceAccounts", f"{core}/serviceaccounts/{account}")
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{facts.namespace}/leases"
        for name in release.operator_leases:
            get = partial(self._server.get, f"{leases}/{name}")
            facts.leases[name] = self._try("Leases", get, None)
        if "operator" in release.rooms:
            self._gather_rights(release.rooms["operator"])

    def _gather_secret(self, name: str, path: str) -> None:
        def keys() -> frozenset[str] | None:
            try:
                return frozenset(self._server.get(path).get("data") or {})
            except NotFound:
                return None

        found: frozenset[str] | None = self._try(f"Secret {name}", keys, None)
        if f"Secret {name}" not in self._facts.refused:
            self._facts.secrets[name] = found

    def _gather_rights(self, operator: Object | Mapping[str, Any]) -> None:
        """Ask the API server what the operator's ServiceAccount may do."""
        facts = self._facts
        account = operator["spec"]["template"]["spec"].get("serviceAccountName", "default")
        path = f"/apis/authorization.k8s.io/v1/namespaces/{facts.namespace}/localsubjectaccessreviews"
        found: dict[Right, bool] = {}

        def ask() -> dict[Right, bool]:
            for right in RIGHTS:
                answer = self._server.call("POST", path, None, right.review(account, facts.namespace))
                found[right] = bool(answer.get("status", {}).get("allowed"))
            return found

        facts.rights = self._try("the operator's rights", ask, None)

    def _gather_webhooks(self) -> None:
        facts, base = self._facts, "/apis/admissionregistration.k8s.io/v1"
        found: list[Object] = []
        for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
            found += [
                {**webhook, "_configuration": each["metadata"]["name"]}
                for each in self._list("admission webhooks", f"{base}/{plural}")
                for webhook in each.get("webhooks") or ()
            ]
        facts.webhooks = None if "admission webhooks" in facts.refused else found
        for webhook in found:
            service = (webhook.get("clientConfig") or {}).get("service")
            if service and (place := (service["namespace"], service["name"])) not in facts.slices:
                path = f"/apis/discovery.k8s.io/v1/namespaces/{place[0]}/endpointslices"
                what = f"EndpointSlices of {place[0]}"
                slices = self._list(what, path, labelSelector=f"kubernetes.io/service-name={place[1]}")
                if what not in facts.refused:
                    facts.slices[place] = any(is_ready_slice(each) for each in slices)

    def _gather_logs(self, core: str) -> None:
        """Read the last lines of pods of the release that are not well, and of its own checks."""
        facts = self._facts
        ill = [pod for pod in facts.pods if not is_well(pod) and not is_worker(pod)]
        for pod in sorted(ill, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)[
            :LOGS_MAX
        ]:
            name = pod["metadata"]["name"]
            statuses = pod.get("status", {}).get("containerStatuses") or ()
            has_restarted = any(
                s.get("restartCount") and "waiting" in (s.get("state") or {}) for s in statuses
            )
            query: dict[str, str | int] = {"tailLines": TAIL_LINES}
            if has_restarted:
                query["previous"] = "true"
            states = [{**(s.get("state") or {}), **(s.get("lastState") or {})} for s in statuses]
            if any({"running", "terminated"} & set(state) for state in states):
                read = partial(self._server.text, f"{core}/pods/{name}/log", **query)
                facts.logs[name] = self._try(f"the log of {name}", read, "")

    def _schema(self) -> Object:
        try:
            return self._server.get(f"/openapi/v3/apis/{names.GROUP}/{names.VERSION}")
        except NotFound:
            self._facts.has_crd = False
            return {}

    def _exists(self, what: str, path: str) -> bool | None:
        def look() -> bool | None:
            try:
                return bool(self._server.get(path))
            except NotFound:
                return False

        return self._try(what, look, None)

    def _list(self, what: str, path: str, **query: str | int) -> list[Object]:
        def read() -> list[Object]:
            found: list[Object] = []
            asked: dict[str, str | int] = {**query, "limit": PAGE}
            while True:
                page = self._server.get(path, **asked)
                found += page.get("items") or []
                if not (more := page.get("metadata", {}).get("continue")):
                    return found
                asked["continue"] = more

        return self._try(what, read, [])

    def _try(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except NotFound:
            return otherwise
        except (CliError, json.JSONDecodeError, KeyError, TypeError) as error:
            kind = "not allowed" if isinstance(error, Forbidden) else "no answer"
            self._facts.refused[what] = f"{kind}: {error}"
            return otherwise


def is_worker(pod: Mapping[str, Any]) -> bool:
    """Return whether it is a department's pod."""
    return (pod["metadata"].get("labels") or {}).get(names.LABEL_NAME) == names.WORKER_NAME


def is_well(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is ready, or has ended well."""
    status = pod.get("status", {})
    if status.get("phase") == "Succeeded":
        return True
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())


def is_ready_slice(found: Mapping[str, Any]) -> bool:
    """Return whether an EndpointSlice has a ready endpoint."""
    return any(
        (each.get("conditions") or {}).get("ready") is not False for each in found.get("endpoints") or ()
    )
