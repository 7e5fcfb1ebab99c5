"""A node's process tree as seen from outside: start it, find it again, end it.

The tree is all that runs in the node's control groups. That holds when its parent was killed, when this
program was, and after a reboot, when there is nothing left of it.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from dev.cluster.node import cgroups, layout, network, unified
from dev.cluster.node.layout import Place
from dev.commands import output_of
from dev.errors import ClusterError, CommandError, DevError, WaitTimeoutError
from dev.paths import ROOT
from dev.waiting import wait_for

NAMESPACES = (
    "--mount", "--cgroup", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
    "--propagation", "private",
)  # fmt: skip
ENTER = """\
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit; shift; done
shift
exec "$@"
"""
"""A shell enters the control groups and becomes `unshare`, so that the cgroup namespace starts below them."""
START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 60.0
"""The kernel ends a pid namespace at once; unmounting what its containers held takes longer under load."""
POLL_S = 0.05
INIT_MODULE = "dev.cluster.node.init"
POLICY_CHAIN = "KUBE-ROUTER-FORWARD"
"""Where kube-router's policy controller begins with a packet."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A running node: its first process as this machine numbers it, and the folder that it works in."""

    init_pid: int
    folder: Path


def _init_folder(process: psutil.Process) -> Path | None:
    """Return the folder that a node's first process was started for, or None if it is no such process."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return None
    if INIT_MODULE in command and command[0] != "unshare":
        return Path(command[command.index(INIT_MODULE) + 1])
    return None


def find(place: Place = layout.FIRST) -> Tree | None:
    """Return a node that runs on this machine, from any cache folder."""
    for pid in sorted(cgroups.processes_in(groups_of(place))):
        try:
            folder = _init_folder(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
        if folder:
            return Tree(pid, folder)
    return None


def groups_of(place: Place) -> list[Path]:
    """Return the control groups of one node."""
    return cgroups.existing_groups(wanted=(place.name,))


def launch_command(groups: Iterable[Path], folder: Path, place: Place) -> list[str]:
    """Return the command that becomes a node's process tree."""
    entered = [*map(str, groups), "--"]
    init = [sys.executable, "-m", INIT_MODULE, str(folder), place.name]
    return ["sh", "-c", ENTER, place.name, *entered, "unshare", *NAMESPACES, *init]


def launch(folder: Path, place: Place = layout.FIRST) -> Tree:
    """Start a tree and give it its link; its output goes to `logs/init.log`.

    The second node's leads to the first, which has to run.
    """
    groups = cgroups.make_groups(cgroups.own_hierarchies(), place.name)
    for path in layout.BORROWED.values():
        path.mkdir(parents=True, exist_ok=True)
    with (folder / "logs" / "init.log").open("ab") as log:
        outer = subprocess.Popen(
            launch_command(groups, folder, place), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, env=_environment(),
        )  # fmt: skip
    tree = _await_init(outer, folder, place)
    for group in groups:
        if unified.is_mounted(group):
            unified.step_down(group, unified.OUTER, outer.pid)
    if place == layout.FIRST:
        network.connect(tree.init_pid)
    elif first := find():
        # Among its mounts too, for there is the lock by which its programs take turns with iptables.
        mounts = f"--mount=/proc/{first.init_pid}/ns/mnt"
        network.join(["nsenter", mounts, *in_network(first)[1:]], tree.init_pid)
    else:
        raise ClusterError("The first node does not run: bring it up with `make up`.")
    return tree


def _environment() -> dict[str, str]:
    """Return the environment of the node's programs: where programs are, and nothing else of this shell's."""
    path = os.environ.get("PATH", "")
    return {
        "PATH": f"{path}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/root",
    }


