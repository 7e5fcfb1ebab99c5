"""The provider for machines with a Docker engine: kind makes the node, all else is shared.

It is tested less than the node provider: tests check its commands, but none makes a cluster with it.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from dev.artefacts import go_programs, versions
from dev.artefacts.cache import Cache
from dev.cluster import kubeconfig
from dev.cluster.apiserver import ApiServer
from dev.cluster.kubeconfig import Credentials
from dev.cluster.node.layout import NODE_LABELS
from dev.cluster.provider import Status
from dev.cluster.way_out import WayOut, is_loopback
from dev.commands import output_of, run_logged
from dev.errors import ContextError, MachineError
from dev.progress import Reporter

CLUSTER = "gather-dev"
CREATE_TIMEOUT_S = 900
"""Pulling the node image is most of it."""
LOAD_TIMEOUT_S = 600
PROGRAMS = (go_programs.KUBECTL, go_programs.HELM, go_programs.KIND)


def cluster_config() -> str:
    """Return kind's configuration: one node, with the labels that Gather's pods ask for."""
    body = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "image": versions.KIND_NODE, "labels": NODE_LABELS}],
    }
    return json.dumps(body)


def credentials_from(view: str) -> Credentials:
    """Return address and keys from what `kubectl config view --raw --minify -o json` printed."""
    body = json.loads(view)
    cluster, user = body["clusters"][0]["cluster"], body["users"][0]["user"]
    return Credentials(
        server=cluster["server"],
        authority=cluster["certificate-authority-data"],
        certificate=user["client-certificate-data"],
        key=user["client-key-data"],
    )


class KindProvider:
    """One kind cluster named `gather-dev`."""

    name = "kind"

    def __init__(self, cache: Cache, reporter: Reporter, execute: Callable[..., str] = output_of) -> None:
        self.cache = cache
        self.reporter = reporter
        self._execute = execute

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig with our context."""
        return self.cache.kubeconfig

    @property
    def _kind(self) -> str:
        return str(go_programs.KIND.folder(self.cache) / "kind")

    def up(self) -> None:
        """Make the cluster, or leave it alone if it is ready; one that is not is made again."""
        go_programs.ensure_programs(
            (go_programs.KUBECTL, go_programs.HELM, go_programs.KIND), self.cache, self.reporter
        )
        if self._exists():
            self._write_kubeconfig()
            if self._is_ready():
                self.reporter.say(f"The cluster is up ({self.kubeconfig}).")
                return
            self.reporter.say("The cluster is not ready: making it again.")
            self._delete()
        with self.reporter.step("Create the kind cluster"):
            self._create()
        self._write_kubeconfig()
        self.reporter.say(f"The cluster is up: KUBECONFIG={self.kubeconfig}")

    def down(self) -> None:
        """Delete the cluster, if there is one."""
        if not go_programs.KIND.is_built(self.cache) or not self._exists():
            self.reporter.say("There is no cluster here.")
            return
        with self.reporter.step("Delete the kind cluster"):
            self._delete()

    def status(self) -> Status:
        """Return what is known of the cluster."""
        exists = go_programs.KIND.is_built(self.cache) and self._exists()
        versions_ = {"kind": versions.KIND, "node image": versions.KIND_NODE, "Helm": versions.HELM}
        return Status(self.name, exists, exists and self._is_ready(), versions_ if exists else {})

    def load_image(self, archive: Path) -> None:
        """Give the node an image from a docker-archive."""
        command = [self._kind, "load", "image-archive", str(archive), "--name", CLUSTER]
        self._execute(command, timeout_s=LOAD_TIMEOUT_S)

    def images(self) -> frozenset[str]:
        """Return the names of the images that the node has."""
        node = f"{CLUSTER}-control-plane"
        listed = self._execute(["docker", "exec", node, "ctr", "-n", "k8s.io", "images", "list", "-q"])
        return frozenset(listed.split())

    def way_out(self, url: str) -> AbstractContextManager[WayOut]:
        """Return an address outside as it is: Docker's network leads there.

        Raises MachineError for one that is this machine itself, which a container knows by no such name.
        """
        if is_loopback(urlsplit(url).hostname or ""):
            raise MachineError(
                f"{url} is this machine, which pods in Docker cannot reach by that name: "
                "use an address that others have for it, and let the endpoint listen there."
            )
        return nullcontext(WayOut(url))

    def _exists(self) -> bool:
        return CLUSTER in self._execute([self._kind, "get", "clusters"]).split()

    def _is_ready(self) -> bool:
        try:
            api = ApiServer(kubeconfig.read(self.kubeconfig))
        except ContextError:
            return False
        return api.is_ready() and api.is_node_ready()

    def _create(self) -> None:
        """Create the cluster; its own kubeconfig goes to a folder of ours, never to the user's."""
        config = self.cache.root / "kind.json"
        config.write_text(cluster_config(), encoding="ascii")
        command = [
            self._kind, "create", "cluster", "--name", CLUSTER, "--config", str(config),
            "--kubeconfig", str(self.cache.root / "kind.kubeconfig"), "--wait", f"{CREATE_TIMEOUT_S}s",
        ]  # fmt: skip
        run_logged(command, self.cache.logs / "kind.log", timeout_s=CREATE_TIMEOUT_S + 60)

    def _delete(self) -> None:
        kubeconfig_path = str(self.cache.root / "kind.kubeconfig")
        self._execute(
            [self._kind, "delete", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig_path],
            timeout_s=120,
        )
        self.kubeconfig.unlink(missing_ok=True)
        shutil.rmtree(self.cache.tool_state, ignore_errors=True)

    def _write_kubeconfig(self) -> None:
        """Write kind's credentials as our own context."""
        raw = self._execute([self._kind, "get", "kubeconfig", "--name", CLUSTER])
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml") as file:
            file.write(raw)
            file.flush()
            kubectl = str(go_programs.KUBECTL.folder(self.cache) / "kubectl")
            view = self._execute(
                [kubectl, "--kubeconfig", file.name, "config", "view", "--raw", "--minify", "-o", "json"]
            )
        kubeconfig.write(self.kubeconfig, kubeconfig.render(credentials_from(view)))
