"""Names, addresses and paths of the nodes, as both sides of their namespaces need them."""

from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "gather-node"
NODE_LABELS = {"pool": "cpu_intensive"}
HOST_LINK = "gather0"
NODE_LINK = "gather1"
HOST_ADDRESS = "10.213.77.1"
NODE_ADDRESS = "10.213.77.2"
NETWORK = "10.213.77.0/30"
PREFIX_LENGTH = 30
SERVICE_NETWORK = "10.96.0.0/16"
"""Services and pods live in the nodes' own network namespaces, so that they collide with nothing outside."""


@dataclass(frozen=True, slots=True)
class Place:
    """One node: its name, also of its control groups, its address, its gateway, and its pods' network."""

    name: str
    address: str
    gateway: str
    pod_network: str
    taints: tuple[str, ...] = ()


FIRST = Place(NODE_NAME, NODE_ADDRESS, HOST_ADDRESS, "10.244.0.0/24")
POOL = "pool=cpu_intensive:NoSchedule"
SECOND = Place("gather-node-2", "10.213.77.6", "10.213.77.5", "10.244.1.0/24", (POOL,))
"""A node of the pool alone, as clouds have them. Its gateway is the first node, at the end of a link that
lies between the two and that this machine does not see."""
PLACES = (FIRST, SECOND)
SECOND_LINK = "gather2"
"""The first node's end of that link; the other is a `NODE_LINK` like the first node's own."""
API_SERVICE_ADDRESS = "10.96.0.1"
API_PORT = 6443
DNS_DOMAIN = "cluster.local"
API_SERVICE_NAME = f"kubernetes.default.svc.{DNS_DOMAIN}"
PAUSE_IMAGE = "localhost/gather-pause:1"
PAUSE_ARCHIVE = "pause.tar"
FAILURE_FILE = "failure.txt"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"

BORROWED = {"var-lib-kubelet": Path("/var/lib/kubelet"), "var-lib-cni": Path("/var/lib/cni")}
"""Paths that the node's programs insist on, and the folders of ours that they see there instead."""

INSIDE = Path("/run/gather")
"""Where the node's folder is mounted inside: short, since a socket's path ends at 107 bytes."""
PROGRAMS_INSIDE = INSIDE / "programs"
"""Where the built programs are mounted inside."""
SECRET_FOLDERS = ("pki", "etcd")
FOLDERS = (
    "pki", "config", "net.d", "logs", "containerd", "kubelet", "kubelet-pki", "pod-logs", "etcd", "ipam",
    "plugins", "var-log", "programs", "opt", *BORROWED,
)  # fmt: skip
