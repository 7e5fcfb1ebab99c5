"""Every value of the chart has an effect, and left empty it has none."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT

CHART: Final = ROOT / "charts" / "gather"
Render = Callable[..., list[dict[str, Any]]]
EVERYTHING: Final = (
    "operator.replicas=2", "operator.shards=2", "bridge.replicas=2",
    "doors.http.replicas=2", "doors.celery.replicas=2",
    "brain.autoscaling.enabled=true", "brain.autoscaling.minReplicas=2",
    "bridge.ingress.enabled=true", 'bridge.ingress.hosts=[{"host": "gather.example.com"}]',
    "bridge.httpRoute.enabled=true", 'bridge.httpRoute.parentRefs=[{"name": "public"}]',
    "monitoring.serviceMonitor.enabled=true", "monitoring.prometheusRule.enabled=true",
    "monitoring.dashboard.enabled=true",
)  # fmt: skip
"""So that no value waits for another."""
NODES: Final = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "arch", "operator": "In", "values": ["arm64"]}]}]}}}  # fmt: skip
OTHERS: Final[dict[str, Any]] = {
    "affinity": NODES,
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "tolerations": [{"operator": "Exists"}],
    "extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "b", "key": "c"}}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    "imagePullSecrets": [{"name": "pull"}],
    "env": {"SOME": "1"},
    "resources": {"requests": {"cpu": "33m"}, "limits": {"memory": "333Mi"}},
    "digest": f"sha256:{'0' * 64}",
    "logLevel": "DEBUG",
    "pullPolicy": "Always",
    "podSecurityContext": {"runAsUser": 1000680000},
    "ipFamilyPolicy": "PreferDualStack",
    "ipFamilies": ["IPv6", "IPv4"],
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    "hosts": [{"host": "other.example.com"}],
    "tls": [{"hosts": ["gather.example.com"], "secretName": "tls"}],
    "parentRefs": [{"name": "other"}],
    "hostnames": ["gather.example.com"],
    "path": "/gather",
    "authorization": "Bearer",
    "detail": "full",
    "callbackUrl": "https://app.example.com/done",
    "provider": {"zdr": True},
    "effort": "low",
    "extraBody": {"temperature": 1},
    "proxy": "http://proxy:3128",
    "caFile": "/etc/gather/secrets/ca.crt",
    "queues": ["other"],
    "brokerOptions": {"sep": ":"},
    "clientNamespaces": [{"team": "app"}],
    "allowedOrigins": ["https://app.example.com"],
    "modelVolume": {"persistentVolumeClaim": {"claimName": "models"}},
    "neo4jUri": "bolt://other:7687",
    "appUrl": "https://other.example.com",
    "llmBaseUrl": "https://other.example.com/v1",
    "doorUrl": "http://other:8080",
    "imageRegistry": "registry.example.com/mirror",
    "interval": "15s",
    "minAvailable": "50%",
    "runbookUrl": "https://other.example.com",
    "embedding": "accurate",
    "nextEmbedding": "accurate",
    "maxTokens": 1000,
    "targetMemoryUtilizationPercentage": 70,
    "instructionsField": "other",
    "closed": ["192.0.2.0/24"],
}  # fmt: skip
"""Another value than the default, by the value's last name; of those not named, one of the default's type."""
NEEDS: Final = {
    "brain.replicas": "brain.autoscaling.enabled=false",
    "tests.check.strict": "tests.check.enabled=true",
}
WITHOUT: Final = {"checks.existingSecrets"}
"""What is looked at in a cluster alone."""
WHOLE: Final = {"resources", "podSecurityContext", "nodeSelector"}


def leaves(values: dict[str, Any], *path: str) -> Iterator[tuple[str, Any]]:
    """Yield each value's name and default."""
    for key, default in values.items():
        if isinstance(default, dict) and default and key not in WHOLE:
            yield from leaves(default, *path, key)
        else:
            yield ".".join((*path, key)), default


DEFAULTS: Final = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))))
DEVELOPMENT: Final = dict(leaves(yaml.safe_load((CHART / "values-dev.yaml").read_text("utf-8"))))
"""What the fixture renders with, over the defaults."""


def other_than(name: str, default: Any) -> Any:
    """Return another value that the schema takes."""
    last = name.rpartition(".")[2]
    if name.startswith("networkPolicy.egress.") and last not in {"enabled", "closed"}:
        return [{"to": [{"podSelector": {}}], "ports": [{"port": 1234}]}]
    if last in OTHERS:
        return OTHERS[last]
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    return {"other": "value"} if isinstance(default, dict) else "other"


@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - WITHOUT))
def test_each_value_changes_what_is_rendered(render: Render, name: str) -> None:
    """Else it would be a promise without an effect."""
    given = (*EVERYTHING, *filter(None, [NEEDS.get(name)]))
    now = dict(setting.split("=", 1) for setting in given).get(name)
    other = other_than(name, {**DEFAULTS, **DEVELOPMENT}[name] if now is None else json.loads(now))
    base = [*render("gather", *given)]
    assert render("gather", *given, f"{name}={json.dumps(other)}") != base


def test_an_empty_value_is_as_none(render: Render) -> None:
    """Said, unsaid, or null over the default: all the same, so a copy of the defaults changes nothing."""
    empty = {name: value for name, value in DEFAULTS.items() if value in ({}, [], "", None)}
    needed = {"appUrl", "brain.neo4jUri"} | {
        name for name in empty if name.endswith(("existingSecret", ".tag"))
    }
    optional = sorted(empty.keys() - needed - DEVELOPMENT.keys())
    assert len(optional) > 70
    said = [f"{name}={json.dumps(empty[name])}" for name in optional]
    assert render("gather", *said) == render("gather")
    lists = [name for name in optional if isinstance(empty[name], (dict, list))]
    assert render("gather", *(f"{name}=null" for name in lists)) == render("gather")
