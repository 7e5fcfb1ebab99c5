"""What platforms ask of every chart: registries, placement, variables, volumes, IPv6, scaling, ways in."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT
from gather_operator.main import worker_template
from gather_operator.settings import Settings
from tests.support.kubernetes.rendered_charts import DOORS, named, of_kind

Helm = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
Render = Callable[..., list[dict[str, Any]]]
CHART: Final = ROOT / "charts" / "gather"
PRODUCTION: Final = ROOT / "examples" / "values" / "production.yaml"
VALUES: Final = {
    "operator": "operator",
    "brain": "brain",
    "bridge": "bridge",
    "celery-door": "doors.celery",
    "http-door": "doors.http",
}
"""Rooms that are Deployments, and where their values are."""
NODES: Final = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "arch", "operator": "In", "values": ["arm64"]}]}]}}}  # fmt: skip
SPREAD: Final = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
PARTS: Final[dict[str, Any]] = {
    "podLabels": {"team": "film"},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "priorityClassName": "high",
    "affinity": NODES,
    "topologySpreadConstraints": [SPREAD],
    "extraEnv": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:1"}},
}  # fmt: skip


def parts_of(value: str) -> list[str]:
    """All of them, as settings of one room."""
    return [f"{value}.{name}={json.dumps(part)}" for name, part in PARTS.items()]


def worker_of(documents: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the operator makes of its environment."""
    (container,) = named(documents, "Deployment", "gather-operator")["spec"]["template"]["spec"]["containers"]
    monkeypatch.setenv("REDIS_URL", "redis://redis")
    monkeypatch.setenv("MONGODB_URI", "mongodb://mongodb")
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "a-pod"))
    return worker_template(Settings())


@pytest.mark.parametrize("room", VALUES)
def test_a_room_s_pods_get_what_its_values_say(render: Render, room: str) -> None:
    """Beside what is ours, and no other room's do."""
    documents = render("gather", *parts_of(VALUES[room]))
    deployment = named(documents, "Deployment", f"gather-{room}")["spec"]
    pod, selector = deployment["template"]["spec"], deployment["selector"]["matchLabels"]
    assert {"team": "film", **selector}.items() <= deployment["template"]["metadata"]["labels"].items()
    assert "team" not in selector
    assert deployment["template"]["metadata"]["annotations"] == PARTS["podAnnotations"]
    assert (pod["priorityClassName"], pod["affinity"]) == ("high", NODES)
    assert pod["topologySpreadConstraints"] == [{**SPREAD, "labelSelector": {"matchLabels": selector}}]
    assert pod["containers"][0]["env"][-1:] == PARTS["extraEnv"]
    assert PARTS["extraVolumes"][0] in pod["volumes"]
    assert PARTS["extraVolumeMounts"][0] in pod["containers"][0]["volumeMounts"]
    account = named(documents, "ServiceAccount", f"gather-{room}")["metadata"]
    assert account["annotations"] == PARTS["serviceAccount"]["annotations"]
    others = [d for d in of_kind(documents, "Deployment") if d["metadata"]["name"] != f"gather-{room}"]
    assert len(others) == len(VALUES) - 1
    assert not [d for d in others if "annotations" in d["spec"]["template"]["metadata"]]


