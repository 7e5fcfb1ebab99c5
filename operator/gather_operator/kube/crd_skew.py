"""Finds at the start whether the CRD in the cluster lacks fields of this version, before a write loses them.

Helm replaces the CRD with its release, but a second release, `crds.enabled=false` or a CRD applied by hand
may leave an older one. It is said and counted, and nothing else: what can be written is written.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Final

from gather_clients.kube_api.cluster_errors import ClusterError, Missing
from gather_contracts import names
from gather_contracts.crds.crd import root_schema
from gather_operator.kube.conversion import as_map
from gather_operator.kube.surroundings import Surroundings
from gather_operator.metrics import CRD_FIELDS_MISSING

logger = logging.getLogger(__name__)

CHECK_S: Final = 600.0
"""It may be replaced while the operator works."""
RETRY_S: Final = 10.0
SHOWN_MAX: Final = 20
HINT: Final = (
    "the release that owns the CRD renews it: helm upgrade with crds.enabled=true; "
    "without Helm: kubectl apply -f crds/"
)


def missing_fields(wanted: dict[str, Any], served: dict[str, Any]) -> list[str]:
    """Return the fields of a schema that another one does not have, with dots, without what is below them."""
    return sorted(_missing(wanted, served, ""))


def served_run_schema(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a GatherRun in an OpenAPI document; None if there is none that can be read."""
    schemas = as_map(as_map(document.get("components")).get("schemas"))
    for schema in schemas.values():
        kinds = schema.get("x-kubernetes-group-version-kind") if isinstance(schema, dict) else None
        if isinstance(kinds, list) and any(_is_run(kind) for kind in kinds):
            return schema if as_map(schema.get("properties")) else None
    return None


class CrdCheck:
    """Looks at the served CRD now and then."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._wanted = root_schema()
        self._known: list[str] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            has_answered = await self.look()
            await asyncio.sleep(CHECK_S if has_answered else RETRY_S)

    async def look(self) -> bool:
        """Compare once; return whether the API server has answered."""
        try:
            served = served_run_schema(await self._surroundings.served_schema())
        except Missing:
            return False  # listing GatherRuns says that there is no CRD
        except ClusterError as error:
            logger.debug("the served CRD cannot be read", extra={"error": str(error)})
            return False
        if served is None:
            return True
        missing = missing_fields(self._wanted, served)
        CRD_FIELDS_MISSING.set(len(missing))
        if missing and missing != self._known:
            logger.error(
                "the CRD in the cluster is of another version: it lacks fields of this one",
                extra={"fields": missing[:SHOWN_MAX], "count": len(missing), "hint": HINT},
            )
        elif self._known and not missing:
            logger.info("the CRD in the cluster has all fields now")
        self._known = missing
        return True


def _missing(wanted: dict[str, Any], served: dict[str, Any], path: str) -> Iterator[str]:
    if served.get("x-kubernetes-preserve-unknown-fields") is True:
        return
    there = as_map(served.get("properties"))
    for name, schema in as_map(wanted.get("properties")).items():
        found = there.get(name)
        if not isinstance(found, dict):
            yield f"{path}{name}"
        else:
            yield from _missing(schema, found, f"{path}{name}.")
    items = as_map(wanted.get("items"))
    if items:
        yield from _missing(items, as_map(served.get("items")), path)


def _is_run(kind: object) -> bool:
    return isinstance(kind, dict) and (kind.get("group"), kind.get("kind")) == (names.GROUP, names.KIND)
