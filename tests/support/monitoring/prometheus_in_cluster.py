"""Prometheus in a cluster: it scrapes and judges what the chart gives to the Prometheus Operator.

It runs as a pod in a namespace of its own, from the program in the cache, so that it is held to the network
policies and reads the Kubernetes API with a token, as everybody's does.
"""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from dev.cluster.deploy import RELEASE
from dev.paths import ROOT
from tests.support.deployed_gather import DeployedGather
from tests.support.kubernetes.own_release import OwnRelease
from tests.support.kubernetes.rendered_charts import of_kind

NAMESPACE: Final = "gather-e2e-monitoring"
NAME: Final = "prometheus"
PORT: Final = 9090
SCRAPE_S: Final = 5
"""The charts' default is 30; nothing but a test's time depends on it."""
MONITORED: Final = (
    "monitoring.serviceMonitor.enabled=true",
    f"monitoring.serviceMonitor.interval={SCRAPE_S}s",
    "monitoring.prometheusRule.enabled=true",
    "monitoring.dashboard.enabled=true",
)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The running one, through a port of this machine."""

    port: int

    def ask(self, path: str, **words: str | float) -> Any:
        """Return what its HTTP API answers; raises AssertionError with its words."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        answer = httpx.get(url, params=words, timeout=30)
        assert answer.is_success, f"{words}: {answer.text}"
        return answer.json()["data"]

    def targets(self) -> dict[str, str]:
        """Return the health of what is scraped, by its ServiceMonitor."""
        return {t["labels"]["job"]: t["health"] for t in self.ask("targets", state="active")["activeTargets"]}

    def firing(self) -> dict[str, str]:
        """Return the alerts that fire, with their summaries."""
        alerts = self.ask("alerts")["alerts"]
        return {
            a["labels"]["alertname"]: a["annotations"]["summary"] for a in alerts if a["state"] == "firing"
        }

    def fired(self, since_s: float) -> set[str]:
        """Return the alerts that have fired at some time since then, in Unix time."""
        query = 'ALERTS{alertstate="firing"}'
        found = self.ask("query_range", query=query, start=since_s, end=time.time(), step=SCRAPE_S)["result"]
        return {series["metric"]["alertname"] for series in found}

    def value(self, query: str) -> float | None:
        """Return the number that a query has now, None if it has none."""
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None

    def has_data(self, query: str, begin_s: float, end_s: float) -> bool:
        """Return whether a query has a number anywhere between two moments, in Unix time."""
        found = self.ask("query_range", query=query, start=begin_s, end=end_s, step=SCRAPE_S)["result"]
        return any(not math.isnan(float(value)) for series in found for _, value in series["values"])


def _release(gather: DeployedGather) -> OwnRelease:
    return OwnRelease(gather, [str(ROOT / "dev" / "helm")])


def rendered(gather: DeployedGather) -> list[Document]:
    """Return what the chart gives a cluster with the Prometheus Operator, by the release's own values."""
    values = _release(gather).helm("get", "values", RELEASE, "--output", "yaml")
    settings = [word for setting in MONITORED for word in ("--set", setting)]
    chart = str(ROOT / "charts" / RELEASE)
    text = _release(gather).helm("template", RELEASE, chart, "--values", "-", *settings, stdin=values)
    return [document for document in yaml.safe_load_all(text) if document]


def scrape_config(monitor: Mapping[str, Any], namespace: str) -> Document:
    """Return what the Prometheus Operator makes of a ServiceMonitor with one endpoint."""
    (endpoint,) = monitor["spec"]["endpoints"]
    wanted = {
        f"__meta_kubernetes_service_label_{re.sub(r'[^a-z]', '_', label)}": text
        for label, text in monitor["spec"]["selector"]["matchLabels"].items()
    }
    wanted["__meta_kubernetes_endpointslice_port_name"] = endpoint["port"]
    labels = {
        "namespace": "__meta_kubernetes_namespace",
        "service": "__meta_kubernetes_service_name",
        "pod": "__meta_kubernetes_pod_name",
        "endpoint": "__meta_kubernetes_endpointslice_port_name",
    }
    return {
        "job_name": monitor["metadata"]["name"],
        "honor_labels": endpoint["honorLabels"],
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["interval"],
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            *({"action": "keep", "source_labels": [label], "regex": text} for label, text in wanted.items()),
            *({"target_label": label, "source_labels": [source]} for label, source in labels.items()),
        ],
    }


