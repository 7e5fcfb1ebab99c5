"""Whether a worker's pod finds a node, and room in quotas and limit ranges; pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gather_cli.doctor.cluster_facts import Facts, is_worker
from gather_cli.doctor.diagnosis import Finding, fail, ok, warn
from gather_cli.doctor.quantities import quantity

HARD: Final = {"NoSchedule", "NoExecute"}
OF_NODES: Final = ("node.kubernetes.io/",)
"""Taints that Kubernetes sets while a node is not well; the node's conditions say the same."""
AUTOSCALER: Final = "; an autoscaler may still bring one"
Object = Mapping[str, Any]


def worker_setting(facts: Facts, name: str, otherwise: Any) -> Any:
    """Return a setting of the operator that is JSON."""
    text = facts.release.operator_env.get(name) if facts.release else None
    try:
        return json.loads(text) if text else otherwise
    except ValueError:
        return otherwise


def check_nodes(facts: Facts) -> Iterator[Finding]:
    """Whether some node takes a worker: label, state, taints, size, one after the other."""
    if facts.nodes is None or not facts.release or "operator" not in facts.release.rooms:
        return
    selector = worker_setting(facts, "GATHER_WORKER_NODE_SELECTOR", {})
    tolerations = worker_setting(facts, "GATHER_WORKER_TOLERATIONS", [])
    requests = worker_setting(facts, "GATHER_WORKER_RESOURCES", {}).get("requests") or {}
    said = ",".join(f"{key}={value}" for key, value in selector.items())
    pool = [n for n in facts.nodes if selector.items() <= (n["metadata"].get("labels") or {}).items()]
    if not pool:
        yield fail(
            "Nodes",
            f"none of {len(facts.nodes)} nodes has the label {said}, which workers ask for{AUTOSCALER}",
            f"kubectl label node NAME {said.replace(',', ' ')}, or change worker.nodeSelector",
        )
        return
    well = [node for node in pool if _is_ready(node) and not node.get("spec", {}).get("unschedulable")]
    if not well:
        cordoned = [n["metadata"]["name"] for n in pool if n.get("spec", {}).get("unschedulable")]
        why = f"cordoned ({', '.join(cordoned[:3])})" if cordoned else "not ready"
        yield fail(
            "Nodes",
            f"all {len(pool)} nodes of the pool {said} are {why}",
            "kubectl uncordon NAME" if cordoned else "see kubectl describe node",
        )
        return
    open_ones = [node for node in well if not _hard_taints(node, tolerations)]
    if not open_ones:
        taints = sorted({_taint(taint) for node in well for taint in _hard_taints(node, tolerations)})
        yield fail(
            "Nodes",
            f"all {len(well)} nodes of the pool {said} have a taint that workers do not "
            f"tolerate: {', '.join(taints)}",
            f"set worker.tolerations for it, or kubectl taint node NAME {taints[0]}-",
        )
        return
    yield from _check_sizes(open_ones, said, requests)


def _check_sizes(nodes: Sequence[Object], said: str, requests: Mapping[str, str]) -> Iterator[Finding]:
    for resource, wanted in requests.items():
        largest = max(
            quantity((n.get("status", {}).get("allocatable") or {}).get(resource, 0)) for n in nodes
        )
        if quantity(wanted) > largest:
            yield fail(
                "Nodes",
                f"a worker asks for {resource} {wanted}, and the largest node of the "
                f"pool {said} has {largest.normalize():f}",
                # A kubelet without local storage isolation, as one without root, offers no disk at all.
                f"lower worker.resources.requests.{resource}, or add larger nodes"
                if largest
                else f"set {resource} to null in worker.resources.requests and .limits: no node offers it",
            )
            return
    yield ok("Nodes", f"{len(nodes)} nodes of the pool {said or 'all'} take workers")


def _is_ready(node: Object) -> bool:
    return any(
        c.get("type") == "Ready" and c.get("status") == "True"
        for c in node.get("status", {}).get("conditions") or ()
    )