def _await_init(outer: subprocess.Popen[bytes], folder: Path, place: Place) -> Tree:
    """Return the tree once its first process is in its own network namespace."""

    def in_namespaces() -> Tree | None:
        if outer.poll() is not None:
            raise ClusterError("unshare ended")
        tree = find(place)
        is_inside = tree and _network_namespace(tree.init_pid) != _network_namespace(os.getpid())
        return tree if is_inside else None

    try:
        return wait_for("the node's namespaces", in_namespaces, START_TIMEOUT_S, POLL_S)
    except DevError as error:
        outer.kill()
        raise ClusterError(f"The node's namespaces could not be made: {failure_text(folder)}") from error


def _network_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""


def failure_text(folder: Path) -> str:
    """Return why the node failed, from the files that it left."""
    files = (folder / layout.FAILURE_FILE, folder / "logs" / "init.log")
    texts = [f.read_text(encoding="utf-8", errors="replace").strip() for f in files if f.exists()]
    return "\n".join(filter(None, texts)) or f"it left no message; see {folder / 'logs'}"


def end() -> None:
    """End every process of every node and remove link and control groups, whatever state they are in.

    Raises ClusterError if something could not be removed.
    """
    for place in reversed(layout.PLACES):
        end_one(place)
    network.remove_link()
    for path in layout.BORROWED.values():
        remove_if_empty(path)


def end_one(place: Place) -> None:
    """End every process of one node, also a frozen one, and remove its control groups.

    Raises ClusterError if something could not be removed.
    """
    cgroups.set_frozen(groups_of(place), frozen=False)
    _kill_all(groups_of(place))
    try:
        wait_for(
            "the removal of the control groups",
            lambda: not cgroups.remove_groups(groups_of(place)),
            END_TIMEOUT_S,
            POLL_S,
        )
    except WaitTimeoutError as error:
        left = ", ".join(map(str, groups_of(place)))
        raise ClusterError(f"These control groups cannot be removed: {left}") from error


def remove_if_empty(path: Path) -> None:
    """Remove a mount point that we made; one with something in it is not ours."""
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def _kill_all(groups: list[Path]) -> None:
    """Kill every process in the groups, the tree's root first, and wait until they are gone."""

    def are_gone() -> bool:
        pids = sorted(cgroups.processes_in(groups))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    try:
        wait_for("the end of the node's processes", are_gone, END_TIMEOUT_S, POLL_S)
    except WaitTimeoutError as error:
        left = sorted(cgroups.processes_in(groups))
        raise ClusterError(f"These processes of the node cannot be ended: {left}") from error


def memory_bytes() -> int:
    """Return the memory of the whole tree, programs and pods, with shared pages counted once (PSS)."""
    total_kib = 0
    for pid in cgroups.processes_in(cgroups.existing_groups()):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:  # it has ended
            continue
        total_kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kib * 1024


def in_network(tree: Tree) -> list[str]:
    """Return the words that start a program of this machine in the node's network."""
    return ["nsenter", f"--net=/proc/{tree.init_pid}/ns/net", "--"]


def enforces_policies(tree: Tree) -> bool:
    """Return whether the policy controller has written its rules once: the last one accepts what passed."""
    try:
        rules = output_of([*in_network(tree), "iptables", "-w", "-S", POLICY_CHAIN], env=_environment())
    except CommandError:  # there is no such chain yet
        return False
    return "-j ACCEPT" in rules


def load_image(tree: Tree, archive: Path, timeout_s: float) -> None:
    """Hand an image archive to the node's containerd, through its socket in the node's own /run."""
    output_of([*ctr(tree), "images", "import", str(archive)], timeout_s=timeout_s)


def image_names(tree: Tree) -> frozenset[str]:
    """Return the names of the images that the node has."""
    return frozenset(output_of([*ctr(tree), "images", "list", "--quiet"]).split())


def ctr(tree: Tree) -> list[str]:
    """Return containerd's client, bound to the node's containerd."""
    socket = f"/proc/{tree.init_pid}/root{layout.CONTAINERD_SOCKET}"
    return ["ctr", "--address", socket, "--namespace", "k8s.io"]
