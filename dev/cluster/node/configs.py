"""Configuration files and command lines of the node's programs, as pure functions.

The node runs as root without CAP_SYS_RESOURCE where it must: nothing may lower an oom_score_adj or raise a
file limit, hence the zeros and the 20000 below. Without them a sandbox dies with runc's "can't get final
child's PID from pipe: EOF".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dev.cluster.node import layout
from dev.cluster.node.layout import Place

PKI = layout.INSIDE / "pki"
CONFIG = layout.INSIDE / "config"
OPEN_FILES = 20_000
"""The kubelet may not raise the limit beyond what root has; this is what it has at the least."""
ETCD_URL = "http://127.0.0.1:2379"
FAST_QPS = 500
"""The control plane's own client limits (20 a second) would be what a benchmark of Gather measures."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """One program of the node, started inside its namespaces; its log is `logs/<name>.log`."""

    name: str
    command: tuple[str, ...]


def _program(name: str) -> str:
    return str(layout.PROGRAMS_INSIDE / name)


def _flags(flags: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"--{name}={value}" for name, value in flags.items())


def cni_config(place: Place) -> dict[str, Any]:
    """Return the pod network: a bridge, with NAT on the first node. `netpol` enforces policies beside it.

    The second node's way outside leads through the first one, which puts its own address there
    (`network.join`): between nodes pods must keep theirs, by which policies know them.
    """
    ipam = {
        "type": "host-local",
        "dataDir": str(layout.INSIDE / "ipam"),
        "ranges": [[{"subnet": place.pod_network}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": place == layout.FIRST,
        "hairpinMode": True,
        "ipam": ipam,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "gather", "plugins": [bridge, ports]}


def containerd_config() -> str:
    """Return containerd's configuration, in the version 2 that Debian 12's containerd reads."""
    return f"""\
version = 2
root = "{layout.INSIDE}/containerd"
state = "/run/containerd"
[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.INSIDE}/opt"
[grpc]
  address = "{layout.CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{layout.INSIDE}/net.d"
"""


def kubelet_config() -> dict[str, Any]:
    """Return the kubelet's configuration: never evict for disk, since the disk is not the node's own."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": OPEN_FILES,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [layout.NODE_ADDRESS],
        "clusterDomain": layout.DNS_DOMAIN,
        "resolvConf": f"{CONFIG}/resolv.conf",
        "podLogsDir": f"{layout.INSIDE}/pod-logs",
        "volumePluginDir": f"{layout.INSIDE}/plugins",
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
    }


def scheduler_config() -> dict[str, Any]:
    """Return the scheduler's configuration."""
    client = {"kubeconfig": f"{PKI}/scheduler.conf", "qps": FAST_QPS, "burst": FAST_QPS}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": client,
        "leaderElection": {"leaderElect": False},
    }


def proxy_config(place: Place) -> dict[str, Any]:
    """Return kube-proxy's configuration: iptables, and no connection-tracking limits of the host touched."""
    untouched = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{PKI}/proxy.conf"},
        "hostnameOverride": place.name,
        "mode": "iptables",
        "clusterCIDR": place.pod_network,
        "oomScoreAdj": 0,
        "conntrack": untouched,
    }


def corefile() -> str:
    """Return the name server's configuration; it forwards nothing, since pods need nothing from outside."""
    return f"""\
.:53 {{
  bind {layout.NODE_ADDRESS}
  errors
  kubernetes {layout.DNS_DOMAIN} in-addr.arpa {{
    kubeconfig {PKI}/coredns.conf
    pods insecure
    ttl 5
  }}
  cache 5
}}
"""


def config_files(place: Place) -> dict[str, str]:
    """Return every configuration file, by its path in the node's folder."""
    files = {
        "net.d/10-gather.conflist": json.dumps(cni_config(place), indent=1),
        "config/containerd.toml": containerd_config(),
        "config/kubelet.json": json.dumps(kubelet_config(), indent=1),
        "config/proxy.json": json.dumps(proxy_config(place), indent=1),
        "config/resolv.conf": f"nameserver {layout.NODE_ADDRESS}\n",
    }
    if place == layout.FIRST:
        files["config/scheduler.json"] = json.dumps(scheduler_config(), indent=1)
        files["config/Corefile"] = corefile()
    return files


