"""One Lease of coordination.k8s.io/v1, read and written by raw calls.

Whatever stands in it, reading it does not fail: anybody who may edit it may have done so.
"""

from typing import Any, Final
from urllib.parse import quote

from gather_clients.kube_api.api_calls import MERGE_PATCH, ApiCalls, Request
from gather_clients.kube_api.cluster_errors import Missing
from gather_contracts import names
from gather_operator.kube.conversion import as_map, as_text
from gather_operator.replicas.lease_rules import DURATION_MAX_S, LeaseRecord

SHOWN: Final = f"{names.GROUP}/metrics-shown"
"""Annotation: how far the holder's metrics were scraped."""
NUMBER_MAX: Final = 2**31 - 2


class Leases:
    """The Lease of that name."""

    def __init__(self, calls: ApiCalls, namespace: str, name: str) -> None:
        self._calls = calls
        self._namespace = namespace
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"

    async def read(self) -> LeaseRecord | None:
        """Return the Lease, None if there is none; raises ClusterError."""
        try:
            return _record(await self._calls.call_json(Request("get lease", "GET", self._named, {})))
        except Missing:
            return None

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Write over that very version; create the Lease where `version` is empty.

        Raises Conflict if it was written meanwhile, AlreadyExists if it was created, Missing if deleted.
        """
        query = {"fieldManager": names.MANAGED_BY}
        metadata: dict[str, Any] = {"annotations": {SHOWN: record.shown or None}}
        body: dict[str, Any] = {"metadata": metadata, "spec": _spec(record)}
        if record.version:
            metadata["resourceVersion"] = record.version
            request = Request("patch lease", "PATCH", self._named, query, body, MERGE_PATCH)
        else:
            metadata |= {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
                "annotations": {SHOWN: record.shown},
            }
            body |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            request = Request("create lease", "POST", self._path, query, body)
        return _record(await self._calls.call_json(request))

    @property
    def _named(self) -> str:
        return f"{self._path}/{quote(self._name, safe='')}"


def _spec(record: LeaseRecord) -> dict[str, Any]:
    return {
        "holderIdentity": record.holder or None,
        "leaseDurationSeconds": record.duration_s,
        "leaseTransitions": min(record.transitions, NUMBER_MAX),
        "acquireTime": record.acquired or None,
        "renewTime": record.renewed or None,
    }


def _record(body: dict[str, Any]) -> LeaseRecord:
    metadata, spec = as_map(body.get("metadata")), as_map(body.get("spec"))
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    return LeaseRecord(
        holder=as_text(spec.get("holderIdentity")),
        duration_s=duration if isinstance(duration, int) else DURATION_MAX_S,
        transitions=max(transitions, 0) if isinstance(transitions, int) else 0,
        acquired=as_text(spec.get("acquireTime")),
        renewed=as_text(spec.get("renewTime")),
        shown=as_text(as_map(metadata.get("annotations")).get(SHOWN)),
        version=as_text(metadata.get("resourceVersion")),
    )
