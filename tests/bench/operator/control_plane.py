"""The private control plane of the tests with a scheduler, an audit log, and kwok for nodes and pods.

It has no kubelet and needs no rights on the machine. Its own client limits are as wide as the cluster's of
`dev up`, so that they are not what is measured.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import KUBERNETES, KWOK, ensure_programs
from dev.cluster.node.configs import FAST_QPS
from dev.progress import Reporter
from dev.service_process import HOST, ServiceProcess, free_port
from dev.waiting import wait_for
from gather_contracts.result import DepartmentResult, StopReason, encode_result
from tests.bench.measure import cpu_s
from tests.support.kubernetes import control_plane as plain

USERS: Final = ("floor", "floor-jobs", "sketch", "operator")
"""Each has a token of its own, so that the audit log tells whose a write is."""
NODES: Final = 4
PROGRAMS: Final = {
    "kube-apiserver": "API server",
    "etcd": "etcd",
    "kube-controller-manager": "controllers",
    "kube-scheduler": "scheduler",
    "kwok": "kwok",
}
READY_TIMEOUT_S: Final = 60
CONTROLLERS: Final = (*plain.CONTROLLERS, "namespace-controller")
STAGES: Final = Path(__file__).with_name("stages.yaml")
RESULT: Final = DepartmentResult(
    iterations=2, items_created=9, quality_score=85.5, cost_usd=0.01, tokens=1234,
    reason=StopReason.THRESHOLD_REACHED,
)  # fmt: skip


class ControlPlane(plain.ControlPlane):
    """One that answers, with its nodes ready."""

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig of one of `USERS`."""
        return plain.kubeconfig(self.folder, user)

    @property
    def audit_log(self) -> Path:
        """One line of JSON for each request of our users."""
        return self.folder / "audit.log"

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time that each of its programs has used, in seconds."""
        found = dict.fromkeys(PROGRAMS.values(), 0.0)
        for process in psutil.process_iter(["name", "cmdline"]):
            name = PROGRAMS.get(process.info["name"])
            if name is not None and any(str(self.folder) in part for part in process.info["cmdline"] or ()):
                found[name] += cpu_s(process.pid)
        return found


@contextmanager
def control_plane(folder: Path, reporter: Reporter, delay_ms: int = 0) -> Iterator[ControlPlane]:
    """Run an empty control plane in `folder` while the block lasts; a pod's worker runs for `delay_ms`."""
    cache = Cache.from_environment()
    ensure_programs((KUBERNETES, KWOK), cache, reporter)
    server, etcd_url = f"https://{HOST}:{free_port()}", f"http://{HOST}:{free_port()}"
    plain.write_access(folder, server, (plain.ADMIN, *USERS))
    _write_files(folder, delay_ms)
    with ExitStack() as stack:
        for process in _processes(folder, cache, server, etcd_url):
            process.start()
            stack.callback(process.kill)
        plane = ControlPlane(folder, server, {})
        _prepare(plane)
        yield plane


def _write_files(folder: Path, delay_ms: int) -> None:
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": [*USERS]}, {"level": "None"}],
    }
    (folder / "audit.json").write_text(json.dumps(policy), encoding="ascii")
    own = str(plain.kubeconfig(folder, plain.ADMIN))
    scheduler = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": own, "qps": FAST_QPS, "burst": FAST_QPS},
        "leaderElection": {"leaderElect": False},
    }
    (folder / "scheduler.json").write_text(json.dumps(scheduler), encoding="ascii")
    stages = STAGES.read_text(encoding="utf-8").replace("DELAY_MS", str(delay_ms))
    stages = stages.replace("RESULT", json.dumps(encode_result(RESULT)))
    (folder / "stages.yaml").write_text(stages, encoding="utf-8")


def _processes(folder: Path, cache: Cache, server: str, etcd_url: str) -> list[ServiceProcess]:
    programs, kwok = KUBERNETES.folder(cache), KWOK.folder(cache)
    audit = {
        "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",
        "audit-policy-file": folder / "audit.json",
        "audit-log-path": folder / "audit.log",
        "audit-log-mode": "batch",
        "audit-log-batch-max-wait": "1s",
    }
    scheduler_port, kwok_port = free_port(), free_port()
    scheduler = {
        "config": folder / "scheduler.json",
        "bind-address": HOST,
        "secure-port": scheduler_port,
        "cert-dir": folder / "scheduler",
    }
    player = {
        "kubeconfig": plain.kubeconfig(folder, plain.ADMIN),
        "config": folder / "stages.yaml",
        "server-address": f"{HOST}:{kwok_port}",
    }
    return [
        plain.etcd(folder, programs, etcd_url),
        plain.api_server(folder, programs, server, etcd_url, more=audit),
        plain.controllers(folder, programs, CONTROLLERS),
        plain.component(folder, "scheduler", programs / "kube-scheduler", scheduler,
                        f"https://{HOST}:{scheduler_port}/healthz"),
        plain.component(folder, "kwok", kwok / "kwok", player, f"http://{HOST}:{kwok_port}/healthz"),
    ]  # fmt: skip


def _prepare(plane: ControlPlane) -> None:
    """Bring the custom resource and the nodes."""
    plain.serve_gatherruns(plane)
    for number in range(NODES):
        labels = {"pool": "cpu_intensive", "kubernetes.io/hostname": f"fake-{number}"}
        metadata = {
            "name": f"fake-{number}",
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": labels,
        }
        plane.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": metadata})

    def is_ready() -> bool:
        spaces = [n["metadata"]["name"] for n in plane.call("GET", "/api/v1/namespaces")["items"]]
        if "default" not in spaces:
            return False
        nodes = plane.call("GET", "/api/v1/nodes")["items"]
        return all(node.get("status", {}).get("allocatable") for node in nodes)

    wait_for("the nodes", is_ready, READY_TIMEOUT_S)
