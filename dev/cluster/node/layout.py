"""Names, addresses and paths of the node, as both sides of its namespaces need them."""

from pathlib import Path

NODE_NAME = "gather-node"
NODE_LABELS = {"pool": "cpu_intensive"}
CGROUP = "gather-node"
HOST_LINK = "gather0"
NODE_LINK = "gather1"
HOST_ADDRESS = "10.213.77.1"
NODE_ADDRESS = "10.213.77.2"
NETWORK = "10.213.77.0/30"
PREFIX_LENGTH = 30
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
"""Pods and Services live in the node's own network namespace, so these two collide with nothing outside."""
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
