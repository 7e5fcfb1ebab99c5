"""What the operator reads of the cluster around its runs: namespace, Deployment, the CRD as served.

All of it is optional: where it cannot be read, the operator works as if everything were in order.
"""

import logging
from typing import Any, Final
from urllib.parse import quote

from gather_clients.kube_api.api_calls import ApiCalls, Request
from gather_clients.kube_api.cluster_errors import ClusterError, Missing
from gather_contracts import names
from gather_operator.kube.conversion import as_map

logger = logging.getLogger(__name__)

SCHEMA_PATH: Final = f"/openapi/v3/apis/{names.GROUP}/{names.VERSION}"
"""Readable by every account that the cluster knows."""


class Surroundings:
    """The operator's own place in the cluster."""

    def __init__(self, calls: ApiCalls, namespace: str, deployment: str | None) -> None:
        """`deployment` is the operator's own; None: it was not installed by the chart."""
        self._calls = calls
        self._namespace = f"/api/v1/namespaces/{quote(namespace, safe='')}"
        deployments = f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/deployments"
        self._deployment = deployment and f"{deployments}/{quote(deployment, safe='')}"
        self._said: set[str] = set()

    async def is_namespace_ending(self) -> bool:
        """Return whether the namespace is being deleted; False where that cannot be read."""
        try:
            body = await self._calls.call_json(Request("get namespace", "GET", self._namespace, {}))
        except ClusterError as error:
            self._say_once("the operator's namespace cannot be read", error)
            return False
        return bool(as_map(body.get("metadata")).get("deletionTimestamp"))

    async def is_operator_wanted(self) -> bool:
        """Return whether another pod of the operator follows this one; True where that cannot be read."""
        if self._deployment is None:
            return True
        try:
            body = await self._calls.call_json(Request("get deployment", "GET", self._deployment, {}))
        except Missing:
            return False
        except ClusterError as error:
            self._say_once("the operator's Deployment cannot be read", error)
            return True
        is_going = bool(as_map(body.get("metadata")).get("deletionTimestamp"))
        return not is_going and as_map(body.get("spec")).get("replicas") != 0

    async def served_schema(self) -> dict[str, Any]:
        """Return the OpenAPI document of GatherRuns as this cluster serves it; raises ClusterError."""
        return await self._calls.call_json(Request("get openapi", "GET", SCHEMA_PATH, {}))

    def _say_once(self, what: str, error: ClusterError) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.warning(what, extra={"error": str(error)})
