"""What the charts give to Prometheus and Grafana: left out until asked for, and true."""

import json
import re
from collections.abc import Callable
from typing import Any

from gather_brain.metrics import Metrics
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_operator import worker_metrics
from gather_operator.metrics import REGISTRY
from tests.support.kubernetes.rendered_charts import DOORS, named, of_kind

ROOMS = ("operator", "brain", "bridge", *DOORS)
Render = Callable[..., list[dict[str, Any]]]

MONITORED = tuple(
    f"monitoring.{part}.enabled=true" for part in ("serviceMonitor", "prometheusRule", "dashboard")
)


def test_monitoring_is_left_out_until_it_is_asked_for(render: Render) -> None:
    """A cluster without the Prometheus Operator does not know these kinds."""
    assert not of_kind(render("gather"), "ServiceMonitor")
    assert not of_kind(render("gather"), "PrometheusRule")
    assert not [
        c for c in of_kind(render("gather"), "ConfigMap") if c["metadata"]["name"].endswith("dashboard")
    ]


def test_monitors_lead_to_services_and_carry_the_labels_asked_for(render: Render) -> None:
    """By which a Prometheus finds them."""
    documents = render("gather", *MONITORED, 'monitoring.labels={"release": "prometheus"}')
    monitors = of_kind(documents, "ServiceMonitor")
    services = {s["metadata"]["name"]: s for s in of_kind(documents, "Service")}
    assert {m["metadata"]["name"] for m in monitors} == {f"gather-{room}" for room in ROOMS}
    for monitor in monitors:
        service = services[monitor["metadata"]["name"]]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (scraped,) = monitor["spec"]["endpoints"]
        ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
        # The operator serves probes besides, and nothing to callers.
        port = 8080 if monitor["metadata"]["name"] == "gather-operator" else 9090
        assert (scraped["honorLabels"], ports[scraped["port"]]) == (True, port)
        (let_in,) = named(documents, "NetworkPolicy", monitor["metadata"]["name"])["spec"]["ingress"]
        assert {"port": scraped["port"]} in let_in["ports"]
    dashboard = named(documents, "ConfigMap", "gather-dashboard")
    for found in (*monitors, *of_kind(documents, "PrometheusRule"), dashboard):
        assert found["metadata"]["labels"]["release"] == "prometheus"


def test_dashboard_and_alerts_name_only_metrics_that_there_are(render: Render) -> None:
    """And show every one that the workers' measurements become, and every one of the doors."""
    documents = render("gather", *MONITORED)
    board = json.loads(named(documents, "ConfigMap", "gather-dashboard")["data"]["gather.json"])
    shown = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    groups = [group for each in of_kind(documents, "PrometheusRule") for group in each["spec"]["groups"]]
    alerts = [rule["expr"] for group in groups for rule in group["rules"]]
    assert len(alerts) >= 16
    metered = (DoorMetrics(), CeleryMetrics("task"))
    doors = {family.name for each in metered for family in each.registry.collect()}
    brain = {family.name for family in Metrics().registry.collect()}
    known = doors | brain | {family.name for family in REGISTRY.collect()}
    named_there = {
        re.sub(r"_(bucket|sum|count|total)$", "", name)
        for expression in (*shown, *alerts)
        for name in re.findall(r"\b(?:gather|celery|http|rate_limit)_[a-z_]+", expression)
    }
    assert named_there <= known
    times = {f"gather_worker_{name}_seconds" for name, _ in worker_metrics.TIMED.values()}
    assert times | doors <= named_there
