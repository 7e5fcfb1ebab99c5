"""HTTP that no client sends, written to the socket as it is: answered cleanly, and the brain lives on."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from gather_contracts.brain import ErrorBody

BATCH: Final = "/api/v1/nodes/batch"
SEARCH: Final = "/api/v1/search/duplicates"
CONTEXT: Final = "/api/v1/context/department"
PROJECT: Final = "5e1dab1e" * 3
"""Nobody's: other tests' generated requests may write to one of zeros."""
CONTEXT_FOR: Final = f"{CONTEXT}?projectId={PROJECT}&department="
CONTEXT_OF: Final = f"{CONTEXT_FOR}x"
GIBIBYTE: Final = 2**30
CHUNK: Final = b" " * 2**20
GROWTH_MAX_KIB: Final = 16 * 1024


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/nodes/batch", "/API/v1", "/api/v1/nodesx/batch", "/api/v1/../v1/nodes/batchx",
        "/api/v1/%00", "/api/v1/%ff%fe", "/api/v1/%", "/api/v1/%zz", "/api/v2/nodes/batch", "/api/v1",
        "/api/v1/", "/", "/docs", "/openapi.json", "/redoc", "/api/v1/docs/../../main.py",
        "/api/v1/docs/%2e%2e/core.py", f"/{'x' * 30_000}",
    ],
)  # fmt: skip
def test_other_paths_are_404_and_lead_nowhere(brain: Any, path: str) -> None:
    """No redirects: a redirect would repeat the request to whatever Host the caller named."""
    for method in ("GET", "POST"):
        status, headers, body = spoken(
            brain,
            f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\n{bearer(brain)}Content-Length: 0\r\n\r\n",
        )
        assert status == 404
        assert "location" not in headers
        assert ErrorBody.model_validate_json(body).error == "not_found"


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize(
    "path", [f"{BATCH}/", "/api/v1/nodes//batch", "/api/v1/nodes/batch/x", "/api/v1/nodes/batch;x"]
)
def test_paths_below_nodes_are_ids_and_lead_nowhere_else(brain: Any, path: str) -> None:
    """An id may hold any character; each is read with a project named and never written to. No redirects."""
    for method, expected, error in (("GET", 400, "validation_failed"), ("POST", 405, "method_not_allowed")):
        status, headers, body = spoken(
            brain,
            f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\n{bearer(brain)}Content-Length: 0\r\n\r\n",
        )
        assert status == expected
        assert "location" not in headers
        assert ErrorBody.model_validate_json(body).error == error


QUERIES: Final[dict[str, tuple[str, set[int]]]] = {
    "10,000 departments": (f"{CONTEXT_OF}{'&previousDepartments[]=a' * 10_000}", {400}),
    "2,500 departments": (f"{CONTEXT_OF}{'&previousDepartments[]=a' * 2_500}", {400}),
    "10,000 parameters": (f"{CONTEXT_OF}{'&a' * 10_000}", {400}),
    "a megabyte": (f"{CONTEXT_FOR}{'x' * 2**20}", {400}),
    "60 KiB": (f"{CONTEXT_FOR}{'x' * 60_000}", {400}),
    "bad escapes": (f"{CONTEXT_FOR}%", {404}),
    "escapes of no digits": (f"{CONTEXT_FOR}%zz%u1234", {404}),
    "not UTF-8": (f"{CONTEXT_FOR}%ff%fe", {404}),
    "an escaped surrogate": (f"{CONTEXT_FOR}%ed%a0%80", {404}),
    "overlong UTF-8": (f"{CONTEXT_FOR}%c0%80", {404}),
    "NUL": (f"{CONTEXT_FOR}%00", {404}),
    "line ends": (f"{CONTEXT_FOR}%0d%0aX-Injected:%201", {404}),
    "a bad project in bad escapes": (f"{CONTEXT}?projectId=%ff&department=x", {400}),
    "two projects": (f"{CONTEXT_OF}&projectId={'1' * 24}", {400}),
    "two limits": (f"{CONTEXT_OF}&limit=1&limit=2", {400}),
    "an unknown parameter": (f"{CONTEXT_OF}&x=1", {400}),
    "an empty department": (f"{CONTEXT}?projectId={PROJECT}&department=", {400}),
    "no query": (CONTEXT, {400}),
    "only a mark": (f"{CONTEXT}?", {400}),
    "only separators": (f"{CONTEXT}?&&&===", {400}),
    "limit of a float": (f"{CONTEXT_OF}&limit=1.5", {400}),
    "limit of infinity": (f"{CONTEXT_OF}&limit=1e400", {400}),
    "limit of 5,000 digits": (f"{CONTEXT_OF}&limit={'9' * 5_000}", {400}),
    "limit of a text": (f"{CONTEXT_OF}&limit=ten", {400}),
    "limit of nothing": (f"{CONTEXT_OF}&limit=", {400}),
    "semicolons": (f"{CONTEXT}?projectId={PROJECT};department=x", {400}),
    "a fragment": (f"{CONTEXT_OF}#x", {400, 404}),
}


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("name", QUERIES)
def test_a_hostile_query_is_answered_cleanly(brain: Any, name: str) -> None:
    """400 with the field's name, or the 404 of a project that is not there where the query can be read."""
    target, statuses = QUERIES[name]
    status, headers, body = spoken(brain, f"GET {target} HTTP/1.1\r\nHost: brain\r\n{bearer(brain)}\r\n")
    assert status in statuses, body[:500]
    assert "x-injected" not in headers
    ErrorBody.model_validate_json(body)
    assert len(body) < 20_000


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize(
    "request_text",
    [
        "\x00\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: a\r\nX: {'x' * 200_000}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: a\r\n{'X: x' + chr(13) + chr(10)}".ljust(100_000, "x"),
        f"POST {SEARCH} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        f"POST {SEARCH} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        f"POST {SEARCH} HTTP/1.1\r\nHost: a\r\nContent-Length: {'9' * 5000}\r\n\r\n",
    ],
)  # fmt: skip
def test_a_malformed_http_request_gets_the_standard_body_too(brain: Any, request_text: str) -> None:
    """Where no application is asked, the server answers."""
    status, headers, body = spoken(brain, request_text)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert ErrorBody.model_validate_json(body).error == "validation_failed"


