"""An API server that shows one namespace's objects to Helm's `lookup`, and takes nothing."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from tests.support.http_server import serving

NAMESPACE: Final = "film"
KINDS: Final = {
    "/api/v1": [("secrets", "Secret"), ("configmaps", "ConfigMap")],
    "/apis/apps/v1": [("deployments", "Deployment")],
}
NOT_FOUND: Final = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "NotFound",
    "code": 404,
}


@contextmanager
def readable(objects: Mapping[str, Any], folder: Path) -> Iterator[list[str]]:
    """Show objects, by their plural and name, or lists, by their plural; yield Helm's flags for it."""
    shown = {**_discovery(), **{_path(name): _typed(name, found) for name, found in objects.items()}}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = shown.get(self.path.partition("?")[0])
            content = json.dumps(found or NOT_FOUND).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the output is the test's."""

    with serving(Handler) as address:
        file = folder / "kubeconfig"
        file.write_text(json.dumps(_access(address)), "utf-8")
        # `helm template` does not ask the server for its version.
        flags = ["--kubeconfig", str(file), "--namespace", NAMESPACE, "--kube-version", "1.34"]
        yield [*flags, "--dry-run=server"]


def _path(name: str) -> str:
    plural = name.partition("/")[0]
    base = next(base for base, kinds in KINDS.items() if plural in dict(kinds))
    return f"{base}/namespaces/{NAMESPACE}/{name}"


def _typed(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    plural, _, one = name.partition("/")
    base, kind = next((base, dict(kinds)[plural]) for base, kinds in KINDS.items() if plural in dict(kinds))
    group = base.removeprefix("/apis/").removeprefix("/api/")
    metadata = {"metadata": {"name": one}} if one else {}
    return {"apiVersion": group, "kind": kind if one else f"{kind}List", **metadata, **found}


def _discovery() -> dict[str, Any]:
    version = {"groupVersion": "apps/v1", "version": "v1"}
    groups = [{"name": "apps", "versions": [version], "preferredVersion": version}]
    shown: dict[str, Any] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
    }
    for base, kinds in KINDS.items():
        resources = [
            {"name": plural, "kind": kind, "namespaced": True, "singularName": "", "verbs": ["get", "list"]}
            for plural, kind in kinds
        ]
        group = base.removeprefix("/apis/").removeprefix("/api/")
        shown[base] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group,
            "resources": resources,
        }
    return shown


def _access(address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
