"""A private control plane: etcd, API server and the controllers that a run needs; no node, no kubelet.

It is the Kubernetes of `dev up`, needs no rights on the machine, and goes with the process that started it.
Who plays the pods is up to the caller.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
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
"""A user's name is its token."""
CALL_TIMEOUT_S: Final = 30
READY_TIMEOUT_S: Final = 60
CONTROLLERS: Final = ("job-controller", "garbage-collector-controller", "ttl-after-finished-controller")
FEWER_COLLECTIONS: Final = {"GOGC": "400"}
"""Memory for time: Go collects garbage when its heap has grown fivefold, not doubled."""
NOTHING: Final[Mapping[str, Any]] = {}
CRD: Final = ROOT / f"crds/{names.GROUP}_{names.PLURAL}.yaml"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that answers and serves GatherRuns."""

    folder: Path
    server: str
    processes: Mapping[str, ServiceProcess]

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make one call as the administrator; raises httpx.HTTPError."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {**bearer(ADMIN), "Content-Type": kind}
        answer = _client().request(method, f"{self.server}{path}", json=body, headers=headers)
        answer.raise_for_status()
        return dict(answer.json())


@cache
def _client() -> httpx.Client:
    """Return the one for all calls: making one, and its connection, costs more than what it asks for."""
    return httpx.Client(verify=False, timeout=CALL_TIMEOUT_S)  # noqa: S501 - our own servers, on this machine


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
    # The controllers come last: the garbage collector looks for new kinds only every 30 s.
    with api_plane(folder, reporter, users) as plane, controlling(plane):
        yield plane


@contextmanager
def api_plane(
    folder: Path, reporter: Reporter, users: Sequence[str] = (), strangers: Sequence[str] = ()
) -> Iterator[ControlPlane]:
    """Run etcd and an API server with RBAC in `folder` while the block lasts, and no controller.

    `users` may do everything; `strangers` are known, and may do what they are given a right to.
    """
    store = Cache.from_environment()
    ensure_programs((KUBERNETES,), store, reporter)
    programs, server = KUBERNETES.folder(store), f"https://{HOST}:{free_port()}"
    write_access(folder, server, (ADMIN, *users), strangers)
    etcd_url = f"http://{HOST}:{free_port()}"
    more = {"authorization-mode": "RBAC"}
    processes = (
        etcd(folder, programs, etcd_url, FEWER_COLLECTIONS),
        api_server(folder, programs, server, etcd_url, environment=FEWER_COLLECTIONS, more=more),
    )
    with ExitStack() as stack:
        for process in processes:
            process.start()
            stack.callback(process.kill)
        plane = ControlPlane(folder, server, {process.name: process for process in processes})
        serve_gatherruns(plane)
        yield plane


@contextmanager
def controlling(plane: ControlPlane) -> Iterator[None]:
    """Run the controllers of runs' Jobs while the block lasts."""
    programs = KUBERNETES.folder(Cache.from_environment())
    process = controllers(plane.folder, programs, CONTROLLERS, FEWER_COLLECTIONS)
    process.start()
    try:
        yield
    finally:
        process.kill()


def write_access(folder: Path, server: str, users: Sequence[str], strangers: Sequence[str] = ()) -> None:
    """Write what the API server knows its users and strangers by, and a kubeconfig for each."""
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", folder / "accounts.key", "2048"],
        check=True, capture_output=True,
    )  # fmt: skip
    tokens = "".join(f'{user},{user},{user},"system:masters"\n' for user in users)
    tokens += "".join(f"{stranger},{stranger},{stranger}\n" for stranger in strangers)
    (folder / "tokens.csv").write_text(tokens, encoding="ascii")
    for user in (*users, *strangers):
        kubeconfig(folder, user).write_text(access(server, user), encoding="ascii")


def access(server: str, user: str) -> str:
    """Return a kubeconfig's text: that user's way to a server of ours."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {"token": user}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    return json.dumps(config)


def kubeconfig(folder: Path, user: str) -> Path:
    """Return where a user's kubeconfig is."""
    return folder / f"{user}.conf"


def etcd(folder: Path, programs: Path, url: str, environment: Mapping[str, str] = NOTHING) -> ServiceProcess:
    """Return a store that keeps nothing safe."""
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
    program, health = programs / "etcd", f"{url}/health"
    return component(folder, "etcd", program, flags, health, "--unsafe-no-fsync", environment=environment)


def api_server(
    folder: Path,
    programs: Path,
    server: str,
    etcd_url: str,
    *,
    environment: Mapping[str, str] = NOTHING,
    more: Mapping[str, object] = NOTHING,
) -> ServiceProcess:
    """Return an API server that lets every user do everything; `more` are further flags."""
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
        **more,
    }
    program, health = programs / "kube-apiserver", f"{server}/readyz"
    return component(folder, "apiserver", program, flags, health, environment=environment)


def controllers(
    folder: Path, programs: Path, wanted: Sequence[str], environment: Mapping[str, str] = NOTHING
) -> ServiceProcess:
    """Return a controller manager with those controllers, whose calls nothing slows down."""
    port = free_port()
    flags = {
        "kubeconfig": kubeconfig(folder, ADMIN),
        "leader-elect": "false",
        "bind-address": HOST,
        "secure-port": port,
        "cert-dir": folder / "controllers",
        "kube-api-qps": FAST_QPS,
        "kube-api-burst": FAST_QPS,
        "concurrent-job-syncs": 20,
        "controllers": ",".join(wanted),
    }
    program, health = programs / "kube-controller-manager", f"https://{HOST}:{port}/healthz"
    return component(folder, "controllers", program, flags, health, environment=environment)


def component(
    folder: Path,
    name: str,
    program: Path,
    flags: Mapping[str, object],
    health: str,
    *more: str,
    environment: Mapping[str, str] = NOTHING,
) -> ServiceProcess:
    """Return a program that is up once it answers at `health`."""
    (folder / name).mkdir(exist_ok=True)
    command: Command = [program, *(f"--{flag}={value}" for flag, value in flags.items()), *more]
    return ServiceProcess(name, health, folder / name, command, _answers, environment)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, verify=False, headers=bearer(ADMIN), timeout=5).is_success  # noqa: S501 - as above
    except httpx.HTTPError:
        return False


def serve_gatherruns(plane: ControlPlane) -> None:
    """Bring the custom resource; return once it is served."""
    definition = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)

    def is_served() -> bool:
        try:
            plane.call("GET", f"/apis/{names.GROUP}/{names.VERSION}/{names.PLURAL}")
        except httpx.HTTPError:
            return False
        return True

    wait_for("GatherRuns to be served", is_served, READY_TIMEOUT_S)
