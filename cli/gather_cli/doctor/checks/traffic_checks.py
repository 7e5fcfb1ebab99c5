"""Network policies that cut rooms off, and admission webhooks that refuse everything; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, fail, ok, warn
from gather_cli.doctor.installed_release import COMPONENT, INSTANCE
from gather_contracts import names

WORKER: Final = {names.LABEL_NAME: names.WORKER_NAME}
BRAIN_PORTS: Final = (8080, "http")
DNS_PORTS: Final = (53, "dns", "dns-tcp")
HTTPS_PORT: Final = 443
NAMED_PORTS: Final = {HTTPS_PORT: ("https",), 80: ("http",)}
POLICY: Final = "Network policy"
Object = Mapping[str, Any]


def check_webhooks(facts: Facts) -> Iterator[Finding]:
    """Whether a webhook without a ready pod refuses what runs need."""
    for webhook in facts.webhooks or ():
        service = (webhook.get("clientConfig") or {}).get("service")
        if not service or webhook.get("failurePolicy", "Fail") != "Fail" or not _is_ours(facts, webhook):
            continue
        if facts.slices.get((service["namespace"], service["name"])) is False:
            yield fail(
                "Admission webhook",
                f"{webhook.get('name')} ({webhook['_configuration']}) has no ready "
                "pod behind Service "
                f"{service['namespace']}/{service['name']}, and refuses what it is asked about",
                f"start its pods, or kubectl delete the configuration {webhook['_configuration']} if it "
                "is no longer used",
            )


def _is_ours(facts: Facts, webhook: Object) -> bool:
    """Return whether it is asked about pods, Jobs or GatherRuns that are made in this namespace."""
    if not matches(webhook.get("namespaceSelector") or {}, facts.namespace_labels):
        return False
    return any(
        {"CREATE", "*"} & set(rule.get("operations") or ())
        and {"", "batch", names.GROUP, "*"} & set(rule.get("apiGroups") or ())
        and {"pods", "jobs", names.PLURAL, "configmaps", "*", "*/*"} & set(rule.get("resources") or ())
        for rule in webhook.get("rules") or ()
    )


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector matches; an empty one matches all."""
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    for rule in selector.get("matchExpressions") or ():
        key, values = rule.get("key"), rule.get("values") or ()
        is_met = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(str(rule.get("operator")), True)
        if not is_met:
            return False
    return True


def check_policies(facts: Facts) -> Iterator[Finding]:
    """Whether workers reach names, the brain and the model, and the brain takes workers' calls."""
    if not facts.policies or not facts.release:
        return
    brain = {names.LABEL_NAME: "gather", INSTANCE: facts.release.name, COMPONENT: "brain"}
    out = _applying(facts.policies, "Egress", WORKER)
    found = [*_out_of_workers(facts, out, brain), *_into_brain(facts, brain)]
    yield from found
    if not found:
        yield ok(
            POLICY,
            f"{len(facts.policies)} policies, {len(out)} of them on what workers reach; none cuts rooms off",
        )


def _out_of_workers(facts: Facts, out: Sequence[Object], brain: Mapping[str, str]) -> Iterator[Finding]:
    if not out or not facts.release:
        return
    said = _named(out)
    if not _lets_out(out, None, DNS_PORTS, facts):
        yield fail(
            POLICY,
            f"{said}: workers may not ask the cluster's DNS, so they reach nothing by name",
            "allow egress to port 53 (UDP and TCP) of kube-system for pods with "
            "app.kubernetes.io/name=gather-worker",
        )
    if "brain" in facts.release.rooms and not _lets_out(out, brain, BRAIN_PORTS, facts):
        yield fail(
            POLICY,
            f"{said}: workers may not reach the brain",
            "allow egress to port 8080 of the release's brain for app.kubernetes.io/name=gather-worker",
        )
    port = None if facts.config_map is False else _model_port(facts.worker_settings or {})
    if port is not None and not _lets_out(out, None, (port, *NAMED_PORTS.get(port, ())), facts):
        yield warn(
            POLICY,
            f"{said}: workers may not reach port {port}, where the language models are",
            "allow egress to the language model for app.kubernetes.io/name=gather-worker",
        )


def _model_port(settings: Mapping[str, str]) -> int | None:
    """Return the port where models, or the proxy before them, listen; None where that is in the cluster."""
    url = urlsplit(
        settings.get("GATHER_LLM_PROXY") or settings.get("GATHER_LLM_BASE_URL") or "https://a.model"
    )
    host = url.hostname or ""
    if "." not in host or ".svc" in host:
        return None
    return url.port or (80 if url.scheme == "http" else HTTPS_PORT)


def _into_brain(facts: Facts, brain: Mapping[str, str]) -> Iterator[Finding]:
    into = _applying(facts.policies or (), "Ingress", brain)
    rules = [rule for policy in into for rule in policy["spec"].get("ingress") or ()]
    if into and not any(_lets(rule, "from", WORKER, BRAIN_PORTS, facts) for rule in rules):
        yield fail(
            POLICY,
            f"{_named(into)}: the brain takes no calls of workers",
            "set networkPolicy.enabled of the chart, or allow ingress to port 8080 of the "
            "brain from the namespace",
        )


def _named(policies: Sequence[Object]) -> str:
    return ", ".join(policy["metadata"]["name"] for policy in policies)


def _applying(policies: Sequence[Object], direction: str, labels: Mapping[str, str]) -> list[Object]:
    return [
        policy
        for policy in policies
        if direction in _directions(policy["spec"])
        and matches(policy["spec"].get("podSelector") or {}, labels)
    ]


def _directions(spec: Object) -> Sequence[str]:
    return spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _lets_out(
    policies: Sequence[Object], peer: Mapping[str, str] | None, ports: Sequence[object], facts: Facts
) -> bool:
    return any(
        _lets(rule, "to", peer, ports, facts)
        for policy in policies
        for rule in policy["spec"].get("egress") or ()
    )


def _lets(
    rule: Object, side: str, peer: Mapping[str, str] | None, ports: Sequence[object], facts: Facts
) -> bool:
    """Return whether a rule lets a peer through; a peer that is None is somewhere outside the namespace."""
    named = rule.get("ports")
    if named and not any(_has_port(each, ports) for each in named):
        return False
    peers = rule.get(side)
    return not peers or any(_is_peer(each, peer, facts) for each in peers)


def _has_port(named: Object, ports: Sequence[object]) -> bool:
    port, end = named.get("port"), named.get("endPort")
    if port is None:
        return True
    if end is not None and isinstance(port, int):
        return any(isinstance(each, int) and port <= each <= end for each in ports)
    return port in ports


def _is_peer(named: Object, peer: Mapping[str, str] | None, facts: Facts) -> bool:
    if peer is None:
        return "ipBlock" in named or "namespaceSelector" in named
    if "ipBlock" in named:
        return False
    if "namespaceSelector" in named and not matches(named["namespaceSelector"] or {}, facts.namespace_labels):
        return False
    return matches(named.get("podSelector") or {}, peer)
