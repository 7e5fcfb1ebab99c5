"""An HTTP server in this process, for tests and benchmarks whose other side is a process of its own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from dev.service_process import HOST

POLL_S: Final = 0.05
"""How often the server looks whether it should end."""


@contextmanager
def answering(answer: Callable[[Any], Any]) -> Iterator[str]:
    """Answer every POST of JSON, at any path of the address that is yielded, while the block lasts.

    `answer` gets the body and returns the answer's, or None for 503; it runs on a thread for each connection.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if body is None:
                self.send_error(503)
                return
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the output is the test's or the benchmark's."""

    with serving(Handler) as address:
        yield address


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with the handler, a thread for each connection, at the address that is yielded."""
    server = ThreadingHTTPServer((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S})
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
