"""The provider for machines without a Docker engine: a real node of our own build."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from dev.artefacts import debian_packages, go_programs, versions
from dev.artefacts.cache import Cache, require_space
from dev.artefacts.stamps import fingerprint
from dev.cluster import kubeconfig, preflight
from dev.cluster.apiserver import missing_part, resolves
from dev.cluster.node import cgroups, configs, layout, network, pki, tree
from dev.cluster.node.pause import ensure_pause_archive
from dev.cluster.provider import Status
from dev.cluster.way_out import WayOut, way_out
from dev.errors import ClusterError, MachineError, WaitTimeoutError
from dev.progress import Reporter, Step
from dev.waiting import wait_for

READY_TIMEOUT_S = 240.0
"""The node is ready after ten seconds on idle cores; two that compile have taken a minute."""
HEAL_TIMEOUT_S = 60.0
"""How long a node that runs may not be ready before `up` starts it again: it may just be busy."""
IMPORT_TIMEOUT_S = 600.0
REMOVE_TIMEOUT_S = 10.0
POLL_S = 0.2
FINGERPRINT_FILE = "fingerprint"


class NodeProvider:
    """One Kubernetes node as a process tree in its own namespaces, on this machine, as root."""

    name = "node"

    def __init__(self, cache: Cache, reporter: Reporter) -> None:
        self.cache = cache
        self.reporter = reporter

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig with our context."""
        return self.cache.kubeconfig

    def up(self) -> None:
        """Bring the node up, or leave it alone if it is ready; what is missing is installed and built."""
        self._refuse_other_node()
        preflight.require_all(preflight.node_checks(self.cache))
        debian_packages.ensure_packages(debian_packages.NODE_PACKAGES, self.cache, self.reporter)
        go_programs.ensure_programs((go_programs.KUBERNETES,), self.cache, self.reporter)
        if self._is_up():
            self.reporter.say(f"The node is up ({self.kubeconfig}).")
            return
        self._start_clean()

    def down(self) -> None:
        """End the node and remove all that it left, also when it was killed or the machine restarted."""
        debian_packages.require_root("Ending the node")
        self._refuse_other_node()
        if not (tree.find() or self.cache.node.exists() or cgroups.existing_groups() or network.has_link()):
            self.reporter.say("There is no node here.")
            return
        with self.reporter.step("End the node") as step:
            self._remove(step)

    def status(self) -> Status:
        """Return what is known of the node."""
        running = tree.find()
        if running is None or running.folder != self.cache.node:
            return Status(self.name, is_running=False, is_ready=False, failure=self._failure())
        ready = self._missing_part() is None
        programs = {
            "Kubernetes": versions.KUBERNETES,
            "CoreDNS": versions.COREDNS,
            "kube-router": versions.KUBE_ROUTER,
            "Helm": versions.HELM,
        }
        return Status(self.name, True, ready, programs, tree.memory_bytes(), running.init_pid)

    def load_image(self, archive: Path) -> None:
        """Import a docker-archive into the node; raises ClusterError if there is no node."""
        tree.load_image(self._running(), archive, IMPORT_TIMEOUT_S)

    def images(self) -> frozenset[str]:
        """Return the names of the images that the node has."""
        return tree.image_names(self._running())

    def way_out(self, url: str) -> AbstractContextManager[WayOut]:
        """Return how pods reach an address outside: the node has no other way there than this one."""
        return way_out(url, layout.HOST_ADDRESS)

    def _failure(self) -> str:
        """Return why the node ended, if it ended by itself."""
        failure = self.cache.node / layout.FAILURE_FILE
        if failure.exists():
            return failure.read_text(encoding="utf-8", errors="replace").strip()
        return "it was killed, or the machine was restarted" if self.cache.node.exists() else ""

    def _refuse_other_node(self) -> None:
        """Raise MachineError if the node that runs on this machine is another cache folder's."""
        running = tree.find()
        if running and running.folder != self.cache.node:
            raise other_node_error(running)

    def _running(self) -> tree.Tree:
        running = tree.find()
        if running is None or running.folder != self.cache.node:
            raise ClusterError("The node does not run: bring it up with `make up`.")
        return running

    def _is_up(self) -> bool:
        """Return whether the node runs, was made by this recipe, and is ready or soon becomes so."""
        if tree.find() is None:
            return False
        fingerprint_file = self.cache.node / FINGERPRINT_FILE
        if not fingerprint_file.exists() or fingerprint_file.read_text(encoding="ascii") != self._recipe():
            self.reporter.say("The node is of another version: starting it again.")
            return False
        # The running node's own: the one in the cache may have been changed or removed.
        admin = (self.cache.node / "pki" / "admin.conf").read_text(encoding="utf-8")
        kubeconfig.write(self.kubeconfig, admin)
        try:
            self._await_ready(HEAL_TIMEOUT_S)
        except ClusterError as error:
            self.reporter.say(f"{error} Starting the node again.")
            return False
        return True

    def _missing_part(self) -> str | None:
        """Return what does not work yet, or None if all does."""
        return missing_part(
            self.kubeconfig,
            ("the name server", lambda _: resolves(layout.NODE_ADDRESS, layout.API_SERVICE_NAME)),
            ("the network policies", lambda _: tree.enforces_policies(self._running())),
        )

    def _recipe(self) -> str:
        """Return a digest of all that decides how the node behaves."""
        daemons = [repr(d) for d in (*configs.first_daemons(), *configs.later_daemons())]
        files = [repr(item) for item in sorted(configs.config_files().items())]
        return fingerprint([*daemons, *files, go_programs.KUBERNETES.stamp()])

    def _start_clean(self) -> None:
        require_space(self.cache.root, preflight.NODE_SPACE_BYTES, "The node")
        with self.reporter.step("Clear what an earlier node left") as step:
            self._remove(step)
        network.require_free_network()
        network.ensure_bridge_filter()
        with self.reporter.step("Start the node") as step:
            step.waits_for("keys and configuration")
            self._lay_out()
            tree.launch(self.cache.node)
            self._await_ready(READY_TIMEOUT_S, step.waits_for)
        self.reporter.say(f"The node is up: KUBECONFIG={self.kubeconfig}")

    def _remove(self, step: Step) -> None:
        """End the tree and remove its folder."""
        step.waits_for("its processes, link and control groups")
        tree.end()
        self.kubeconfig.unlink(missing_ok=True)
        step.waits_for(f"the removal of {self.cache.node}")
        remove_folder(self.cache.node)
        remove_folder(self.cache.tool_state)

    def _lay_out(self) -> None:
        """Write the node's folder: keys, configuration, programs and the pause image."""
        node = self.cache.node
        for folder in layout.FOLDERS:
            mode = 0o700 if folder in layout.SECRET_FOLDERS else 0o755
            (node / folder).mkdir(mode=mode, parents=True, exist_ok=True)
        for name, text in configs.config_files().items():
            (node / name).write_text(text, encoding="utf-8")
        for program in go_programs.KUBERNETES.folder(self.cache).glob("[!.]*"):
            (node / "programs" / program.name).symlink_to(program)
        shutil.copyfile(ensure_pause_archive(self.cache), node / layout.PAUSE_ARCHIVE)
        admin = pki.write_pki(node / "pki")
        (node / FINGERPRINT_FILE).write_text(self._recipe(), encoding="ascii")
        kubeconfig.write(self.kubeconfig, kubeconfig.render(admin))

    def _await_ready(self, timeout_s: float, say: Callable[[str], None] = lambda _: None) -> None:
        """Wait until pods can run; `say` gets what is waited for.

        Raises:
            ClusterError: the node ended, or is not ready in time; the message says what is missing.
        """
        part: str | None = None

        def is_ready() -> bool:
            nonlocal part
            part = self._missing_part()
            if part:
                say(part)
                if tree.find() is None:
                    raise ClusterError(f"The node ended: {tree.failure_text(self.cache.node)}")
            return part is None

        try:
            wait_for("the node", is_ready, timeout_s, POLL_S)
        except WaitTimeoutError as error:
            logs = self.cache.node / "logs"
            raise ClusterError(
                f"Not within {timeout_s:.0f} s: {part}. The programs' logs are in {logs}."
            ) from error


def other_node_error(running: tree.Tree) -> MachineError:
    """Return the error for a node that another cache folder's `up` started."""
    cache = running.folder.parent
    return MachineError(
        f"A node of another cache folder runs here ({cache}), and a machine has room for one. Use it with "
        f"GATHER_CACHE={cache}, or end it with `python -m dev --cache {cache} down`."
    )


def remove_folder(folder: Path) -> None:
    """Remove a folder that ending processes may still hold; raises ClusterError if it stays."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    try:
        wait_for(f"the removal of {folder}", is_gone, REMOVE_TIMEOUT_S, POLL_S)
    except WaitTimeoutError as error:
        raise ClusterError(
            f"{folder} cannot be removed: is something still mounted below it (grep it in /proc/mounts)?"
        ) from error
