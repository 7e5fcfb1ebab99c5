"""An operator of its own in a namespace of its own, beside the deployment that the end-to-end tests share.

It uses that deployment's stores, brain, demo CMS and demo model. What a test leaves behind is removed by
force, so that one failure does not make the next.
"""

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from dev.cluster.deploy import namespace_manifest
from dev.paths import ROOT
from dev.waiting import wait_for
from gather_contracts import names
from tests.support.deployed_gather import DeployedGather

RELEASE = "gather"
HELM_TIMEOUT_S = 240
ABSENT = object()
"""A value that shall be the chart's own, not the shared release's."""


@dataclass(frozen=True)
class OwnRelease:
    """A release of the chart that a test may uninstall."""

    gather: DeployedGather
    helm_command: Sequence[str]

    @property
    def namespace(self) -> str:
        return self.gather.namespace

    def helm(self, *args: str, stdin: str | None = None) -> str:
        """Run helm in the namespace; raises AssertionError with its words."""
        done = subprocess.run(
            [*self.helm_command, *args, "--namespace", self.namespace],
            input=stdin, capture_output=True, text=True, timeout=HELM_TIMEOUT_S, check=False,
        )  # fmt: skip
        assert not done.returncode, f"helm {' '.join(args)}: {done.stderr.strip()}"
        return done.stdout

    def uninstall(self) -> None:
        """Uninstall the release as a user does."""
        self.helm("uninstall", RELEASE, "--wait", "--timeout", "180s")

    def delete_namespace(self) -> None:
        """Begin to delete the namespace."""
        self.gather.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def is_gone(self) -> bool:
        """Return whether the namespace no longer exists."""
        return not self.gather.kubectl("get", "namespace", self.namespace, "--ignore-not-found", "-o", "name")

    def wait_gone(self, timeout_s: float) -> None:
        """Wait until the namespace no longer exists; on failure say what holds it."""

        def probe() -> bool:
            return self.is_gone()

        try:
            wait_for(f"namespace {self.namespace} to be gone", probe, timeout_s)
        except Exception as error:
            held = self.gather.kubectl("get", names.PLURAL, "-o", "json", check=False)
            raise AssertionError(f"{error}; GatherRuns: {held[:2000]}") from error

    def held(self) -> list[str]:
        """Return the names of runs that hold the operator's finalizer."""
        runs = self.gather.objects(names.PLURAL)
        return [
            r["metadata"]["name"] for r in runs if names.FINALIZER in (r["metadata"].get("finalizers") or [])
        ]


@contextmanager
def own_release(
    shared: DeployedGather, namespace: str, chart: Sequence[str] = (), **values: Any
) -> Iterator[OwnRelease]:
    """Yield a release with a ready operator; afterwards neither it nor its namespace is there.

    `chart` is another one than the repository's, as Helm's words; `__` in a value's name is a dot.
    """
    helm = [str(ROOT / "dev" / "helm")]
    own = OwnRelease(DeployedGather(shared.kubectl_command, namespace), helm)
    remove_release(own)
    try:
        own.gather.kubectl("apply", "-f", "-", stdin=namespace_manifest(namespace))
        with let_in(shared, namespace):
            for room in ("operator", "worker", "brain", "bridge"):
                own.gather.kubectl("apply", "-f", "-", stdin=json.dumps(_secret(shared, namespace, room)))
            own.helm(
                "install",
                RELEASE,
                *(chart or (str(ROOT / "charts" / "gather"),)),
                "--values",
                "-",
                stdin=_values(shared, values),
            )
            brain = {"BRAIN_SERVICE_BASE_URL": f"http://gather-brain.{shared.namespace}.svc:8080"}
            patch = json.dumps({"data": brain})
            own.gather.kubectl("patch", "configmap", "gather-worker", "--type=merge", "-p", patch)
            own.gather.wait_ready("gather-operator")
            yield own
    finally:
        remove_release(own)


@contextmanager
def let_in(shared: DeployedGather, namespace: str) -> Iterator[None]:
    """Let another namespace's pods call what the shared release and its stores keep to their own."""
    named = {"kubernetes.io/metadata.name": namespace}
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": named}}]}],
    }
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
    name = f"let-in-{namespace}"
    shared.kubectl("apply", "-f", "-", stdin=json.dumps({**policy, "metadata": {"name": name}}))
    try:
        yield
    finally:
        shared.kubectl("delete", "networkpolicy", name, "--ignore-not-found")


def _secret(shared: DeployedGather, namespace: str, room: str) -> dict[str, Any]:
    """Return a room's Secret for the other namespace: the same, with addresses that are valid there."""
    name = f"gather-backing-{room}"
    data = json.loads(shared.kubectl("get", "secret", name, "-o", "json"))["data"]
    texts = {key: base64.b64decode(value).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {key: _elsewhere(text, shared.namespace) for key, text in texts.items()},
    }


def _values(shared: DeployedGather, more: dict[str, Any]) -> str:
    """Return the shared release's values with addresses that are valid elsewhere, and what the test wants."""
    helm = [str(ROOT / "dev" / "helm"), "get", "values", RELEASE, "-o", "yaml", "-n", shared.namespace]
    given = subprocess.run(helm, capture_output=True, text=True, timeout=60, check=True).stdout
    values = yaml.safe_load(_elsewhere(given, shared.namespace)) or {}
    values["crds"] = {"enabled": False}
    values.setdefault("brain", {})["replicas"] = 0
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shared.namespace}}}
    egress = values.setdefault("networkPolicy", {}).setdefault("egress", {})
    egress["more"] = [{"to": [there]}]
    for path, value in more.items():
        *parents, last = path.split("__")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ABSENT:
            place.pop(last, None)
        else:
            place[last] = value
    return json.dumps(values)


def _elsewhere(text: str, namespace: str) -> str:
    for service in ("redis", "mongodb", "neo4j", "demo-cms", "demo-llm"):
        text = text.replace(f"gather-backing-{service}:", f"gather-backing-{service}.{namespace}:")
    return text


def remove_release(own: OwnRelease) -> None:
    """Remove everything, finalizers by hand."""
    if own.is_gone():
        return
    subprocess.run(
        [*own.helm_command, "uninstall", RELEASE, "--no-hooks", "--ignore-not-found", "-n", own.namespace],
        capture_output=True, timeout=HELM_TIMEOUT_S, check=False,
    )  # fmt: skip
    own.gather.kubectl("delete", "namespace", own.namespace, "--wait=false", check=False)
    wait_for(
        "the operator to be gone",
        lambda: not own.gather.objects("pods", "app.kubernetes.io/component=operator"),
        60,
    )
    for run in own.gather.kubectl("get", names.PLURAL, "-o", "name", check=False).split():
        own.gather.kubectl("patch", run, "--type=merge", "-p", '{"metadata":{"finalizers":[]}}', check=False)
    wait_for("the namespace to be gone", own.is_gone, 120)
