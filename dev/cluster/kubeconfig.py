"""The kubeconfig of our cluster, and the guard against touching any other.

Only the standard library: `dev/kubectl` and `dev/helm` pass through here. What we write is JSON, which
every Kubernetes client reads as the YAML that it is.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.errors import ContextError

CONTEXT = "gather-dev"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach an API server as one user: PEM texts in base64, as a kubeconfig holds them."""

    server: str
    authority: str
    certificate: str
    key: str


def render(credentials: Credentials) -> str:
    """Return a kubeconfig with our one context in it."""
    user = {"client-certificate-data": credentials.certificate, "client-key-data": credentials.key}
    cluster = {"server": credentials.server, "certificate-authority-data": credentials.authority}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": CONTEXT,
    }
    return json.dumps(body, indent=1)


def write(path: Path, text: str) -> None:
    """Write a kubeconfig that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".kubeconfig")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


def _named(entries: object, name: str, kind: str) -> dict[str, Any]:
    """Return the entry of that name in one of a kubeconfig's lists."""
    found = [e for e in entries if e.get("name") == name] if isinstance(entries, list) else []
    if not found:
        raise ContextError(f"no {kind} {name}")
    return dict(found[0].get(kind) or {})


def parse(text: str) -> Credentials:
    """Return what our context says; raises ContextError if it is not the current and only meant one."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ContextError("it is not JSON") from error
    if not isinstance(body, dict) or body.get("current-context") != CONTEXT:
        raise ContextError(f"its current context is not {CONTEXT}")
    context = _named(body.get("contexts"), CONTEXT, "context")
    cluster = _named(body.get("clusters"), context.get("cluster", ""), "cluster")
    user = _named(body.get("users"), context.get("user", ""), "user")
    return Credentials(
        server=cluster.get("server", ""),
        authority=cluster.get("certificate-authority-data", ""),
        certificate=user.get("client-certificate-data", ""),
        key=user.get("client-key-data", ""),
    )


def read(path: Path) -> Credentials:
    """Return our cluster's address and keys; raises ContextError if the file is missing or was changed."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContextError("There is no cluster: bring it up with `make up`.") from error
    except ContextError as error:
        raise ContextError(
            f"{path} was changed by something else: {error}. `make up` writes it again; to work on another "
            "cluster, name its context with --context NAME."
        ) from error
