"""An HTTP server in this process whose answers a test scripts: in the place of a brain, a model or a CMS."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from dev.service_process import HOST

POLL_S: Final = 0.05


@dataclass(frozen=True)
class Answer:
    """What one path answers; `body` is sent as JSON unless it is text."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None
    """The only header `Authorization` that gets it; any other gets 401."""


@dataclass
class ScriptedHttp:
    """One server; `answers` by path, without the query, may be changed at any time."""

    url: str
    answers: dict[str, Answer]
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Authorization of every request."""


@contextmanager
def scripted_http(answers: Mapping[str, Answer]) -> Iterator[ScriptedHttp]:
    """Serve the answers while the block lasts; any other path is 404 with a page."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, sent = self.path.split("?", 1)[0], self.headers.get("Authorization", "")
            server.asked.append((self.command, path, sent))
            answer = server.answers.get(path, Answer("<html>not found</html>", 404))
            if answer.authorization not in {None, sent}:
                answer = Answer({"errors": [{"message": "Who is asking?"}]}, 401)
            is_text = isinstance(answer.body, str)
            content = (answer.body if is_text else json.dumps(answer.body)).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/html" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer((HOST, 0), Handler)
    server = ScriptedHttp(f"http://{HOST}:{http.server_port}", dict(answers))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": POLL_S})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
