"""The provider for machines with a Docker engine: kind makes the node, all else is shared.

It is tested less than the node provider: tests check its commands, but none of `make test` makes a cluster
with it. All that it keeps of a cluster is in one folder, `kind` in the cache, which goes with the cluster.
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
from dev.artefacts.stamps import fingerprint
from dev.cluster import installed, kubeconfig, kubectl
from dev.cluster.apiserver import ApiServer, await_ready, missing_part
from dev.cluster.kubeconfig import Credentials
from dev.cluster.node.layout import NODE_LABELS
from dev.cluster.provider import Status
from dev.cluster.way_out import WayOut, is_loopback
from dev.commands import output_of, run_logged
from dev.errors import ClusterError, CommandError, MachineError
from dev.progress import Reporter

CLUSTER = "gather-dev"
CREATE_TIMEOUT_S = 900
"""Pulling the node image is most of it."""
LOAD_TIMEOUT_S = 600
READY_TIMEOUT_S = 180.0
"""The name server comes up after the node is Ready: half a minute on two idle cores."""
HEAL_TIMEOUT_S = 60.0
"""How long a cluster may not be ready before `up` makes it again: the machine may just have started."""
FINGERPRINT_FILE = "fingerprint"
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
    def _folder(self) -> Path:
        """All that we keep of the running cluster: kind's configuration and kubeconfig, and its recipe."""
        return self.cache.root / "kind"

    @property
    def _kind(self) -> str:
        """The kind to use: a built one, else the linked one of this machine."""
        built = go_programs.KIND.folder(self.cache) / "kind"
        return str(built if built.exists() else installed.folder(self.cache) / "kind")

    def up(self, nodes: int = 1) -> None:
        """Make the cluster, or leave it alone if it is ready; one that is not is made again.

        Raises MachineError for more than one of `nodes`.
        """
        if nodes > 1:
            raise MachineError("Only a node of our own gets a second one, where no Docker engine answers.")
        self._ensure_programs()
        if self._exists():
            if self._is_up():
                self.reporter.say(f"The cluster is up ({self.kubeconfig}).")
                return
            self._delete()
        with self.reporter.step("Create the kind cluster") as step:
            step.waits_for(f"kind; its output is in {self.cache.logs / 'kind.log'}")
            self._create()
            self._write_kubeconfig()
            self._await_ready(READY_TIMEOUT_S, step.waits_for)
        self.reporter.say(f"The cluster is up: KUBECONFIG={self.kubeconfig}")

    def down(self) -> None:
        """Delete the cluster, if there is one, and all that we keep of it."""
        if not self._exists():
            self._forget()
            self.reporter.say("There is no cluster here.")
            return
        with self.reporter.step("Delete the kind cluster"):
            self._delete()

    def status(self) -> Status:
        """Return what is known of the cluster."""
        exists = self._exists()
        versions_ = {"kind": versions.KIND, "node image": versions.KIND_NODE, "Helm": versions.HELM}
        ready = exists and self._missing_part() is None
        return Status(self.name, exists, ready, versions_ if exists else {})

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

    def _ensure_programs(self) -> None:
        """Take what is built already, then what this machine has, and build the rest."""
        wanted = [programs for programs in PROGRAMS if not programs.is_built(self.cache)]
        if not wanted:
            return
        linked = installed.link_installed(self.cache)
        go_programs.ensure_programs([p for p in wanted if p.name not in linked], self.cache, self.reporter)

    def _exists(self) -> bool:
        if not Path(self._kind).exists():
            return False
        return CLUSTER in self._execute([self._kind, "get", "clusters"]).split()

    def _is_up(self) -> bool:
        """Return whether the cluster was made by this recipe, runs, and is ready or soon becomes so."""
        recipe = self._folder / FINGERPRINT_FILE
        if not recipe.exists() or recipe.read_text(encoding="ascii") != self._recipe():
            self.reporter.say("The cluster is of another version, or another cache's: making it again.")
            return False
        try:
            self._write_kubeconfig()
            self._await_ready(HEAL_TIMEOUT_S)
        except (CommandError, ClusterError) as error:
            # kind reads the kubeconfig out of the container, which a reboot or `docker stop` has ended.
            self.reporter.say(f"{error} Making the cluster again.")
            return False
        return True

    def _recipe(self) -> str:
        """Return a digest of all that decides how the node behaves."""
        return fingerprint([cluster_config(), versions.KIND])

    def _missing_part(self) -> str | None:
        """Return what does not work yet, or None if all does."""
        return missing_part(self.kubeconfig, ("kube-proxy and the name server", ApiServer.runs_services))

    def _await_ready(self, timeout_s: float, say: Callable[[str], None] = lambda _: None) -> None:
        """Wait until pods can run and find each other; raises ClusterError that says what is missing."""
        await_ready(self._missing_part, timeout_s, say)

    def _create(self) -> None:
        """Create the cluster; its own kubeconfig goes to a folder of ours, never to the user's."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        config = self._folder / "config.json"
        config.write_text(cluster_config(), encoding="ascii")
        command = [
            self._kind, "create", "cluster", "--name", CLUSTER, "--config", str(config),
            "--kubeconfig", str(self._folder / "kubeconfig"), "--wait", f"{CREATE_TIMEOUT_S}s",
        ]  # fmt: skip
        run_logged(command, self.cache.logs / "kind.log", timeout_s=CREATE_TIMEOUT_S + 60)
        (self._folder / FINGERPRINT_FILE).write_text(self._recipe(), encoding="ascii")

    def _delete(self) -> None:
        kubeconfig_path = str(self._folder / "kubeconfig")
        self._execute(
            [self._kind, "delete", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig_path],
            timeout_s=120,
        )
        self._forget()

    def _forget(self) -> None:
        """Remove what we keep of a cluster, its keys above all."""
        self.kubeconfig.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self.cache.tool_state, ignore_errors=True)

    def _write_kubeconfig(self) -> None:
        """Write kind's credentials as our own context."""
        raw = self._execute([self._kind, "get", "kubeconfig", "--name", CLUSTER])
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml") as file:
            file.write(raw)
            file.flush()
            program = str(kubectl.program("kubectl", self.cache))
            view = self._execute(
                [program, "--kubeconfig", file.name, "config", "view", "--raw", "--minify", "-o", "json"]
            )
        kubeconfig.write(self.kubeconfig, kubeconfig.render(credentials_from(view)))
