"""The provider for machines without a Docker engine: one real node of our own build, or two."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from dev.artefacts import debian_packages, go_programs, versions
from dev.artefacts.cache import Cache, require_space
from dev.artefacts.stamps import fingerprint
from dev.cluster import kubeconfig, preflight
from dev.cluster.apiserver import await_ready, missing_part, resolves
from dev.cluster.node import cgroups, configs, layout, network, pki, tree
from dev.cluster.node.layout import FIRST, SECOND, Place
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
FINGERPRINT_FILE = "fingerprint"


class NodeProvider:
    """Kubernetes nodes as process trees in their own namespaces, on this machine, as root.

    The first one has the control plane and is all there is unless `up` is asked for a second.
    """

    name = "node"

    def __init__(self, cache: Cache, reporter: Reporter) -> None:
        self.cache = cache
        self.reporter = reporter

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig with our context."""
        return self.cache.kubeconfig

    def up(self, nodes: int = 1) -> None:
        """Bring the node up, or leave it alone if it is ready; what is missing is installed and built.

        With two `nodes` the second is started too; with one, a second that runs already stays.
        """
        self._refuse_other_node()
        preflight.require_all(preflight.node_checks(self.cache))
        debian_packages.ensure_packages(debian_packages.NODE_PACKAGES, self.cache, self.reporter)
        go_programs.ensure_programs((go_programs.KUBERNETES,), self.cache, self.reporter)
        if self._is_up():
            self.reporter.say(f"The node is up ({self.kubeconfig}).")
        else:
            self._start_clean()
        if nodes > 1:
            self._ensure_second()

    def down(self) -> None:
        """End the nodes and remove all that they left, also after a kill or a restart of the machine."""
        debian_packages.require_root("Ending the node")
        self._refuse_other_node()
        has_folder = self.cache.node.exists() or self.cache.second_node.exists()
        if not (tree.find() or has_folder or cgroups.existing_groups() or network.has_link()):
            self.reporter.say("There is no node here.")
            return
        with self.reporter.step("End the node") as step:
            self._remove(step)

    def status(self) -> Status:
        """Return what is known of the nodes."""
        running = tree.find()
        if running is None or running.folder != self.cache.node:
            failure = ended_by_itself(self.cache.node)
            return Status(self.name, is_running=False, is_ready=False, failure=failure)
        places: Sequence[Place] = (FIRST,)
        failure = ""
        if self.cache.second_node.exists():
            places = layout.PLACES
            failure = "" if tree.find(SECOND) else f"{SECOND.name}: {ended_by_itself(self.cache.second_node)}"
        ready = self._missing_part(places) is None
        programs = {
            "Kubernetes": versions.KUBERNETES,
            "CoreDNS": versions.COREDNS,
            "kube-router": versions.KUBE_ROUTER,
            "Helm": versions.HELM,
        }
        memory = tree.memory_bytes()
        return Status(self.name, True, ready, programs, memory, running.init_pid, failure, len(places))

    def load_image(self, archive: Path) -> None:
        """Import a docker-archive into each node; raises ClusterError if there is none."""
        for running in self._all_running():
            tree.load_image(running, archive, IMPORT_TIMEOUT_S)

    def images(self) -> frozenset[str]:
        """Return the names of the images that every node has."""
        return frozenset.intersection(*map(tree.image_names, self._all_running()))

    def way_out(self, url: str) -> AbstractContextManager[WayOut]:
        """Return how pods reach an address outside: the node has no other way there than this one."""
        return way_out(url, layout.HOST_ADDRESS)

    def _refuse_other_node(self) -> None:
        """Raise MachineError if a node that runs on this machine is another cache folder's."""
        for running in map(tree.find, layout.PLACES):
            if running and running.folder.parent != self.cache.root:
                raise other_node_error(running)

    def _all_running(self) -> list[tree.Tree]:
        """Return the nodes that run; raises ClusterError if the first does not."""
        first, *others = map(tree.find, layout.PLACES)
        if first is None or first.folder != self.cache.node:
            raise ClusterError("The node does not run: bring it up with `make up`.")
        return [first, *filter(None, others)]

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

    def _missing_part(self, places: Sequence[Place] = (FIRST,)) -> str | None:
        """Return what does not work yet on these nodes, or None if all does."""

        def enforce_policies(_: object) -> bool:
            running = [tree.find(place) for place in places]
            return all(found is not None and tree.enforces_policies(found) for found in running)

        return missing_part(
            self.kubeconfig,
            ("the name server", lambda _: resolves(layout.NODE_ADDRESS, layout.API_SERVICE_NAME)),
            ("the network policies", enforce_policies),
            nodes=[place.name for place in places],
        )

    def _recipe(self) -> str:
        """Return a digest of all that decides how the nodes behave."""
        parts = [go_programs.KUBERNETES.stamp()]
        for place in layout.PLACES:
            parts += map(repr, configs.all_daemons(place))
            parts += [repr(item) for item in sorted(configs.config_files(place).items())]
        return fingerprint(parts)

    def _start_clean(self) -> None:
        require_space(self.cache.root, preflight.NODE_SPACE_BYTES, "The node")
        with self.reporter.step("Clear what an earlier node left") as step:
            self._remove(step)
        network.require_free_network()
        network.ensure_bridge_filter()
        with self.reporter.step("Start the node") as step:
            step.waits_for("keys and configuration")
            self._lay_out(FIRST, self.cache.node)
            admin = pki.write_pki(self.cache.node / "pki")
            (self.cache.node / FINGERPRINT_FILE).write_text(self._recipe(), encoding="ascii")
            kubeconfig.write(self.kubeconfig, kubeconfig.render(admin))
            tree.launch(self.cache.node)
            self._await_ready(READY_TIMEOUT_S, step.waits_for)
        self.reporter.say(f"The node is up: KUBECONFIG={self.kubeconfig}")

    def _ensure_second(self) -> None:
        """Start the second node unless it is ready; one that ran before has the images that it had."""
        folder = self.cache.second_node
        if tree.find(SECOND):
            try:
                self._await_ready(HEAL_TIMEOUT_S, places=layout.PLACES)
            except ClusterError as error:
                self.reporter.say(f"{error} Starting the second node again.")
            else:
                self.reporter.say("The second node is up.")
                return
        with self.reporter.step("Start the second node") as step:
            tree.end_one(SECOND)
            if not (folder / FINGERPRINT_FILE).exists():
                require_space(self.cache.root, preflight.NODE_SPACE_BYTES, "The second node")
                remove_folder(folder)
                self._lay_out(SECOND, folder)
                pki.copy_to_second(self.cache.node / "pki", folder / "pki")
                (folder / FINGERPRINT_FILE).write_text(self._recipe(), encoding="ascii")
            (folder / layout.FAILURE_FILE).unlink(missing_ok=True)
            tree.launch(folder, SECOND)
            self._await_ready(READY_TIMEOUT_S, step.waits_for, layout.PLACES)
        self.reporter.say(f"The second node is up: {SECOND.name}, tainted {', '.join(SECOND.taints)}.")

    def _remove(self, step: Step) -> None:
        """End the trees and remove their folders."""
        step.waits_for("its processes, link and control groups")
        tree.end()
        self.kubeconfig.unlink(missing_ok=True)
        for folder in (self.cache.second_node, self.cache.node, self.cache.tool_state):
            step.waits_for(f"the removal of {folder}")
            remove_folder(folder)

    def _lay_out(self, place: Place, node: Path) -> None:
        """Write a node's folder but for its keys: configuration, programs and the pause image."""
        for folder in layout.FOLDERS:
            mode = 0o700 if folder in layout.SECRET_FOLDERS else 0o755
            (node / folder).mkdir(mode=mode, parents=True, exist_ok=True)
        for name, text in configs.config_files(place).items():
            (node / name).write_text(text, encoding="utf-8")
        for program in go_programs.KUBERNETES.folder(self.cache).glob("[!.]*"):
            (node / "programs" / program.name).symlink_to(program)
        shutil.copyfile(ensure_pause_archive(self.cache), node / layout.PAUSE_ARCHIVE)

    def _await_ready(
        self,
        timeout_s: float,
        say: Callable[[str], None] = lambda _: None,
        places: Sequence[Place] = (FIRST,),
    ) -> None:
        """Wait until pods can run on these nodes; `say` gets what is waited for.

        Raises:
            ClusterError: a node ended, or is not ready in time; the message says what is missing.
        """
        folder = self.cache.second_node if SECOND in places else self.cache.node

        def missing() -> str | None:
            part = self._missing_part(places)
            if part and not all(map(tree.find, places)):
                raise ClusterError(f"The node ended: {tree.failure_text(folder)}")
            return part

        await_ready(missing, timeout_s, say, f" The programs' logs are in {folder / 'logs'}.")


def ended_by_itself(node: Path) -> str:
    """Return why a node that does not run ended, if it ended by itself."""
    failure = node / layout.FAILURE_FILE
    if failure.exists():
        return failure.read_text(encoding="utf-8", errors="replace").strip()
    return "it was killed, or the machine was restarted" if node.exists() else ""


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
        wait_for(f"the removal of {folder}", is_gone, REMOVE_TIMEOUT_S)
    except WaitTimeoutError as error:
        raise ClusterError(
            f"{folder} cannot be removed: is something still mounted below it (grep it in /proc/mounts)?"
        ) from error
