"""A test server that speaks OpenAI's embeddings API: vectors of hashed words, and faults on request.

    python embedding_server.py PORT

No language model is behind it: texts with words in common are near, and that is all. `POST /faults` takes a
list of faults for the answers to come, `GET /seen` says what was asked.
"""

import hashlib
import json
import math
import re
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = {"hashed-words-48": 48, "hashed-words-96": 96}
KEY = "embedding-key"
WORD = re.compile(r"[a-z0-9']+")

faults: deque[dict[str, Any]] = deque()
seen: list[dict[str, Any]] = []
under_way = {"now": 0, "most": 0}
lock = threading.Lock()


def vector(text: str, dimensions: int) -> list[float]:
    """Return a vector that is not normalised: sums of the signs and places that words hash to."""
    found = [0.0] * dimensions
    for word in WORD.findall(text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        found[digest[0] % dimensions] += 2.0 if digest[1] % 2 else -2.0
        found[digest[2] % dimensions] += 1.0 if digest[3] % 2 else -1.0
    return found if any(found) else [1.0] * dimensions


def answer_to(asked: dict[str, Any], fault: str | None) -> Any:
    """Return the answer, right or with the fault; the vectors come in the reverse order."""
    dimensions = asked.get("dimensions") or DIMENSIONS[asked["model"]]
    if fault == "other_dimensions":
        dimensions -= 1
    rows: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}
        for index, text in enumerate(asked["input"])
    ][::-1]
    if fault == "one_missing":
        rows.pop()
    if fault == "index_twice":
        rows[0]["index"] = rows[-1]["index"]
    if fault == "not_finite":
        rows[0]["embedding"][0] = math.inf
    if fault == "zeros":
        rows[0]["embedding"] = [0.0] * dimensions
    if fault == "error_in_200":
        return {"error": {"message": f"overloaded while reading {asked['input'][0]}", "code": 502}}
    return {"object": "list", "model": asked["model"], "data": rows}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say what was asked."""
        with lock:
            self._send(200, {"seen": seen, "most": under_way["most"]})

    def do_POST(self) -> None:
        """Take faults, or answer."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/faults":
            faults.clear()
            faults.extend(asked)
            self._send(200, {})
            return
        with lock:
            fault = faults.popleft() if faults else {}
            seen.append({"texts": len(asked["input"]), "longest": max(map(len, asked["input"]))})
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
        try:
            time.sleep(fault.get("delay_s", 0))
            self._answer(asked, fault)
        finally:
            with lock:
                under_way["now"] -= 1

    def _answer(self, asked: dict[str, Any], fault: dict[str, Any]) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self._send(401, {"error": {"message": "wrong key"}})
        elif "status" in fault:
            self._send(fault["status"], {"error": {"message": "no"}}, fault.get("retry_after"))
        elif fault.get("fault") == "not_json":
            self._send_bytes(200, b"<html>Bad gateway</html>")
        elif fault.get("fault") == "half":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"data": [')
            self.close_connection = True
        else:
            self._send(200, answer_to(asked, fault.get("fault")))

    def _send(self, status: int, body: Any, retry_after: str | None = None) -> None:
        self._send_bytes(status, json.dumps(body).encode(), retry_after)

    def _send_bytes(self, status: int, content: bytes, retry_after: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
