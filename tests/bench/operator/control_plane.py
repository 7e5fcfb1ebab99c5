"""A private control plane: etcd, API server, controller manager, scheduler, and kwok for nodes and pods.

It has no kubelet and needs no rights on the machine. Its own client limits are as wide as the cluster's of
`dev up`, so that they are not what is measured.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import KUBERNETES, KWOK, ensure_programs
from dev.cluster.node.configs import FAST_QPS
from dev.paths import ROOT
from dev.progress import Reporter
from dev.service_process import HOST, ServiceProcess, free_port, http_answers
from dev.waiting import wait_for
from gather_contracts.result import DepartmentResult, StopReason, encode_result

USERS: Final = ("admin", "floor", "sketch", "operator")
"""Each has a token of its own, so that the audit log tells whose a write is."""
NODES: Final = 4
CALL_TIMEOUT_S: Final = 30
READY_TIMEOUT_S: Final = 60
CONTROLLERS: Final = (
    "job-controller", "garbage-collector-controller", "namespace-controller", "ttl-after-finished-controller",
)  # fmt: skip
STAGES: Final = Path(__file__).with_name("stages.yaml")
RESULT: Final = DepartmentResult(
    iterations=2, items_created=9, quality_score=85.5, cost_usd=0.01, tokens=1234,
    reason=StopReason.THRESHOLD_REACHED,
)  # fmt: skip


@dataclass
class ControlPlane:
    """One that answers, with its nodes ready."""

    folder: Path
    server: str
    processes: dict[str, ServiceProcess]

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig of one of `USERS`."""
        return self.folder / f"{user}.conf"

    @property
    def audit_log(self) -> Path:
        """One line of JSON for each request of our users."""
        return self.folder / "audit.log"

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make one call as the administrator."""
        headers = {"Authorization": "Bearer admin"}
        with httpx.Client(verify=False, headers=headers, timeout=CALL_TIMEOUT_S) as client:  # noqa: S501 - own
            answer = client.request(method, f"{self.server}{path}", json=body)
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def control_plane(folder: Path, reporter: Reporter, delay_ms: int = 0) -> Iterator[ControlPlane]:
    """Run an empty control plane in `folder` while the block lasts; a pod's worker runs for `delay_ms`."""
    cache = Cache.from_environment()
    ensure_programs((KUBERNETES, KWOK), cache, reporter)
    programs = KUBERNETES.folder(cache)
    ports = {name: free_port() for name in ("etcd", "peers", "api", "controllers", "scheduler", "kwok")}
    server = f"https://{HOST}:{ports['api']}"
    _write_files(folder, server, delay_ms)
    with ExitStack() as stack:
        found: dict[str, ServiceProcess] = {}
        for process in _processes(folder, programs, KWOK.folder(cache), server, ports):
            (folder / process.name).mkdir(exist_ok=True)
            process.start()
            stack.callback(process.kill)
            found[process.name] = process
        plane = ControlPlane(folder, server, found)
        _prepare(plane)
        yield plane


def _write_files(folder: Path, server: str, delay_ms: int) -> None:
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", folder / "accounts.key", "2048"],
        check=True, capture_output=True,
    )  # fmt: skip
    tokens = "".join(f'{user},{user},{user},"system:masters"\n' for user in (*USERS, "system"))
    (folder / "tokens.csv").write_text(tokens, encoding="ascii")
    for user in (*USERS, "system"):
        (folder / f"{user}.conf").write_text(_kubeconfig(server, user), encoding="ascii")
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": ["floor", "sketch", "operator"]}, {"level": "None"}],
    }
    (folder / "audit.json").write_text(json.dumps(policy), encoding="ascii")
    scheduler = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(folder / "system.conf"), "qps": FAST_QPS, "burst": FAST_QPS},
        "leaderElection": {"leaderElect": False},
    }
    (folder / "scheduler.json").write_text(json.dumps(scheduler), encoding="ascii")
    stages = STAGES.read_text(encoding="utf-8").replace("DELAY_MS", str(delay_ms))
    stages = stages.replace("RESULT", json.dumps(encode_result(RESULT)))
    (folder / "stages.yaml").write_text(stages, encoding="utf-8")


