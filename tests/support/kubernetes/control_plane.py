"""A private control plane: etcd, API server and the controllers that a run needs; no node, no kubelet.

It is the Kubernetes of `dev up`, needs no rights on the machine, and goes with the process that started it.
Who plays the pods is up to the caller.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import KUBERNETES, ensure_programs
from dev.cluster.node.configs import FAST_QPS
from dev.paths import ROOT
from dev.progress import Reporter
from dev.service_process import HOST, Command, ServiceProcess, free_port
from dev.waiting import wait_for
from gather_contracts import names

ADMIN: Final = "admin"
"""A user's name is its token, and every user may do everything."""
CALL_TIMEOUT_S: Final = 30
READY_TIMEOUT_S: Final = 60
CONTROLLERS: Final = ("job-controller", "garbage-collector-controller", "ttl-after-finished-controller")
FEWER_COLLECTIONS: Final = {"GOGC": "400"}
"""Memory for time: Go collects garbage when its heap has grown fivefold, not doubled."""
CRD: Final = ROOT / f"crds/{names.GROUP}_{names.PLURAL}.yaml"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that answers and serves GatherRuns."""

    folder: Path
    server: str
    pids: Mapping[str, int]

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make one call as the administrator; raises httpx.HTTPError."""
        with httpx.Client(verify=False, timeout=CALL_TIMEOUT_S) as client:  # noqa: S501 - our own, on this machine
            answer = client.request(method, f"{self.server}{path}", json=body, headers=bearer(ADMIN))
        answer.raise_for_status()
        return dict(answer.json())


def bearer(user: str) -> dict[str, str]:
    """Return the header by which the API server knows a user."""
    return {"Authorization": f"Bearer {user}"}


@contextmanager
def control_plane(
    folder: Path, reporter: Reporter, users: Sequence[str] = ("operator",)
) -> Iterator[ControlPlane]:
    """Run an empty control plane in `folder` while the block lasts.

    Its programs are built where they are missing.
    """
    cache = Cache.from_environment()
    ensure_programs((KUBERNETES,), cache, reporter)
    programs = KUBERNETES.folder(cache)
    server = f"https://{HOST}:{free_port()}"
    _write_files(folder, server, (ADMIN, *users))
    with ExitStack() as stack:
        pids: dict[str, int] = {}

        def start(process: ServiceProcess) -> None:
            process.start()
            stack.callback(process.kill)
            pids[process.name] = process.pid

        etcd_url = f"http://{HOST}:{free_port()}"
        start(_etcd(folder, programs, etcd_url))
        start(_api_server(folder, programs, server, etcd_url))
        plane = ControlPlane(folder, server, pids)
        # Before the controllers: the garbage collector looks for new kinds only every 30 s.
        _serve_gatherruns(plane)
        start(_controllers(folder, programs))
        yield plane


def _write_files(folder: Path, server: str, users: Sequence[str]) -> None:
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", folder / "accounts.key", "2048"],
        check=True, capture_output=True,
    )  # fmt: skip
    tokens = "".join(f'{user},{user},{user},"system:masters"\n' for user in users)
    (folder / "tokens.csv").write_text(tokens, encoding="ascii")
    reach = {"server": server, "insecure-skip-tls-verify": True}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": reach}],
        "users": [{"name": "u", "user": {"token": ADMIN}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="ascii")


def _etcd(folder: Path, programs: Path, url: str) -> ServiceProcess:
    peers = f"http://{HOST}:{free_port()}"
    flags = {
        "data-dir": folder / "etcd" / "data",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "log-level": "warn",
    }
    return _process(folder, "etcd", programs / "etcd", flags, f"{url}/health", "--unsafe-no-fsync")


def _api_server(folder: Path, programs: Path, server: str, etcd_url: str) -> ServiceProcess:
    flags = {
        "etcd-servers": etcd_url,
        "cert-dir": folder / "apiserver",
        "bind-address": HOST,
        "advertise-address": HOST,
        "secure-port": server.rsplit(":", 1)[1],
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "AlwaysAllow",
        "disable-admission-plugins": "ServiceAccount",
        "service-cluster-ip-range": "10.97.0.0/24",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": folder / "accounts.key",
        "service-account-signing-key-file": folder / "accounts.key",
    }
    return _process(folder, "apiserver", programs / "kube-apiserver", flags, f"{server}/readyz")


def _controllers(folder: Path, programs: Path) -> ServiceProcess:
    port = free_port()
    flags = {
        "kubeconfig": folder / "kubeconfig",
        "leader-elect": "false",
        "bind-address": HOST,
        "secure-port": port,
        "cert-dir": folder / "controllers",
        "kube-api-qps": FAST_QPS,
        "kube-api-burst": FAST_QPS,
        "concurrent-job-syncs": 20,
        "controllers": ",".join(CONTROLLERS),
    }
    url = f"https://{HOST}:{port}/healthz"
    return _process(folder, "controllers", programs / "kube-controller-manager", flags, url)


def _process(
    folder: Path, name: str, program: Path, flags: Mapping[str, object], url: str, *more: str
) -> ServiceProcess:
    (folder / name).mkdir(exist_ok=True)
    command: Command = [program, *(f"--{flag}={value}" for flag, value in flags.items()), *more]
    return ServiceProcess(name, url, folder / name, command, _answers, FEWER_COLLECTIONS)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, verify=False, headers=bearer(ADMIN), timeout=5).is_success  # noqa: S501 - as above
    except httpx.HTTPError:
        return False


def _serve_gatherruns(plane: ControlPlane) -> None:
    definition = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)

    def is_served() -> bool:
        try:
            plane.call("GET", f"/apis/{names.GROUP}/{names.VERSION}/{names.PLURAL}")
        except httpx.HTTPError:
            return False
        return True

    wait_for("GatherRuns to be served", is_served, READY_TIMEOUT_S)