def test_workers_get_what_their_values_say(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the operator, who makes them; the check that runs as one does gets it too."""
    documents = render(
        "gather", *parts_of("worker"), 'commonLabels={"cost": "7"}', 'worker.podLabels={"team": "film"}'
    )
    made = worker_of(documents, monkeypatch)
    assert made.labels == {"team": "film", "cost": "7"}
    assert (made.annotations, made.priority_class) == (PARTS["podAnnotations"], "high")
    assert (made.affinity, made.topology_spread) == (NODES, [SPREAD])
    assert (made.env, made.volumes) == (PARTS["extraEnv"], PARTS["extraVolumes"])
    assert made.volume_mounts == PARTS["extraVolumeMounts"]
    account = named(documents, "ServiceAccount", "gather-worker")["metadata"]
    assert account["annotations"] == PARTS["serviceAccount"]["annotations"]
    check = named(documents, "Pod", "gather-test-worker-check")
    assert {"team": "film", "cost": "7"}.items() <= check["metadata"]["labels"].items()
    assert check["metadata"]["annotations"].keys() >= {"helm.sh/hook", *PARTS["podAnnotations"]}
    assert (check["spec"]["priorityClassName"], check["spec"]["affinity"]) == ("high", NODES)
    assert PARTS["extraEnv"][0] in check["spec"]["containers"][0]["env"]
    assert PARTS["extraVolumes"][0] in check["spec"]["volumes"]
    assert PARTS["extraVolumeMounts"][0] in check["spec"]["containers"][0]["volumeMounts"]


def test_null_clears_what_the_chart_says_of_workers(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """`worker.nodeSelector: null` is any node; the operator starts with it."""
    nulls = [
        f"worker.{name}=null" for name in ("nodeSelector", "tolerations", "resources", "affinity", "env")
    ]
    made = worker_of(render("gather", *nulls), monkeypatch)
    assert (made.node_selector, made.tolerations, made.resources) == ({}, [], {})
    check = named(render("gather", *nulls), "Pod", "gather-test-worker-check")["spec"]
    assert "nodeSelector" not in check


def test_openshift_may_give_user_and_groups(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """To all pods, the workers' too; null takes the whole away; a user of its ranges stays a whole number."""
    nulls = [f"podSecurityContext.{name}=null" for name in ("runAsUser", "runAsGroup", "fsGroup")]
    left = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for settings, expected in (
        (nulls, left),
        (["podSecurityContext=null"], {}),
        (
            ["podSecurityContext.runAsUser=1000680000"],
            {**left, "runAsUser": 1000680000, "runAsGroup": 10001, "fsGroup": 10001},
        ),
    ):  # fmt: skip
        documents = render("gather", *settings)
        found = [
            d["spec"]["template"]["spec"]
            for d in (*of_kind(documents, "Deployment"), *of_kind(documents, "Job"))
        ]
        found += [pod["spec"] for pod in of_kind(documents, "Pod")]
        assert [pod["securityContext"] for pod in found] == [expected] * len(found)
        assert worker_of(documents, monkeypatch).security_context == expected


def test_without_values_workers_are_held_to_what_the_chart_says(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's own default is the chart's."""
    made = worker_of(render("gather"), monkeypatch)
    pod = named(render("gather"), "Deployment", "gather-operator")["spec"]["template"]["spec"]
    monkeypatch.delenv("GATHER_WORKER_POD")
    assert made == worker_template(Settings())
    assert made.security_context == pod["securityContext"]


@pytest.mark.parametrize(("settings", "expected"), [
    (['global.imageRegistry="registry.example.com/mirror"'], "registry.example.com/mirror/gather-{}:dev"),
    (['global.imageRegistry="registry:5000"', 'brain.image.repository="film/gather-brain"',
      'operator.image.repository="ghcr.io/film/gather-operator"',
      'worker.image.repository="a.b:1/film/gather-worker"',
      'bridge.image.repository="film/gather-bridge"'], "registry:5000/film/gather-{}:dev"),
    ([f'{room}.image.digest="sha256:{"a" * 64}"' for room in ("operator", "worker", "brain", "bridge")],
     f"localhost/gather-{{}}:dev@sha256:{'a' * 64}"),
])  # fmt: skip
def test_images_come_from_where_the_values_say(
    render: Render, monkeypatch: pytest.MonkeyPatch, settings: list[str], expected: str
) -> None:
    """All of them, in one registry or by their digests."""
    documents = render("gather", *settings)
    images = {c["image"] for d in (*of_kind(documents, "Deployment"), *of_kind(documents, "Job"))
              for c in d["spec"]["template"]["spec"]["containers"]}  # fmt: skip
    images |= {c["image"] for pod in of_kind(documents, "Pod") for c in pod["spec"]["containers"]}
    assert images == {expected.format(room) for room in ("operator", "worker", "brain", "bridge")}
    assert worker_of(documents, monkeypatch).image == expected.format("worker")


def test_global_values_are_used_by_every_pod(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pull secrets beside the chart's own; a priority where a room has none of its own."""
    documents = render(
        "gather", 'global.imagePullSecrets=[{"name": "a"}]', 'imagePullSecrets=[{"name": "b"}]',
        'global.priorityClassName="low"', 'brain.priorityClassName="high"',
    )  # fmt: skip
    for document in of_kind(documents, "Deployment"):
        pod, name = document["spec"]["template"]["spec"], document["metadata"]["name"]
        assert pod["imagePullSecrets"] == [{"name": "b"}, {"name": "a"}]
        assert pod["priorityClassName"] == ("high" if name == "gather-brain" else "low")
    assert named(documents, "ServiceAccount", "gather-worker")["imagePullSecrets"] == [
        {"name": "b"},
        {"name": "a"},
    ]
    assert worker_of(documents, monkeypatch).priority_class == "low"


def test_an_unknown_global_value_is_refused_unless_it_is_another_chart_s(helm: Helm, tmp_path: Path) -> None:
    """A misspelt one would do nothing; a chart of charts has globals that are nothing to us."""
    arguments = ["--values", str(CHART / "values-dev.yaml")]
    alone = helm(["template", "x", str(CHART), *arguments, "--set", "global.imageRegistri=r"])
    assert alone.returncode != 0
    assert "global.imageRegistri is no value of this chart; global has imageRegistry" in alone.stderr
    backing = helm(["template", "x", str(ROOT / "charts/gather-backing"), "--set", "global.imageRegistry=r"])
    assert backing.returncode != 0
    assert "global.imageRegistry is no value of this chart" in backing.stderr
    whole = tmp_path / "whole"
    shutil.copytree(CHART, whole / "charts" / "gather")
    dependency = {"name": "gather", "version": "0.1.0"}
    chart = {"apiVersion": "v2", "name": "whole", "version": "1.0.0", "dependencies": [dependency]}
    (whole / "Chart.yaml").write_text(yaml.safe_dump(chart), "utf-8")
    values = {"gather": yaml.safe_load((CHART / "values-dev.yaml").read_text("utf-8")),
              "global": {"storageClass": "fast", "imageRegistry": "registry.example.com"}}  # fmt: skip
    (whole / "values.yaml").write_text(yaml.safe_dump(values), "utf-8")
    together = helm(["template", "x", str(whole)])
    assert together.returncode == 0, together.stderr
    assert "registry.example.com/gather-operator:dev" in together.stdout


@pytest.mark.parametrize("chart", ["gather", "gather-backing"])
def test_every_object_says_its_namespace(render: Render, chart: str) -> None:
    """For tools that apply what was rendered without one."""
    everything = (
        [f"{room}.replicas=2" for room in ("operator", "brain", "bridge")] if chart == "gather" else []
    )
    everything += ["monitoring.serviceMonitor.enabled=true", "monitoring.prometheusRule.enabled=true",
                   "monitoring.dashboard.enabled=true",
                   "bridge.ingress.enabled=true", 'bridge.ingress.hosts=[{"host": "a.example.com"}]',
                   "bridge.httpRoute.enabled=true", 'bridge.httpRoute.parentRefs=[{"name": "a"}]',
                   "brain.autoscaling.enabled=true"] if chart == "gather" else []  # fmt: skip
    documents = [d for d in render(chart, *everything) if d["kind"] != "CustomResourceDefinition"]
    assert {d["metadata"].get("namespace") for d in documents} == {"film"}
    labelled = render("gather", 'commonLabels={"cost": "7"}')
    assert {
        d["metadata"]["labels"].get("cost") for d in labelled if d["kind"] != "CustomResourceDefinition"
    } == {"7"}
    for deployment in of_kind(labelled, "Deployment"):
        assert deployment["spec"]["template"]["metadata"]["labels"]["cost"] == "7"
        assert "cost" not in deployment["spec"]["selector"]["matchLabels"]


def test_services_have_the_ip_families_that_the_values_say(render: Render) -> None:
    """All of them."""
    families = ['service.ipFamilyPolicy="RequireDualStack"', 'service.ipFamilies=["IPv6", "IPv4"]']
    services = of_kind(render("gather", *families), "Service")
    assert len(services) == len(VALUES)
    for service in services:
        assert service["spec"]["ipFamilyPolicy"] == "RequireDualStack"
        assert service["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
    assert not [
        s for s in of_kind(render("gather"), "Service") if {"ipFamilyPolicy", "ipFamilies"} & s["spec"].keys()
    ]


@pytest.mark.parametrize("room", VALUES)
def test_budgets_are_for_two_pods_or_more(render: Render, room: str) -> None:
    """One that keeps so many, or lets so many go; apart on nodes unless an affinity says otherwise."""
    value, name = VALUES[room], f"gather-{room}"
    two = render("gather", f"{value}.replicas=2")
    assert named(two, "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1
    spec = named(two, "Deployment", name)["spec"]
    assert named(two, "PodDisruptionBudget", name)["spec"]["selector"] == spec["selector"]
    assert list(spec["template"]["spec"]["affinity"]) == ["podAntiAffinity"]
    kept = render("gather", f"{value}.replicas=2", f'{value}.podDisruptionBudget.minAvailable="50%"')
    assert named(kept, "PodDisruptionBudget", name)["spec"].keys() == {"minAvailable", "selector"}
    for settings in (
        [f"{value}.replicas=1"],
        [f"{value}.replicas=2", f"{value}.podDisruptionBudget.enabled=false"],
    ):
        budgets = of_kind(render("gather", *settings), "PodDisruptionBudget")
        assert name not in {budget["metadata"]["name"] for budget in budgets}


def test_the_brain_grows_with_its_load(render: Render) -> None:
    """The Deployment then says no number, which would undo the autoscaler's at each upgrade."""
    scaled = render("gather", "brain.autoscaling.enabled=true", "brain.autoscaling.minReplicas=2")
    spec = named(scaled, "HorizontalPodAutoscaler", "gather-brain")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gather-brain"}
    assert (spec["minReplicas"], spec["maxReplicas"], len(spec["metrics"])) == (2, 4, 1)
    assert "replicas" not in named(scaled, "Deployment", "gather-brain")["spec"]
    assert named(scaled, "PodDisruptionBudget", "gather-brain")
    assert named(render("gather"), "Deployment", "gather-brain")["spec"]["replicas"] == 1


def test_the_bridge_is_reached_from_outside(render: Render, helm: Helm) -> None:
    """By an Ingress or an HTTPRoute, at its Service's port; each is refused without what it needs."""
    hosts = [
        {"host": "a.example.com"},
        {"host": "b.example.com", "paths": [{"path": "/api", "pathType": "Exact"}]},
    ]
    ways = render(
        "gather", "bridge.ingress.enabled=true", 'bridge.ingress.className="nginx"',
        f"bridge.ingress.hosts={json.dumps(hosts)}", 'bridge.ingress.annotations={"a": "b"}',
        'bridge.ingress.tls=[{"hosts": ["a.example.com"], "secretName": "tls"}]',
        "bridge.httpRoute.enabled=true",
        'bridge.httpRoute.parentRefs=[{"name": "public", "namespace": "gateways"}]',
        'bridge.httpRoute.hostnames=["a.example.com"]',
    )  # fmt: skip
    ports = {port["name"]: port["port"] for port in named(ways, "Service", "gather-bridge")["spec"]["ports"]}
    ingress = named(ways, "Ingress", "gather-bridge")
    first, second = ingress["spec"]["rules"]
    backend = {"service": {"name": "gather-bridge", "port": {"name": "http"}}}
    assert first["http"]["paths"] == [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert second["http"]["paths"] == [{"path": "/api", "pathType": "Exact", "backend": backend}]
    assert (ingress["spec"]["ingressClassName"], ingress["metadata"]["annotations"]) == ("nginx", {"a": "b"})
    route = named(ways, "HTTPRoute", "gather-bridge")["spec"]
    (rule,) = route["rules"]
    assert rule["backendRefs"] == [{"name": "gather-bridge", "port": ports["http"]}]
    assert rule["timeouts"] == {"request": "0s"}
    assert (route["parentRefs"], route["hostnames"]) == (
        [{"name": "public", "namespace": "gateways"}],
        ["a.example.com"],
    )
    for way, needed in (("ingress", "hosts"), ("httpRoute", "parentRefs")):
        arguments = ["--values", str(CHART / "values-dev.yaml")]
        done = helm(["template", "x", str(CHART), *arguments, "--set", f"bridge.{way}.enabled=true"])
        assert done.returncode != 0
        assert f"bridge.{way}.{needed} is required" in done.stderr


def test_helm_test_asks_every_room(render: Render) -> None:
    """Each shard of the operator, and the doors that there are."""
    documents = render("gather", "operator.shards=2")
    (container,) = named(documents, "Pod", "gather-test-rooms-ready")["spec"]["containers"]
    asked = {argument for argument in container["args"] if argument.startswith("http://")}
    services = {s["metadata"]["name"] for s in of_kind(documents, "Service")}
    assert asked == {f"http://{service}:8080/readyz" for service in services}
    assert len(asked) == 4 + len(DOORS)
    compile(container["args"][0], "rooms-ready", "exec")


def test_the_production_values_render(render: Render, helm: Helm) -> None:
    """By themselves, with all that one who runs Gather for others needs."""
    arguments = ["--values", str(PRODUCTION)]
    done = helm(["template", "gather", str(CHART), "--namespace", "gather", *arguments])
    assert done.returncode == 0, done.stderr
    documents = [d for d in yaml.safe_load_all(done.stdout) if d]
    rooms = {d["metadata"]["name"]: d["spec"]["replicas"] for d in of_kind(documents, "Deployment")}
    assert rooms == {"gather-operator": 2, "gather-brain": 2, "gather-bridge": 2}
    assert {b["metadata"]["name"] for b in of_kind(documents, "PodDisruptionBudget")} == rooms.keys()
    assert of_kind(documents, "Ingress")
    assert of_kind(documents, "PrometheusRule")
    images = {
        d["spec"]["template"]["spec"]["containers"][0]["image"] for d in of_kind(documents, "Deployment")
    }
    assert all(image.startswith("ghcr.io/gather/") for image in images)
    assert helm(["lint", "--strict", str(CHART), *arguments]).returncode == 0
