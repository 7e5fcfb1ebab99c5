"""Proxies between a worker and its services: they list what it sends, and act at a chosen request.

Each passes bytes on as they come. A request is what a client sends after it was last answered, which is how
MongoDB's driver, redis-py and both HTTP clients use a connection; its name is read from its first bytes. So
every write of a real worker process can be found without a line of the worker knowing of it, and the worker
can be killed while the request has not been seen by the service, or has been answered but not heard.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from dev.stores import HOST
from tests.support.worker_harness import Services

CHUNK_BYTES: Final = 65_536
MONGODB_NAME_AT: Final = 16 + 4 + 1 + 4 + 1
"""Message header, flags, section kind, document length, element type; then the command's name (OP_MSG)."""
MONGODB_WRITES: Final = frozenset({"insert", "update", "delete", "findAndModify"})
REDIS_READS: Final = frozenset(
    {"HELLO", "CLIENT", "PING", "AUTH", "SELECT", "INFO", "GET", "SCRIPT", "SMEMBERS", "EXISTS"}
)
HTTP_WRITES: Final = re.compile(r"POST \S*(/chat/completions|/nodes/batch) ")

_REDIS_NAME: Final = re.compile(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n")


class Moment(StrEnum):
    """When the action happens."""

    UNSENT = "unsent"
    """The service has not seen the request, and does not unless it is let go."""
    UNHEARD = "unheard"
    """The service has answered, and the worker does not hear it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the worker."""

    service: str
    name: str
    is_write: bool

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


@dataclass
class Trap:
    """What waits for a write to come by; `action` says whether the request, or its answer, goes on."""

    number: int
    moment: Moment
    action: Callable[[], bool]
    caught: Request | None = None


class Taps:
    """The proxies; `services` is where a worker finds them."""

    def __init__(self, services: Services) -> None:
        self._lock = threading.Lock()
        self._trap: Trap | None = None
        self._listeners: list[socket.socket] = []
        self.requests: list[Request] = []
        self.services = replace(
            services,
            mongodb_uri=self._tapped("mongodb", services.mongodb_uri, _mongodb_request),
            redis_url=self._tapped("redis", services.redis_url, _redis_request),
            brain_uri=self._tapped("brain", services.brain_uri, _http_request),
            model_uri=self._tapped("model", services.model_uri, _http_request),
        )

    @property
    def writes(self) -> list[Request]:
        """Return the writes since the last `listen`."""
        return [request for request in self.requests if request.is_write]

    def listen(self) -> None:
        """Forget what was seen; no trap is set."""
        with self._lock:
            self.requests, self._trap = [], None

    def set_trap(self, number: int, moment: Moment, action: Callable[[], bool]) -> Trap:
        """Forget what was seen, and act once at the `number`-th write from now, counted from 1.

        The connection stands still while the action lasts, and is cut if it returns False.
        """
        with self._lock:
            self.requests, self._trap = [], Trap(number, moment, action)
            return self._trap

    def close(self) -> None:
        """Take no further connections; the ones that are open end with their clients."""
        for listener in self._listeners:
            listener.close()

    # --- one connection

    def _tapped(self, service: str, uri: str, read: Callable[[str, bytes], Request]) -> str:
        """Listen for a service and return its URI with the proxy's address."""
        address = urlsplit(uri).netloc
        host, port = address.rsplit(":", 1)
        listener = socket.create_server((HOST, 0))
        self._listeners.append(listener)
        target = (host, int(port))
        _start(self._accept, listener, lambda first: read(service, first), target)
        return uri.replace(address, f"{HOST}:{listener.getsockname()[1]}")

    def _accept(
        self, listener: socket.socket, read: Callable[[bytes], Request], target: tuple[str, int]
    ) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(target)
            except OSError:
                client.close()
                continue
            line = _Line(self, client, server, read)
            _start(line.pass_up)
            _start(line.pass_down)

    def note(self, request: Request) -> Trap | None:
        """List a request, and return the trap if it is the one."""
        with self._lock:
            self.requests.append(request)
            trap = self._trap
            if trap is None or not request.is_write or trap.caught or len(self.writes) != trap.number:
                return None
            trap.caught = request
            return trap


class _Line:
    """A client's connection and its service's."""

    def __init__(
        self, taps: Taps, client: socket.socket, server: socket.socket, read: Callable[[bytes], Request]
    ) -> None:
        self._taps = taps
        self._client = client
        self._server = server
        self._read = read
        self._is_asked = False
        self._trap: Trap | None = None

    def pass_up(self) -> None:
        """Pass on what the client sends."""
        with self._closed_at_the_end():
            while chunk := self._client.recv(CHUNK_BYTES):
                if not self._is_asked:
                    self._is_asked = True
                    self._trap = self._taps.note(self._read(chunk))
                    if not self._may_go_on(Moment.UNSENT):
                        return
                self._server.sendall(chunk)

    def pass_down(self) -> None:
        """Pass on what the service answers."""
        with self._closed_at_the_end():
            while chunk := self._server.recv(CHUNK_BYTES):
                self._is_asked = False
                if not self._may_go_on(Moment.UNHEARD):
                    return
                self._trap = None
                self._client.sendall(chunk)

    def _may_go_on(self, moment: Moment) -> bool:
        return self._trap is None or self._trap.moment is not moment or self._trap.action()

    @contextmanager
    def _closed_at_the_end(self) -> Iterator[None]:
        with contextlib.suppress(OSError):
            yield
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _start(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


# --- names, from a request's first bytes


def _mongodb_request(service: str, first: bytes) -> Request:
    name = first[MONGODB_NAME_AT:].split(b"\0", 1)[0].decode("ascii", "replace")
    return Request(service, name, name in MONGODB_WRITES)


def _redis_request(service: str, first: bytes) -> Request:
    found = _REDIS_NAME.match(first)
    name = found[1].decode("ascii").upper() if found else "?"
    return Request(service, name, name not in REDIS_READS)


def _http_request(service: str, first: bytes) -> Request:
    line = first.split(b"\r\n", 1)[0].decode("ascii", "replace")
    return Request(service, line.rsplit(" ", 1)[0], bool(HTTP_WRITES.match(line)))