@pytest.mark.usefixtures("lives")
def test_broken_chunks_end_the_request(brain: Any) -> None:
    """The body is announced in chunks and is not in chunks."""
    head = f"POST {SEARCH} HTTP/1.1\r\nHost: a\r\n{bearer(brain)}Content-Type: application/json\r\n"
    status, headers, body = spoken(brain, f"{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")
    assert (status, headers["connection"]) == (400, "close")
    assert ErrorBody.model_validate_json(body).error == "validation_failed"


@pytest.mark.usefixtures("lives")
def test_a_refused_connection_takes_no_further_request(brain: Any) -> None:
    """What follows nonsense is not read as a request."""
    with _connected(brain) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert _read(connection)[0] == 400
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1) == b""


def test_a_websocket_handshake_is_an_ordinary_request(brain: Any) -> None:
    """The brain speaks none, and it must not be a way around the keys."""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
    status, _, body = spoken(brain, f"GET {CONTEXT_OF} HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")
    assert status == 401
    assert ErrorBody.model_validate_json(body).error == "unauthorized"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer \u00e9",
        "Bearer " + "x" * 10_000,
        "Bearer a b",
        "bearer",
        "Bearer\t",
        "Basic eDp5",
        "Negotiate x",
    ],
)
def test_hostile_keys_are_401(brain: Any, authorization: str) -> None:
    """And nothing of them comes back."""
    head = f"GET {CONTEXT_OF} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n"
    status, headers, body = spoken(brain, head)
    assert status == 401
    assert headers["www-authenticate"] == "Bearer"
    assert json.loads(body) == {"error": "unauthorized", "message": "Invalid or missing API key"}


