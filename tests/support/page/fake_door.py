"""The HTTP door as the page calls it: one address, and what was asked of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dev.service_process import HOST


class FakeDoor:
    """A door that answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[tuple[str, str | None]] = []
        """Path and key of each call."""
        self.url = ""
        self.project = ""
        """Whose run each name is."""


@contextmanager
def answering_door() -> Iterator[FakeDoor]:
    """Answer cancellations while the block lasts."""
    door = FakeDoor()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, json.dumps({"project_id": door.project}).encode())

        def do_DELETE(self) -> None:
            door.asked.append((self.path, self.headers["X-API-Key"]))
            self._say(door.status, b"{}")

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    door.url = f"http://{HOST}:{server.server_port}"
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
