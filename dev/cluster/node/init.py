"""The node's first process, inside its namespaces: mounts, network, then the programs, which it watches.

It ends as soon as one of them ends, and the kernel ends the rest with it: a node is whole or it is not
there. What went wrong stays in `failure.txt` in the node's folder. Started by `dev.cluster.node.tree` as
`python -m dev.cluster.node.init FOLDER NAME`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dev.cluster import kubeconfig
from dev.cluster.apiserver import ApiServer
from dev.cluster.node import configs, layout, mounts, unified
from dev.cluster.node.cgroups import ROOT
from dev.cluster.node.configs import Daemon
from dev.cluster.node.layout import Place
from dev.commands import output_of
from dev.errors import CommandError, DevError
from dev.waiting import wait_for

POLL_S = 0.05
LINK_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 180.0
"""The API server is ready five seconds after an idle start; two busy cores have taken thirty."""
LOG_TAIL_BYTES = 2000


class InitError(DevError):
    """A program of the node ended; the message holds the end of its log."""


class Node:
    """The programs that were started, and what to do when one ends."""

    def __init__(self) -> None:
        self._running: dict[int, Daemon] = {}

    def start(self, daemon: Daemon) -> int:
        """Start a program with its output in its own log; return its process id."""
        log = layout.INSIDE / "logs" / f"{daemon.name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        process.returncode = 0  # we reap it ourselves, by `_reap`, not by Popen
        self._running[process.pid] = daemon
        return process.pid

    def wait_until(self, what: str, is_true: Callable[[], bool], timeout_s: float) -> None:
        """Wait for a condition; raises InitError if a program ends meanwhile."""

        def probe() -> bool:
            if is_true():
                return True
            self._reap(os.WNOHANG)
            return False

        wait_for(what, probe, timeout_s, POLL_S)

    def watch(self) -> None:
        """Reap whatever ends in this process tree; raises InitError when one of the programs does."""
        while True:
            self._reap(0)

    def run(self, daemon: Daemon, timeout_s: float) -> None:
        """Run a program that ends by itself; raises InitError if it fails."""
        pid = self.start(daemon)
        del self._running[pid]

        def is_done() -> bool:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done and status:
                raise InitError(ended(daemon, status))
            return bool(done)

        wait_for(f"the end of {daemon.name}", is_done, timeout_s, POLL_S)

    def _reap(self, options: int) -> None:
        if not self._running:
            return
        pid, status = os.waitpid(-1, options)
        if daemon := self._running.pop(pid, None):
            raise InitError(ended(daemon, status))


def ended(daemon: Daemon, status: int) -> str:
    """Return how a program ended and what it said last."""
    log = layout.INSIDE / "logs" / f"{daemon.name}.log"
    tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
    return f"{daemon.name} ended with {os.waitstatus_to_exitcode(status)}:\n{tail}"


def set_up_network(node: Node, place: Place) -> None:
    """Wait for our end of the link, which is given to us from outside, and route everything over it."""
    link = Path("/sys/class/net") / layout.NODE_LINK
    node.wait_until("the link to this machine", lambda: _links_have(link.name), LINK_TIMEOUT_S)
    address = f"{place.address}/{layout.PREFIX_LENGTH}"
    for arguments in (
        ["link", "set", "lo", "up"],
        ["address", "add", address, "dev", layout.NODE_LINK],
        ["link", "set", layout.NODE_LINK, "up"],
        ["route", "add", "default", "via", place.gateway],
    ):
        output_of(["ip", *arguments])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")


def _links_have(name: str) -> bool:
    """Return whether this network namespace has a link; /sys still shows the one outside."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    return any(line.strip().startswith(f"{name}:") for line in lines)


def hand_on_controllers(node: Node) -> None:
    """With control groups of version 2, wait until our root has no process, then open it to pods."""
    if unified.is_mounted(ROOT):
        node.wait_until("a control group of our own", lambda: unified.is_empty(ROOT), LINK_TIMEOUT_S)
        unified.hand_on(ROOT)


def start_programs(node: Node, place: Place) -> None:
    """Start all programs, those that need the API server when it is ready."""
    for daemon in configs.first_daemons(place):
        node.start(daemon)
    socket = Path(layout.CONTAINERD_SOCKET)
    node.wait_until("containerd", socket.exists, READY_TIMEOUT_S)
    load = ("ctr", "--namespace", "k8s.io", "images", "import", str(layout.INSIDE / layout.PAUSE_ARCHIVE))
    node.run(Daemon("pause-image", load), READY_TIMEOUT_S)
    api = ApiServer(kubeconfig.read(configs.PKI / "kubelet.conf"))
    node.wait_until("the API server", api.is_ready, READY_TIMEOUT_S)
    for daemon in configs.later_daemons(place):
        node.start(daemon)
    # What netpol writes back is what it read before: it would take away what kube-proxy writes meanwhile.
    node.wait_until("kube-proxy's rules", has_service_rules, READY_TIMEOUT_S)
    node.start(configs.netpol(place))


def has_service_rules() -> bool:
    """Return whether kube-proxy has written its rules once; this one is its last for Services."""
    try:
        return "-j KUBE-NODEPORTS" in output_of(["iptables", "-w", "-t", "nat", "-S", "KUBE-SERVICES"])
    except CommandError:  # there is no such chain yet
        return False


def main() -> None:
    """Bring the node up and watch it until one of its programs ends."""
    folder = Path(sys.argv[1])
    place = next(p for p in layout.PLACES if p.name == sys.argv[2])
    try:
        mounts.mount_all(folder)
        node = Node()
        set_up_network(node, place)
        hand_on_controllers(node)
        start_programs(node, place)
        node.watch()
    except (DevError, OSError) as error:
        (folder / layout.FAILURE_FILE).write_text(f"{error}\n", encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