def _kubeconfig(server: str, user: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "u", "user": {"token": user}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
    )


def _processes(
    folder: Path, programs: Path, kwok: Path, server: str, ports: dict[str, int]
) -> list[ServiceProcess]:
    etcd_url, peers = f"http://{HOST}:{ports['etcd']}", f"http://{HOST}:{ports['peers']}"
    etcd = {
        "data-dir": folder / "etcd" / "data",
        "listen-client-urls": etcd_url,
        "advertise-client-urls": etcd_url,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "log-level": "warn",
    }
    api = {
        "etcd-servers": etcd_url,
        "cert-dir": folder / "apiserver",
        "bind-address": HOST,
        "advertise-address": HOST,
        "secure-port": ports["api"],
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "AlwaysAllow",
        "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",
        "service-cluster-ip-range": "10.97.0.0/24",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": folder / "accounts.key",
        "service-account-signing-key-file": folder / "accounts.key",
        "audit-policy-file": folder / "audit.json",
        "audit-log-path": folder / "audit.log",
        "audit-log-mode": "batch",
        "audit-log-batch-max-wait": "1s",
    }
    controllers = {
        "kubeconfig": folder / "system.conf",
        "leader-elect": "false",
        "bind-address": HOST,
        "secure-port": ports["controllers"],
        "cert-dir": folder / "controller-manager",
        "kube-api-qps": FAST_QPS,
        "kube-api-burst": FAST_QPS,
        "concurrent-job-syncs": 20,
        "controllers": ",".join(CONTROLLERS),
    }
    scheduler = {
        "config": folder / "scheduler.json",
        "bind-address": HOST,
        "secure-port": ports["scheduler"],
        "cert-dir": folder / "scheduler",
    }
    player = {
        "kubeconfig": folder / "system.conf",
        "config": folder / "stages.yaml",
        "server-address": f"{HOST}:{ports['kwok']}",
    }
    return [
        _process("etcd", folder, programs / "etcd", etcd, etcd_url, "/health", "--unsafe-no-fsync"),
        _process("apiserver", folder, programs / "kube-apiserver", api, server, "/readyz"),
        _process("controller-manager", folder, programs / "kube-controller-manager", controllers,
                 f"https://{HOST}:{ports['controllers']}", "/healthz"),
        _process("scheduler", folder, programs / "kube-scheduler", scheduler,
                 f"https://{HOST}:{ports['scheduler']}", "/healthz"),
        _process("kwok", folder, kwok / "kwok", player, f"http://{HOST}:{ports['kwok']}", "/healthz"),
    ]  # fmt: skip


def _process(  # noqa: PLR0917 - as many as a process has
    name: str, folder: Path, program: Path, flags: dict[str, object], url: str, path: str, *more: str
) -> ServiceProcess:
    def answers(uri: str) -> bool:
        if uri.startswith("http://"):
            return http_answers(uri, path)
        try:
            headers = {"Authorization": "Bearer admin"}
            return httpx.get(f"{uri}{path}", verify=False, headers=headers, timeout=5).is_success  # noqa: S501
        except httpx.HTTPError:
            return False

    command: list[str | Path] = [program, *(f"--{flag}={value}" for flag, value in flags.items()), *more]
    return ServiceProcess(name, url, folder / name, command, answers)


def _prepare(plane: ControlPlane) -> None:
    """Bring the custom resource and the nodes."""
    definition = yaml.safe_load((ROOT / "crds/gather.ft.tc_gatherruns.yaml").read_text(encoding="utf-8"))
    plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
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
        return all(node.get("status", {}).get("allocatable") for node in nodes) and _is_served(plane)

    wait_for("the nodes and the custom resource", is_ready, READY_TIMEOUT_S)


def _is_served(plane: ControlPlane) -> bool:
    try:
        plane.call("GET", "/apis/gather.ft.tc/v1alpha1/gatherruns")
    except httpx.HTTPStatusError:
        return False
    return True
