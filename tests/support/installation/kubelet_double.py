"""A node's kubelet as far as the API server asks it for logs: the lines that a test gives."""

import ssl
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

POLL_S: Final = 0.05
FOLLOW_MAX_S: Final = 30.0
SIZE: Final = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}


class KubeletDouble:
    """Its logs, by namespace and pod."""

    def __init__(self) -> None:
        self.port = 0
        self.lines: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.ended: set[tuple[str, str]] = set()
        """Pods whose followers have had their last line."""
        self.cut: set[tuple[str, str]] = set()
        """Pods whose next follower is cut off after its first lines, once."""

    def node_status(self) -> dict[str, Any]:
        """Return a Node's status that leads the API server here."""
        return {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "allocatable": SIZE,
            "capacity": SIZE,
        }


@contextmanager
def kubelet_double(folder: Path) -> Iterator[KubeletDouble]:
    """Serve while the block lasts."""
    double = KubeletDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            place, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
            _, _, namespace, pod, _ = place.path.split("/")
            key, is_stamped = (namespace, pod), query.get("timestamps") == ["true"]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            shown = 0
            until = time.monotonic() + FOLLOW_MAX_S
            tail = int(query["tailLines"][0]) if "tailLines" in query else None
            if tail is not None:
                shown = max(0, len(double.lines[key]) - tail)
            while True:
                for number, line in list(enumerate(double.lines[key]))[shown:]:
                    stamp = f"2026-05-01T12:00:00.{number:09d}Z " if is_stamped else ""
                    self.wfile.write(f"{stamp}{line}\n".encode())
                    shown += 1
                self.wfile.flush()
                if key in double.cut and shown:
                    double.cut.discard(key)
                    return
                if query.get("follow") != ["true"] or key in double.ended or time.monotonic() > until:
                    return
                time.sleep(POLL_S)

        def log_message(self, *_: Any) -> None: ...

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kubelet",
         "-keyout", folder / "kubelet.key", "-out", folder / "kubelet.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "kubelet.crt", folder / "kubelet.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    double.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    yield double
    server.shutdown()
    server.server_close()
