"""Ask an API server and a name server whether they are ready, without starting a program for it."""

import base64
import http.client
import json
import os
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dev.cluster import kubeconfig
from dev.cluster.kubeconfig import Credentials
from dev.errors import ClusterError, ContextError, WaitTimeoutError
from dev.waiting import wait_for

REQUEST_TIMEOUT_S = 5.0
"""An API server on two busy cores answers within a second; this bounds a hung one."""
DNS_TIMEOUT_S = 2.0


def _tls(credentials: Credentials) -> ssl.SSLContext:
    """Return a TLS context with the cluster's authority and our certificate."""
    context = ssl.create_default_context(cadata=base64.b64decode(credentials.authority).decode())
    with tempfile.NamedTemporaryFile() as file:  # load_cert_chain takes files only; this one is ours alone
        file.write(base64.b64decode(credentials.certificate) + base64.b64decode(credentials.key))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@dataclass(frozen=True, slots=True)
class ApiServer:
    """One API server, asked as one user."""

    credentials: Credentials

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a GET; (0, reason) if nothing answered."""
        address = urlsplit(self.credentials.server)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=REQUEST_TIMEOUT_S, context=_tls(self.credentials)
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error).encode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        return self.get("/readyz")[0] == http.HTTPStatus.OK

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes, or none if nothing answered."""
        status, body = self.get("/api/v1/nodes")
        return list(json.loads(body)["items"]) if status == http.HTTPStatus.OK else []

    def are_nodes_ready(self, names: Collection[str] = ()) -> bool:
        """Return whether the nodes of these names are Ready; without names, whether all that there are."""
        nodes = {node["metadata"]["name"]: is_ready_node(node) for node in self.nodes()}
        return bool(nodes) and all(nodes.get(name, False) for name in names or nodes)

    def has_default_account(self) -> bool:
        """Return whether pods can be made: the default namespace has its service account."""
        return self.get("/api/v1/namespaces/default/serviceaccounts/default")[0] == http.HTTPStatus.OK

    def runs_services(self) -> bool:
        """Return whether every node's kube-proxy is ready and a name server is, by what Kubernetes says."""
        apps = "/apis/apps/v1/namespaces/kube-system"
        proxy, names = (
            self._status(f"{apps}/daemonsets/kube-proxy"),
            self._status(f"{apps}/deployments/coredns"),
        )
        wanted, ready = proxy.get("desiredNumberScheduled", 0), proxy.get("numberReady", 0)
        return bool(0 < wanted == ready and names.get("availableReplicas", 0))

    def _status(self, path: str) -> dict[str, Any]:
        """Return an object's status, empty if nothing answered."""
        status, body = self.get(path)
        return dict(json.loads(body).get("status", {})) if status == http.HTTPStatus.OK else {}


def is_ready_node(node: dict[str, Any]) -> bool:
    """Return whether a Node's condition Ready is True."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def dns_query(name: str, identifier: int) -> bytes:
    """Return a DNS question for a name's IPv4 address (RFC 1035, section 4.1)."""
    header = struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0)  # recursion desired, one question
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return header + labels + b"\0" + struct.pack(">HH", 1, 1)  # type A, class IN


def is_dns_answer(packet: bytes, identifier: int) -> bool:
    """Return whether a packet answers our question, without an error and with at least one record."""
    if len(packet) < 12:  # noqa: PLR2004 - the header's length, RFC 1035
        return False
    answered, flags, _, records = struct.unpack(">HHHH", packet[:8])
    return answered == identifier and bool(flags & 0x8000) and not flags & 0x000F and records > 0


def resolves(server: str, name: str) -> bool:
    """Return whether the name server at an address knows a name."""
    identifier = int.from_bytes(os.urandom(2))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(DNS_TIMEOUT_S)
        try:
            channel.sendto(dns_query(name, identifier), (server, 53))
            return is_dns_answer(channel.recv(512), identifier)
        except OSError:
            return False


def missing_part(
    path: Path, *last: tuple[str, Callable[[ApiServer], bool]], nodes: Collection[str] = ()
) -> str | None:
    """Return what of a cluster does not work yet, or None if all does.

    `path` is its kubeconfig; each of `last` names and asks for what comes true when all else has. `nodes` are
    the names of those that have to be Ready, all that there are if none is named.
    """
    try:
        api = ApiServer(kubeconfig.read(path))
    except ContextError as error:
        return str(error)
    checks: list[tuple[str, Callable[[ApiServer], bool]]] = [  # in the order in which they come true
        ("the API server's readiness", ApiServer.is_ready),
        (" and ".join(nodes or ["the node"]) + " to be Ready", lambda api: api.are_nodes_ready(nodes)),
        ("the default service account", ApiServer.has_default_account),
        *last,
    ]
    return next((part for part, is_true in checks if not is_true(api)), None)


def await_ready(
    missing: Callable[[], str | None], timeout_s: float, say: Callable[[str], None], hint: str = ""
) -> None:
    """Wait until nothing of a cluster is missing; `say` gets what is waited for.

    Raises:
        ClusterError: not in time; the message says what is missing, and `hint` after it.
    """
    part: str | None = None

    def is_ready() -> bool:
        nonlocal part
        part = missing()
        if part:
            say(part)
        return part is None

    try:
        wait_for("the cluster", is_ready, timeout_s)
    except WaitTimeoutError as error:
        raise ClusterError(f"Not within {timeout_s:.0f} s: {part}.{hint}") from error
