"""What the charts render: hardened pods, no secrets in sight, least rights, names that fit together."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from dev.artefacts import versions
from dev.paths import ROOT
from gather_brain.auth.api_keys import BootstrapKey
from gather_brain.limits.policy import LIMIT_NAMES
from gather_bridge.http_door.door_keys import DoorKey
from gather_contracts import names
from gather_operator.settings import Settings
from gather_worker.check.checklist import CheckSettings
from gather_worker.cli.arguments import parse_arguments
from tests.support.kubernetes.rendered_charts import DOORS, named, of_kind

CHARTS = ROOT / "charts"
BOTH = ("gather", "gather-backing")
ROOMS = ("operator", "brain", "bridge", *DOORS)
SECRET_NAMES = re.compile(r"_KEY$|PASSWORD|SECRET$|MONGODB_URI|REDIS_URL|TOKEN$")
NO_SECRETS = {"GATHER_WORKER_SECRET"}
"""Names of Secrets, which are no secret."""

Helm = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
Render = Callable[..., list[dict[str, Any]]]


def pods(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the spec of every pod that the documents lead to."""
    for document in documents:
        if document["kind"] in {"Deployment", "Job"}:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
        elif document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]


@pytest.mark.parametrize("chart", BOTH)
def test_every_pod_passes_the_restricted_profile_and_more(render: Render, chart: str) -> None:
    """Non-root, no new privileges, no capabilities, a root that cannot be written, no service links."""
    found = list(pods(render(chart)))
    assert len(found) >= 4
    for name, pod in found:
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == security["runAsGroup"] == 10001, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["enableServiceLinks"] is False, name
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= {"secret", "emptyDir", "configMap", "projected"}, name
            for source in volume.get("projected", {}).get("sources", []):
                assert set(source) == {"secret"}, name  # and no token
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"requests", "limits"} <= set(container["resources"]), name
            assert "memory" in container["resources"]["limits"], name