def etcd() -> Daemon:
    """Return etcd; it need not survive a power cut, for `up` starts it empty."""
    peers = "http://127.0.0.1:2380"
    flags = {
        "data-dir": layout.INSIDE / "etcd",
        "listen-client-urls": ETCD_URL,
        "advertise-client-urls": ETCD_URL,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "log-level": "warn",
    }
    return Daemon("etcd", (_program("etcd"), *_flags(flags), "--unsafe-no-fsync"))


def api_server() -> Daemon:
    """Return the API server."""
    flags = {
        "etcd-servers": ETCD_URL,
        "advertise-address": layout.NODE_ADDRESS,
        "bind-address": "0.0.0.0",
        "secure-port": layout.API_PORT,
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "client-ca-file": PKI / "ca.crt",
        "tls-cert-file": PKI / "apiserver.crt",
        "tls-private-key-file": PKI / "apiserver.key",
        "kubelet-client-certificate": PKI / "apiserver-kubelet.crt",
        "kubelet-client-key": PKI / "apiserver-kubelet.key",
        "kubelet-preferred-address-types": "InternalIP",
        "event-ttl": "1h",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": PKI / "accounts.pub",
        "service-account-signing-key-file": PKI / "accounts.key",
    }
    return Daemon("apiserver", (_program("kube-apiserver"), *_flags(flags)))


def controller_manager() -> Daemon:
    """Return the controller manager."""
    kubeconfig = PKI / "controller-manager.conf"
    flags = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": PKI / "accounts.key",
        "root-ca-file": PKI / "ca.crt",
        "cluster-signing-cert-file": PKI / "ca.crt",
        "cluster-signing-key-file": PKI / "ca.key",
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
        "kube-api-qps": FAST_QPS,
        "kube-api-burst": FAST_QPS,
        "concurrent-job-syncs": 20,
        "flex-volume-plugin-dir": layout.INSIDE / "plugins",
    }
    return Daemon("controller-manager", (_program("kube-controller-manager"), *_flags(flags)))


def scheduler() -> Daemon:
    """Return the scheduler."""
    kubeconfig = PKI / "scheduler.conf"
    flags = {
        "config": CONFIG / "scheduler.json",
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
    }
    return Daemon("scheduler", (_program("kube-scheduler"), *_flags(flags)))


def kubelet(place: Place) -> Daemon:
    """Return the kubelet; it gives the node its labels and taints when it registers."""
    flags = {
        "config": CONFIG / "kubelet.json",
        "kubeconfig": PKI / "kubelet.conf",
        "root-dir": layout.INSIDE / "kubelet",
        "cert-dir": layout.INSIDE / "kubelet-pki",
        "hostname-override": place.name,
        "node-ip": place.address,
        "node-labels": ",".join(f"{key}={value}" for key, value in layout.NODE_LABELS.items()),
    }
    if place.taints:
        flags["register-with-taints"] = ",".join(place.taints)
    return Daemon("kubelet", (_program("kubelet"), *_flags(flags)))


def netpol(place: Place) -> Daemon:
    """Return what makes NetworkPolicies hold; it waits until the kubelet has registered the node."""
    flags = {
        "kubeconfig": PKI / "netpol.conf",
        "node": place.name,
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
    }
    return Daemon("netpol", (_program("netpol"), *_flags(flags)))


def first_daemons(place: Place) -> list[Daemon]:
    """Return what must be ready before the rest is started."""
    containerd = Daemon("containerd", ("containerd", "-c", f"{CONFIG}/containerd.toml"))
    return [containerd, etcd(), api_server()] if place == layout.FIRST else [containerd]


def later_daemons(place: Place) -> list[Daemon]:
    """Return what needs the API server."""
    proxy = Daemon("proxy", (_program("kube-proxy"), *_flags({"config": CONFIG / "proxy.json"})))
    coredns = Daemon("coredns", (_program("coredns"), "-conf", f"{CONFIG}/Corefile"))
    if place == layout.FIRST:
        return [controller_manager(), scheduler(), kubelet(place), proxy, coredns]
    return [kubelet(place), proxy]


def all_daemons(place: Place) -> list[Daemon]:
    """Return all programs of a node, in the order in which they are started."""
    return [*first_daemons(place), *later_daemons(place), netpol(place)]
