"""The charts as people install them, rendered, each with a Job that its operator would make."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dev.artefacts.cache import Cache
from dev.cluster.kubectl import own_folders
from dev.errors import CommandError
from dev.paths import ROOT
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRun
from gather_operator.decisions.manifests import WorkerTemplate, build_job
from gather_operator.decisions.worker_pod import WorkerPod

CHARTS: Final = ROOT / "charts"
EXAMPLES: Final = ROOT / "examples"
NAMESPACE: Final = "film"
HELM_TIMEOUT_S: Final = 60
START_OF_DOCUMENT: Final = re.compile(r"^---$", re.MULTILINE)
REQUIRED: Final = (
    "appUrl=https://app.example.com", "brain.neo4jUri=neo4j+s://neo4j.example.com",
    *(f"{room}.existingSecret=gather-{room}" for room in ("operator", "worker", "brain", "bridge")),
)  # fmt: skip
"""What the chart cannot know; all else is its default."""
EVERYTHING: Final = (
    *REQUIRED, "operator.shards=2", "bridge.replicas=2", "outbox.enabled=true",
    "doors.http.enabled=true", "doors.http.replicas=2", "doors.http.existingSecret=gather-http-door",
    "doors.celery.enabled=true", "doors.celery.replicas=2", "doors.celery.existingSecret=gather-celery-door",
    "brain.autoscaling.enabled=true", "brain.autoscaling.minReplicas=2",
    "bridge.ingress.enabled=true", "bridge.ingress.hosts[0].host=gather.example.com",
    "bridge.ingress.tls[0].secretName=tls", "bridge.ingress.tls[0].hosts[0]=gather.example.com",
    "bridge.httpRoute.enabled=true", "bridge.httpRoute.parentRefs[0].name=public",
    "monitoring.serviceMonitor.enabled=true", "monitoring.prometheusRule.enabled=true",
    "monitoring.dashboard.enabled=true",
)  # fmt: skip
"""All that can be switched on."""
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    """A chart with some values; `files` are values files, the last one counts most."""

    name: str
    chart: str
    files: tuple[Path, ...] = ()
    settings: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return Helm's words for the chart and its values."""
        files = [word for file in self.files for word in ("--values", str(file))]
        return [str(CHARTS / self.chart), *files, *(word for s in self.settings for word in ("--set", s))]


def variants() -> list[Variant]:
    """Return the charts with defaults, with all there is, as in development, and with each example."""
    production = EXAMPLES / "values" / "production.yaml"
    examples = [file for file in sorted((EXAMPLES / "values").glob("*.yaml")) if file != production]
    return [
        Variant("default", "gather", settings=REQUIRED),
        Variant("everything", "gather", settings=EVERYTHING),
        Variant("development", "gather", (CHARTS / "gather" / "values-dev.yaml",)),
        Variant("production", "gather", (production,)),
        *(Variant(file.stem, "gather", (production, file)) for file in examples),
        Variant("backing", "gather-backing"),
        Variant("backing-development", "gather-backing", (CHARTS / "gather-backing" / "values-dev.yaml",)),
    ]


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm without a cluster."""

    program: Path
    cache: Cache

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; what it says of a wrong chart is in the result."""
        return subprocess.run(
            [str(self.program), *arguments],
            capture_output=True, text=True, timeout=HELM_TIMEOUT_S, check=False,
            env={**os.environ, **own_folders(self.cache), "KUBECONFIG": os.devnull},
        )  # fmt: skip

    def render(self, variant: Variant) -> list[Document]:
        """Return the variant's objects, and the Job that its operator would make; raises CommandError."""
        done = self.run("template", variant.chart, *variant.arguments(), "--namespace", NAMESPACE)
        if done.returncode:
            raise CommandError(f"{variant.name} does not render: {done.stderr}")
        texts = START_OF_DOCUMENT.split(done.stdout)
        documents = [d for text in texts if (d := yaml.load(text, Loader=yaml.CSafeLoader))]
        return [*documents, *_worker_jobs(documents)]


def place(document: Document) -> str:
    """Return how findings name an object."""
    return f"{document['kind']}/{document['metadata']['name']}"


def _worker_jobs(documents: Sequence[Document]) -> Iterator[Document]:
    """Yield the Job of one department, as the first operator among the objects would make it."""
    for document in documents:
        if document["kind"] == "Deployment" and "GATHER_WORKER_POD" in (values := _environment(document)):
            yield _worker_job(values)
            return


def _environment(deployment: Document) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", ())}


def _worker_job(values: dict[str, str]) -> Document:
    template = WorkerTemplate(
        image=values["GATHER_WORKER_IMAGE"],
        image_pull_policy=values["GATHER_WORKER_IMAGE_PULL_POLICY"],
        service_account=values["GATHER_WORKER_SERVICE_ACCOUNT"],
        secret=values["GATHER_WORKER_SECRET"],
        config_map=values["GATHER_WORKER_CONFIG_MAP"],
        node_selector=json.loads(values["GATHER_WORKER_NODE_SELECTOR"]),
        tolerations=json.loads(values["GATHER_WORKER_TOLERATIONS"]),
        resources=json.loads(values["GATHER_WORKER_RESOURCES"]),
    )
    example = yaml.safe_load((EXAMPLES / "gatherrun.yaml").read_text("utf-8"))
    identity = {"namespace": NAMESPACE, "uid": "00000000-0000-0000-0000-000000000000"}
    run = GatherRun.model_validate({**example, "metadata": {**example["metadata"], **identity}})
    department = ResolvedDepartment(slug="story", name="Story", code_dep_number=1, threshold=80, model="m")
    pod = WorkerPod.model_validate_json(values["GATHER_WORKER_POD"])
    return build_job(run, department, 0, 1, run.spec.max_iterations, pod.added_to(template))