@pytest.mark.usefixtures("lives")
def test_a_gibibyte_without_a_length_is_413_and_costs_no_memory(brain: Any) -> None:
    """Counted as it arrives, in every process of it; the caller that reads while it sends has the answer."""
    resident = _Resident(brain.pid)
    head = f"POST {BATCH} HTTP/1.1\r\nHost: a\r\n{bearer(brain)}Content-Type: application/json\r\n"
    with resident, _connected(brain) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent = _send_chunks(connection, GIBIBYTE)
        status, headers, body = _read(connection)
    assert sent == GIBIBYTE
    assert status == 413
    assert headers["content-type"] == "application/json"
    assert ErrorBody.model_validate_json(body).error == "payload_too_large"
    assert resident.growth_kib < GROWTH_MAX_KIB


@pytest.mark.usefixtures("lives")
def test_a_length_over_the_limit_is_413_before_the_body_is_read(brain: Any) -> None:
    """The caller need not send it."""
    head = f"POST {BATCH} HTTP/1.1\r\nHost: a\r\n{bearer(brain)}Content-Type: application/json\r\n"
    status, _, body = spoken(brain, f"{head}Content-Length: {GIBIBYTE}\r\n\r\n")
    assert status == 413
    assert ErrorBody.model_validate_json(body).details == {"max_bytes": 10 * 2**20}


def test_slow_requests_time_out(start_brain: Callable[..., AbstractContextManager[Any]]) -> None:
    """A body that trickles is 408, and so is one that stops."""
    with start_brain(GATHER_BRAIN_BODY_TIMEOUT_S="1") as brain:
        head = f"POST {SEARCH} HTTP/1.1\r\nHost: a\r\n{bearer(brain)}Content-Type: application/json\r\n"
        for trickle in (b"", b" "):
            with _connected(brain) as connection:
                connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
                with _Trickle(connection, trickle):
                    status, headers, body = _read(connection)
            assert (status, headers["connection"]) == (408, "close")
            assert ErrorBody.model_validate_json(body).error == "request_timeout"
        assert httpx.get(f"{brain.url}/healthz").status_code == 200


def spoken(brain: Any, text: str) -> tuple[int, dict[str, str], bytes]:
    """Send a request as it stands and return status, headers and body of the answer."""
    with _connected(brain) as connection:
        connection.sendall(text.encode("latin-1"))
        return _read(connection)


def bearer(brain: Any) -> str:
    """Return the header with the service key."""
    return f"Authorization: Bearer {brain.service_key}\r\n"


def _connected(brain: Any) -> socket.socket:
    address = urlsplit(brain.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=60)


def _read(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        lines = [line.decode("latin-1").strip() for line in iter(stream.readline, b"\r\n")]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return status, headers, stream.read(int(headers["content-length"]))


def _send_chunks(connection: socket.socket, total: int) -> int:
    chunk = f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n"
    for _ in range(total // len(CHUNK)):
        connection.sendall(chunk)
    connection.sendall(b"0\r\n\r\n")
    return total


class _Resident:
    """Watches a process's memory while a block runs."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._ends = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._first_kib = self._highest_kib = self._now_kib()

    def __enter__(self) -> None:
        self._watching.start()

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._watching.join()

    @property
    def growth_kib(self) -> int:
        """How much more it was at its highest than before."""
        return self._highest_kib - self._first_kib

    def _watch(self) -> None:
        while not self._ends.wait(0.02):
            self._highest_kib = max(self._highest_kib, self._now_kib())

    def _now_kib(self) -> int:
        lines = self._status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class _Trickle:
    """Sends a little again and again while a block runs; nothing, if there is nothing to send."""

    def __init__(self, connection: socket.socket, content: bytes) -> None:
        self._connection = connection
        self._content = content
        self._ends = threading.Event()
        self._sending = threading.Thread(target=self._send)

    def __enter__(self) -> None:
        self._sending.start()

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._sending.join()

    def _send(self) -> None:
        deadline = time.monotonic() + 30
        while self._content and not self._ends.wait(0.2) and time.monotonic() < deadline:
            self._connection.sendall(self._content)