def _hard_taints(node: Object, tolerations: Sequence[Object]) -> list[Object]:
    return [
        taint
        for taint in node.get("spec", {}).get("taints") or ()
        if taint.get("effect") in HARD
        and not str(taint.get("key")).startswith(OF_NODES)
        and not any(tolerates(each, taint) for each in tolerations)
    ]


def tolerates(toleration: Object, taint: Object) -> bool:
    """Return whether a toleration matches a taint, by Kubernetes' rules."""
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    key, is_existing = toleration.get("key"), toleration.get("operator") == "Exists"
    if not key:
        return is_existing
    return key == taint.get("key") and (
        is_existing or (toleration.get("value") or "") == (taint.get("value") or "")
    )


def _taint(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def _needs(facts: Facts) -> dict[str, str]:
    """Return what one worker takes of a quota, by the quota's words."""
    resources = worker_setting(facts, "GATHER_WORKER_RESOURCES", {})
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    needs = {"pods": "1", "count/pods": "1", "count/jobs.batch": "1", "count/configmaps": "1"}
    for name in ("cpu", "memory", "ephemeral-storage"):
        asked = requests.get(name) or limits.get(name)
        needs |= {name: asked, f"requests.{name}": asked} if asked else {}
        needs |= {f"limits.{name}": limits[name]} if name in limits else {}
    return needs


def check_quotas(facts: Facts) -> Iterator[Finding]:
    """Whether a quota lets one more worker in, and asks for nothing that workers do not say."""
    if not facts.release or not facts.quotas:
        return
    needs, is_at_work = (
        _needs(facts),
        any(is_worker(p) and p.get("status", {}).get("phase") == "Running" for p in facts.pods),
    )
    defaults = _defaults(facts)
    problems = 0
    for each in facts.quotas:
        name, status = each["metadata"]["name"], each.get("status") or {}
        hard = status.get("hard") or each.get("spec", {}).get("hard") or {}
        for resource, limit in hard.items():
            used = (status.get("used") or {}).get(resource, "0")
            if resource not in needs:
                kind, _, unit = resource.partition(".")
                if kind in {"limits", "requests"} and unit in {"cpu", "memory"} and unit not in defaults:
                    problems += 1
                    yield fail(
                        f"Quota {name}",
                        f"it demands that each pod says {resource}, and workers do not",
                        f"set worker.resources.{resource} of the chart, or a LimitRange with a default",
                    )
                continue
            if quantity(used) + quantity(needs[resource]) > quantity(limit):
                problems += 1
                text = f"{used} of {limit} {resource} are used; one more worker takes {needs[resource]}"
                fix = f"raise {resource} of the ResourceQuota {name}, or end what else uses it"
                yield (warn if is_at_work else fail)(f"Quota {name}", text, fix)
    if not problems:
        yield ok(
            "Quota", f"{', '.join(q['metadata']['name'] for q in facts.quotas)}: there is room for a worker"
        )


def _defaults(facts: Facts) -> set[str]:
    limits = [limit for each in facts.limit_ranges for limit in each.get("spec", {}).get("limits") or ()]
    return {
        unit for limit in limits if limit.get("type") == "Container" for unit in limit.get("default") or {}
    }


def check_limit_ranges(facts: Facts) -> Iterator[Finding]:
    """Whether a LimitRange refuses a worker's container."""
    limits = worker_setting(facts, "GATHER_WORKER_RESOURCES", {}).get("limits") or {}
    for each in facts.limit_ranges:
        for rule in each.get("spec", {}).get("limits") or ():
            for resource, largest in (rule.get("max") or {}).items():
                if rule.get("type") in {"Container", "Pod"} and quantity(limits.get(resource, 0)) > quantity(
                    largest
                ):
                    yield fail(
                        f"LimitRange {each['metadata']['name']}",
                        f"a worker's {resource} limit of {limits[resource]} is above its maximum "
                        f"of {largest}",
                        f"raise the maximum, or lower worker.resources.limits.{resource}",
                    )
