"""The user's kubeconfig as kubectl reads it: files merged, a context picked, paths seen from their file.

The official client reads it too, and takes half a second to import (decision 0023 in docs).
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from gather_cli.errors import Unreachable

FILE_MAX_BYTES: Final = 8 * 2**20
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KINDS: Final = {"clusters": "cluster", "users": "user", "contexts": "context"}
PATHS: Final = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server, and as whom."""

    server: str
    namespace: str
    source: str
    """Where it was read, for messages."""
    context: str = ""
    cluster: Mapping[str, Any] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    """Of the file that names the user, which a plugin's relative path is seen from."""
    quiet_s: float | None = None
    """So long a plugin has that may neither ask nor say anything; None: it may use the terminal."""


def read_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """Return the way to the cluster: a kubeconfig, else the pod's service account; raises Unreachable."""
    files = _files(kubeconfig)
    there = [path for path in files if path.is_file()]
    if kubeconfig and not there:
        raise Unreachable(f"the kubeconfig {kubeconfig} does not exist; name another one with --kubeconfig")
    merged = _merged(there)
    if not merged["contexts"] and not context and not kubeconfig and _is_in_pod():
        return _service_account()
    if not there:
        raise Unreachable(
            f"there is no kubeconfig ({_names(files)}); set KUBECONFIG or give --kubeconfig FILE"
        )
    return _access(merged, context, _names(there))


def context_names(kubeconfig: str | None = None) -> list[str]:
    """Return the names of all contexts; none if the files cannot be read."""
    try:
        return sorted(_merged([path for path in _files(kubeconfig) if path.is_file()])["contexts"])
    except Unreachable:
        return []


def near(name: str, names: Sequence[str]) -> str:
    """Return `: did you mean ...?` with the names that are like it, or those that there are, if few."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:5])
    return f"; there are: {shown}{', …' if len(names) > 5 else ''}" if names else ""  # noqa: PLR2004


def _files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig:
        return [Path(kubeconfig).expanduser()]
    named = [name for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return [Path(name).expanduser() for name in named] or [Path.home() / ".kube" / "config"]


def _names(files: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, files))


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    """Return all files as one; of what several name, the first one's counts, as with kubectl."""
    merged: dict[str, Any] = {"clusters": {}, "users": {}, "contexts": {}, "current-context": ""}
    for path in files:
        read = _read(path)
        merged["current-context"] = merged["current-context"] or str(read.get("current-context") or "")
        for plural, kind in KINDS.items():
            for entry in read.get(plural) or ():
                if isinstance(entry, dict) and isinstance(entry.get(kind) or {}, dict):
                    value = _seen_from(path.parent, plural, entry.get(kind) or {})
                    merged[plural].setdefault(str(entry.get("name")), value | {"_folder": path.parent})
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise Unreachable(f"the kubeconfig {path} has more than {FILE_MAX_BYTES} bytes")
        read = yaml.load(path.read_text("utf-8"), Loader)  # noqa: S506 - a safe loader, in C where there is one
    except OSError as error:
        raise Unreachable(f"the kubeconfig {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise Unreachable(f"the kubeconfig {path} is no YAML: {said}") from error
    if read is None:
        return {}
    if not isinstance(read, dict) or any(not isinstance(read.get(p) or [], list) for p in KINDS):
        raise Unreachable(f"the kubeconfig {path} has another form than kubectl's")
    return read


def _seen_from(folder: Path, plural: str, value: dict[str, Any]) -> dict[str, Any]:
    paths = {
        name: str(folder / Path(value[name]).expanduser())
        for name in PATHS.get(plural, ())
        if value.get(name)
    }
    return value | paths


def _access(merged: Mapping[str, Any], wanted: str | None, source: str) -> Access:
    name = wanted or merged["current-context"]
    if not name:
        raise Unreachable(
            f"the kubeconfig {source} has no current context; give --context, or kubectl config "
            "use-context NAME"
        )
    context = merged["contexts"].get(name)
    if context is None:
        raise Unreachable(
            f"the kubeconfig {source} has no context {name}{near(name, sorted(merged['contexts']))}"
        )
    cluster = merged["clusters"].get(str(context.get("cluster")))
    if cluster is None or not cluster.get("server"):
        raise Unreachable(
            f"context {name} of {source} names the cluster {context.get('cluster')}, which is not there"
        )
    user = merged["users"].get(str(context.get("user")), {})
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        namespace=str(context.get("namespace") or "default"),
        source=f"the kubeconfig {source}",
        context=name,
        cluster=cluster,
        user=user,
        folder=user.get("_folder", Path()),
    )


def _is_in_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").is_file()


def _service_account() -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = SERVICE_ACCOUNT / "namespace"
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=namespace.read_text("utf-8").strip() if namespace.is_file() else "default",
        source="the pod's service account",
        cluster={"certificate-authority": str(SERVICE_ACCOUNT / "ca.crt")},
        user={"tokenFile": str(SERVICE_ACCOUNT / "token")},
    )