@pytest.mark.parametrize("chart", BOTH)
def test_only_the_operator_and_the_doors_get_a_token(render: Render, chart: str) -> None:
    """And the hook that does its last work; every other pod and every ServiceAccount says no."""
    tokens = {name: pod.get("automountServiceAccountToken") for name, pod in pods(render(chart))}
    doors = {f"gather-{door}" for door in DOORS}
    expected = {"gather-operator", "gather-release-runs", *doors} if chart == "gather" else set()
    assert {name for name, token in tokens.items() if token is not False} == expected
    for account in of_kind(render(chart), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_each_room_has_its_own_service_account(render: Render) -> None:
    """Worker included, whose pods the operator makes."""
    accounts = {a["metadata"]["name"] for a in of_kind(render("gather"), "ServiceAccount")}
    assert accounts == {"gather-worker", *(f"gather-{room}" for room in ROOMS)}
    for name, pod in pods(of_kind(render("gather"), "Deployment")):
        assert pod["serviceAccountName"] == name


@pytest.mark.parametrize("chart", BOTH)
def test_long_running_pods_are_probed_in_three_ways(render: Render, chart: str) -> None:
    """A startup probe, so that liveness need not know how slow a start may be."""
    for document in of_kind(render(chart), "Deployment"):
        for container in document["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("chart", BOTH)
def test_no_secret_is_in_an_environment_variable_or_argument(render: Render, chart: str) -> None:
    """Secrets are files; `kubectl describe pod` shows none."""
    for name, pod in pods(render(chart)):
        for container in pod["containers"]:
            for variable in container.get("env", []):
                assert set(variable.get("valueFrom", {})) <= {"fieldRef"}, name
                assert variable["name"] in NO_SECRETS or not SECRET_NAMES.search(variable["name"]), variable
            assert all(set(source) == {"configMapRef"} for source in container.get("envFrom", [])), name
            assert "://" not in json.dumps(container.get("args", [])).replace("http://", ""), name
    for config in of_kind(render(chart), "ConfigMap"):
        assert not [key for key in config["data"] if SECRET_NAMES.search(key)]


def test_services_lead_to_the_pods_of_their_room(render: Render) -> None:
    """By labels, on port 8080, which all rooms serve."""
    documents = render("gather")
    for room in ROOMS:
        service = named(documents, "Service", f"gather-{room}")
        workload = named(documents, "Deployment", f"gather-{room}")
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert service["spec"]["ports"][0]["port"] == 8080


def test_the_two_charts_fit_together(render: Render) -> None:
    """Every Secret and every address that gather's development values name is made by gather-backing."""
    backing = render("gather-backing")
    secrets = {s["metadata"]["name"]: set(s["stringData"]) for s in of_kind(backing, "Secret")}
    services = {s["metadata"]["name"] for s in of_kind(backing, "Service")}
    wanted = {
        "gather-backing-operator": {"REDIS_URL"},
        "gather-backing-worker": {"MONGODB_URI", "REDIS_URL", "BRAIN_SERVICE_API_KEY", "OPENROUTER_API_KEY"},
        "gather-backing-brain": {"REDIS_URL", "keys.json"},
        "gather-backing-bridge": {
            "REDIS_URL",
            "GATHER_WEBHOOK_SECRET",
            "GATHER_BRIDGE_DOOR_KEY",
            "tokens.json",
        },
        "gather-backing-celery-door": {"REDIS_URL"},
        "gather-backing-http-door": {"REDIS_URL", "keys.json"},
    }
    assert {name: wanted[name] <= files for name, files in secrets.items()} == dict.fromkeys(wanted, True)
    text = json.dumps(render("gather"))
    assert set(re.findall(r'"secretName": "([^"]+)"', text)) <= set(secrets)
    hosts = {host for host in re.findall(r"//([a-z0-9-]+)[:./]", text) if host.startswith("gather-backing")}
    assert hosts <= services


def test_the_page_s_key_opens_the_door(render: Render) -> None:
    """The door has the hash, the bridge the key."""
    secrets = {s["metadata"]["name"]: s["stringData"] for s in of_kind(render("gather-backing"), "Secret")}
    key = secrets["gather-backing-bridge"]["GATHER_BRIDGE_DOOR_KEY"]
    (entry,) = json.loads(secrets["gather-backing-http-door"]["keys.json"])
    read = TypeAdapter(DoorKey).validate_python(entry)
    assert (read.sha256, read.projects) == (hashlib.sha256(key.encode()).hexdigest(), ("*",))


def test_the_brain_s_bootstrap_key_is_the_workers_key(render: Render) -> None:
    """The brain has the hash, the workers the key; both are of one rendering."""
    secrets = {s["metadata"]["name"]: s["stringData"] for s in of_kind(render("gather-backing"), "Secret")}
    key = secrets["gather-backing-worker"]["BRAIN_SERVICE_API_KEY"]
    (entry,) = json.loads(secrets["gather-backing-brain"]["keys.json"])
    assert entry["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert entry["projects"] == ["*"]
    read = TypeAdapter(BootstrapKey).validate_python(entry)
    assert {name: policy.per_minute for name, policy in read.limits.items()} == dict.fromkeys(
        LIMIT_NAMES, 6000
    )


def test_the_brain_is_given_its_embedding_models_by_settings_and_a_volume(render: Render) -> None:
    """An endpoint by environment variables, further folders by a volume that cannot be written."""
    rendered = render(
        "gather",
        'brain.env.GATHER_BRAIN_EMBEDDING_PROVIDER="openai"',
        'brain.env.GATHER_BRAIN_NEXT_MODEL_DIR="/models/more/next"',
        'brain.modelVolume.persistentVolumeClaim.claimName="models"',
    )
    pod = named(rendered, "Deployment", "gather-brain")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {"name": "GATHER_BRAIN_EMBEDDING_PROVIDER", "value": "openai"} in container["env"]
    assert {"name": "GATHER_BRAIN_NEXT_MODEL_DIR", "value": "/models/more/next"} in container["env"]
    assert {"name": "models", "mountPath": "/models/more", "readOnly": True} in container["volumeMounts"]
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models"}} in pod["volumes"]
    (plain, *_) = named(render("gather"), "Deployment", "gather-brain")["spec"]["template"]["spec"][
        "containers"
    ]
    assert "models" not in {mount["name"] for mount in plain["volumeMounts"]}


def test_the_operator_asks_the_cms_as_the_values_say(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Payload wants it where they say nothing, the check too; their own settings read what is rendered."""
    other = 'operator.cms={"authorization":"Bearer","limit":1000,"paging":false,"emptyPatienceSeconds":0.5}'
    for secret in ("REDIS_URL", "MONGODB_URI", "BRAIN_SERVICE_API_KEY"):
        monkeypatch.setenv(secret, "redis://redis")
    for settings, expected in (((), ("users API-Key", 100, True)), ((other,), ("Bearer", 1000, False))):
        documents = render("gather", *settings)
        operator = named(documents, "Deployment", "gather-operator")["spec"]["template"]["spec"]
        check = named(documents, "Pod", "gather-test-worker-check")["spec"]
        for pod, kind in ((operator, Settings), (check, CheckSettings)):
            with monkeypatch.context() as environment:
                worker = named(documents, "ConfigMap", "gather-worker")["data"]
                own = {
                    variable["name"]: variable.get("value", "a-pod")
                    for variable in pod["containers"][0]["env"]
                }
                for name, value in {**worker, **own}.items():
                    environment.setenv(name, value)
                read = kind()
            assert (read.cms_authorization, read.cms_limit, read.cms_paging) == expected
            assert getattr(read, "cms_empty_patience_s", 60) == (0.5 if settings and kind is Settings else 60)
            assert str(read.app_url).rstrip("/") == "http://gather-backing-demo-cms:8080"


def test_workers_are_told_where_an_evaluation_goes(render: Render) -> None:
    """A task that is declared without a name has its full path for one."""
    path = "app.tasks.evaluation_tasks.evaluate_department"
    other = f'worker.evaluation={{"task": "{path}", "queue": "reviews", "priority": 0, "detail": "full"}}'
    for settings, expected in (
        ((), ["evaluate_department", "cpu_intensive", "1", "minimal"]),
        ((other,), [path, "reviews", "0", "full"]),
    ):
        data = named(render("gather", *settings), "ConfigMap", "gather-worker")["data"]
        assert [data[f"GATHER_EVALUATION_{n}"] for n in ("TASK", "QUEUE", "PRIORITY", "DETAIL")] == expected
    callback = "https://app.example.org/api/evaluations"
    own = f'worker.evaluation={{"detail": "application", "callbackUrl": "{callback}"}}'
    data = named(render("gather", own), "ConfigMap", "gather-worker")["data"]
    assert data["GATHER_EVALUATION_DETAIL"] == "application"
    assert data["GATHER_EVALUATION_CALLBACK_URL"] == callback
    default = named(render("gather"), "ConfigMap", "gather-worker")["data"]
    assert "GATHER_EVALUATION_CALLBACK_URL" not in default
    assert default["GATHER_EVALUATION_TASK"] == names.EVALUATION_TASK
    assert default["GATHER_EVALUATION_QUEUE"] == names.EVALUATION_QUEUE
    assert default["GATHER_EVALUATION_PRIORITY"] == str(names.EVALUATION_PRIORITY)


def test_the_crd_is_kept_and_can_be_left_out(render: Render) -> None:
    """Uninstalling deletes no run; a second release brings no second CRD."""
    (crd,) = of_kind(render("gather"), "CustomResourceDefinition")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    (unkept,) = of_kind(render("gather", "crds.keep=false"), "CustomResourceDefinition")
    assert "annotations" not in unkept["metadata"]
    assert not of_kind(render("gather", "crds.enabled=false"), "CustomResourceDefinition")


def test_the_crd_of_the_chart_is_the_generated_one(render: Render) -> None:
    """`kubectl apply -f crds/` and Helm install the same."""
    (crd,) = of_kind(render("gather", "crds.keep=false"), "CustomResourceDefinition")
    (generated,) = [
        yaml.safe_load(file.read_text(encoding="utf-8")) for file in (CHARTS.parent / "crds").glob("*.yaml")
    ]
    assert crd["spec"] == generated["spec"]


def test_images_default_to_the_chart_s_version_and_can_be_named(render: Render) -> None:
    """Operator and workers share it, since they share messages."""
    documents = render("gather", 'operator.image.tag=""')
    images = {name: pod["containers"][0]["image"] for name, pod in pods(documents)}
    version = yaml.safe_load((CHARTS / "gather" / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    assert images["gather-operator"] == f"localhost/gather-operator:{version}"
    assert images["gather-brain"] == "localhost/gather-brain:dev"


def test_another_release_name_moves_every_name(render: Render) -> None:
    """Two releases in one cluster do not meet."""
    for chart in BOTH:
        for document in render(chart, release="second"):
            if document["kind"] != "CustomResourceDefinition":
                assert document["metadata"]["name"].startswith("second"), document["metadata"]["name"]


def test_our_helm_knows_its_version(helm: Helm) -> None:
    """And Kubernetes', or it would refuse our charts wherever it has no cluster to ask."""
    assert helm(["version", "--template", "{{.Version}}"]).stdout == f"v{versions.HELM}"


@pytest.mark.parametrize("missing", ["operator.existingSecret", "brain.neo4jUri", "appUrl"])
def test_what_cannot_be_guessed_is_asked_for_by_name(helm: Helm, missing: str) -> None:
    """Before anything is installed, with the value's name."""
    chart = CHARTS / "gather"
    done = helm([
        "template", "gather", str(chart),
        "--values", str(chart / "values-dev.yaml"), "--set", f"{missing}=",
    ])  # fmt: skip
    assert done.returncode != 0
    assert f"{missing} is required" in done.stderr


@pytest.mark.parametrize("chart", BOTH)
def test_an_unknown_value_is_refused(helm: Helm, chart: str) -> None:
    """The schema is closed."""
    done = helm(["template", "x", str(CHARTS / chart), "--set", "typo=1"])
    assert done.returncode != 0
    assert "typo" in done.stderr


@pytest.mark.parametrize(
    "value",
    ["worker.env.GATHER_LLM_PROXY=http://u:p@proxy:3128", "worker.env.HTTPS_PROXY=http://u:p@proxy:3128",
     "operator.env.HTTP_PROXY=http://:p@proxy:3128", "llmBaseUrl=https://u:p@models/v1",
     "model.proxy=http://u:p@proxy:3128"],
)  # fmt: skip
def test_an_address_with_a_password_is_refused(helm: Helm, value: str) -> None:
    """It would stand in a ConfigMap or a pod, where people without a right to Secrets read it."""
    done = helm(["template", "x", str(CHARTS / "gather"), "--values", str(CHARTS / "gather/values-dev.yaml"),
                 "--set", value])  # fmt: skip
    assert done.returncode != 0
    assert value.partition("=")[0].rpartition(".")[2] in done.stderr


def test_the_helm_test_checks_what_workers_need_as_a_worker(render: Render) -> None:
    """With their image, Secret, settings and nodes, and with the model of departments that name none."""
    pod = named(render("gather"), "Pod", "gather-test-worker-check")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["nodeSelector"] == {"pool": "cpu_intensive"}
    key = [{"key": "PAYLOAD_API_KEY", "path": "PAYLOAD_API_KEY"}]
    operator = {"name": "gather-backing-operator", "items": key, "optional": True}
    sources = [{"secret": {"name": "gather-backing-worker"}}, {"secret": operator}]
    assert pod["spec"]["volumes"] == [
        {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}}
    ]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "localhost/gather-worker:dev"
    assert container["args"] == ["check", "--table", "--model=anthropic/claude-sonnet-4.5"]
    assert container["envFrom"] == [{"configMapRef": {"name": "gather-worker"}}]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables["GATHER_SECRETS_DIR"] == container["volumeMounts"][0]["mountPath"]
    assert variables["NEXT_PUBLIC_APP_URL"] == "http://gather-backing-demo-cms:8080"
    parse_arguments(container["args"])  # the worker knows them


def test_the_check_can_be_stricter_or_left_out(render: Render) -> None:
    """Both by values."""
    strict = named(render("gather", "tests.check.strict=true"), "Pod", "gather-test-worker-check")
    assert strict["spec"]["containers"][0]["args"][-1] == "--strict"
    (pod,) = of_kind(render("gather", "tests.check.enabled=false"), "Pod")
    assert pod["metadata"]["name"] == "gather-test-rooms-ready"


@pytest.mark.parametrize("chart", BOTH)
def test_network_policies_can_be_left_out(render: Render, chart: str) -> None:
    """Where the network plugin does not enforce them they only look safe."""
    assert of_kind(render(chart), "NetworkPolicy")
    assert not of_kind(render(chart, "networkPolicy.enabled=false"), "NetworkPolicy")


def test_the_backing_services_say_that_they_are_not_for_production(render: Render) -> None:
    """On every object."""
    for document in render("gather-backing"):
        assert document["metadata"]["labels"]["gather.ft.tc/not-for"] == "production"


def test_a_changed_seed_gets_a_new_job(render: Render) -> None:
    """A Job cannot be changed, so its name follows what it is made of."""
    one, other = (
        of_kind(render("gather-backing", *settings), "Job")[0]["metadata"]["name"]
        for settings in ((), ('demo.seed.brainUrl="http://elsewhere:8080"',))
    )
    assert one != other