def rules_at_once(documents: list[Document]) -> list[Document]:
    """Return the chart's groups of rules, whose alerts fire as soon as their condition holds.

    How long it has to hold is tried by promtool (`tests/contract/charts/test_alerts.py`), to the minute.
    """
    groups = [group for found in of_kind(documents, "PrometheusRule") for group in found["spec"]["groups"]]
    return [
        {
            "name": group["name"],
            "rules": [{k: v for k, v in rule.items() if k != "for"} for rule in group["rules"]],
        }
        for group in groups
    ]


def _configuration(documents: list[Document], namespace: str) -> dict[str, str]:
    monitors = of_kind(documents, "ServiceMonitor")
    whole = {
        "global": {"evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [scrape_config(monitor, namespace) for monitor in monitors],
    }
    return {
        "prometheus.yaml": json.dumps(whole),
        "rules.yaml": json.dumps({"groups": rules_at_once(documents)}),
    }


def _right_to_look() -> list[Document]:
    """Return the Role that finds targets, for the namespace that has them."""
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["get", "list", "watch"],
        },
    ]
    meta = {"name": NAMESPACE}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    reference = {"apiGroup": rbac, "kind": "Role", "name": NAMESPACE}
    binding = {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
    del binding["rules"]
    return [role, binding]


def _pod(image: str, program: Path) -> Document:
    """Return the pod; `image` is any that the node has, since the program is alone."""
    command = [
        "/program/prometheus",
        "--config.file=/configuration/prometheus.yaml",
        "--storage.tsdb.path=/data",
        f"--web.listen-address=:{PORT}",
    ]
    container = {
        "name": NAME, "image": image, "imagePullPolicy": "Never", "command": command,
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "program", "mountPath": "/program", "readOnly": True},
            {"name": "configuration", "mountPath": "/configuration"},
            {"name": "data", "mountPath": "/data"},
        ],
    }  # fmt: skip
    volumes = [
        {"name": "program", "hostPath": {"path": str(program), "type": "Directory"}},
        {"name": "configuration", "configMap": {"name": NAME}},
        {"name": "data", "emptyDir": {}},
    ]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME},
        "spec": {
            "serviceAccountName": NAME, "containers": [container], "volumes": volumes,
            "securityContext": {"runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534},
            "terminationGracePeriodSeconds": 0,
        },
    }  # fmt: skip


@contextmanager
def _let_in(gather: DeployedGather) -> Iterator[None]:
    """Let the namespace in as docs/metrics.md says, by the chart's value."""

    def upgrade(clients: list[dict[str, str]]) -> None:
        setting = f"networkPolicy.clientNamespaces={json.dumps(clients)}"
        chart = str(ROOT / "charts" / RELEASE)
        _release(gather).helm(
            "upgrade", RELEASE, chart, "--reuse-values", "--take-ownership", "--wait",
            "--set-json", setting,
        )  # fmt: skip

    upgrade([{"kubernetes.io/metadata.name": NAMESPACE}])
    try:
        yield
    finally:
        upgrade([])


@contextmanager
def prometheus_in_cluster(gather: DeployedGather, program: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus that scrapes the release; afterwards all is as before.

    Args:
        gather: the release.
        program: the folder of the built program, which the node sees as this machine does.
    """
    own = DeployedGather(gather.kubectl_command, NAMESPACE)
    demo = json.loads(gather.kubectl("get", "deployment", "gather-backing-demo-llm", "-o", "json"))
    image = demo["spec"]["template"]["spec"]["containers"][0]["image"]
    data = _configuration(rendered(gather), gather.namespace)
    there: list[Document] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": data},
        _pod(image, program),
    ]
    try:
        own.kubectl("create", "namespace", NAMESPACE)
        gather.kubectl("apply", "-f", "-", stdin=_list(_right_to_look()))
        with _let_in(gather):
            own.kubectl("create", "-f", "-", stdin=_list(there))
            own.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=50s")
            with own.forward_pod(NAME, PORT) as port:
                yield Prometheus(port)
    finally:
        gather.kubectl("delete", "role,rolebinding", NAMESPACE, "--ignore-not-found")
        own.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def _list(items: list[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
