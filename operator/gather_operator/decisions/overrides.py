"""What a run asks of its worker pods, over what the chart says of all. Pure."""

from dataclasses import replace
from typing import Any

from gather_contracts.resource import GatherRun
from gather_contracts.worker_overrides import (
    QUEUE_PREFIX,
    RESERVED_LABELS,
    RESERVED_PREFIXES,
    WorkerOverrides,
    dump_part,
)
from gather_operator.decisions.manifests import WorkerTemplate


def overridden(template: WorkerTemplate, run: GatherRun) -> WorkerTemplate:
    """Return the template of this run's pods: maps are joined key by key, lists added, the rest replaced."""
    asked = run.spec.worker
    if asked is None:
        return template
    return replace(
        template,
        resources=_joined(template.resources, dump_part(asked.resources)),
        node_selector={**template.node_selector, **(asked.node_selector or {})},
        tolerations=[*template.tolerations, *(dump_part(t) for t in asked.tolerations or [])],
        affinity=dump_part(asked.affinity) or template.affinity,
        priority_class=asked.priority_class_name or template.priority_class,
        labels={**template.labels, **_labels(asked)},
        queue_labels=_labels(asked, of_queue=True),
    )


def _joined(defaults: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return requests and limits, those that are asked for before the defaults."""
    kinds = defaults.keys() | asked.keys()
    return {kind: {**(defaults.get(kind) or {}), **(asked.get(kind) or {})} for kind in sorted(kinds)}


def _labels(asked: WorkerOverrides, *, of_queue: bool = False) -> dict[str, str]:
    """Return the labels that are not ours; the CRD in the cluster may be one that does not refuse those."""
    return {
        key: value
        for key, value in (asked.labels or {}).items()
        if key.startswith(QUEUE_PREFIX) is of_queue
        and not key.startswith(RESERVED_PREFIXES)
        and key not in RESERVED_LABELS
    }
