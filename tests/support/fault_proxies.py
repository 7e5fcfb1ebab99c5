"""Proxies between a worker and its services: they list its requests and inject a fault at a chosen one.

Each passes bytes on as they come. A request is what a client sends after it was last answered, which is how
MongoDB's driver, redis-py and both HTTP clients use a connection; its name is read from its first bytes. So
every write of a real worker process is found without a change to the worker, and the worker can be killed
before the service sees a request, or before the worker sees its response.
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

from dev.service_process import HOST
from gather_contracts import names
from tests.support.worker_harness import Services

CHUNK_BYTES: Final = 65_536
MONGODB_NAME_AT: Final = 16 + 4 + 1 + 4 + 1
"""Message header, flags, section kind, document length, element type; then the command's name (OP_MSG)."""
MONGODB_WRITES: Final = frozenset({"insert", "update", "delete", "findAndModify", "commitTransaction"})
MERGE: Final = re.compile(rb"aggregate\0.{4}" + names.CHECKPOINTS_COLLECTION.encode() + rb"\0", re.DOTALL)
"""What a worker aggregates over checkpoints for is to write a note."""
REDIS_READS: Final = frozenset(
    {"HELLO", "CLIENT", "PING", "AUTH", "SELECT", "INFO", "GET", "SCRIPT", "SMEMBERS", "EXISTS"}
)
HTTP_WRITES: Final = re.compile(r"POST \S*(/chat/completions|/nodes/batch) ")

_REDIS_NAME: Final = re.compile(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n")


class Phase(StrEnum):
    """Which half of an exchange the trigger holds up."""

    REQUEST = "request"
    """The service has not seen the request, and sees it only if it is passed on."""
    RESPONSE = "response"
    """The service has answered; the worker gets the response only if it is passed on."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the worker."""

    service: str
    name: str
    is_write: bool

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


@dataclass
class Trigger:
    """Acts at one write; `action` returns whether the request, or its response, is passed on."""

    number: int
    phase: Phase
    action: Callable[[], bool]
    name: str = ""
    """If given, only the writes of this name count."""
    fired_by: Request | None = None


class FaultProxies:
    """The proxies; `services` is where a worker finds them."""

    def __init__(self, services: Services) -> None:
        self._lock = threading.Lock()
        self._trigger: Trigger | None = None
        self._listeners: list[socket.socket] = []
        self.requests: list[Request] = []
        self.services = replace(
            services,
            mongodb_uri=self._proxied("mongodb", services.mongodb_uri, _mongodb_request),
            redis_url=self._proxied("redis", services.redis_url, _redis_request),
            brain_uri=self._proxied("brain", services.brain_uri, _http_request),
            model_uri=self._proxied("model", services.model_uri, _http_request),
        )

    @property
    def writes(self) -> list[Request]:
        """Return the writes since the last `reset`."""
        return [request for request in self.requests if request.is_write]

    def reset(self) -> None:
        """Forget the requests seen so far and any trigger."""
        with self._lock:
            self.requests, self._trigger = [], None

    def set_trigger(self, number: int, phase: Phase, action: Callable[[], bool], name: str = "") -> Trigger:
        """Forget the requests seen so far, and act once at the `number`-th write from now, counted from 1.

        With a `name` only the writes of that name count.
        The connection stands still while the action lasts, and is cut if it returns False.
        """
        with self._lock:
            self.requests, self._trigger = [], Trigger(number, phase, action, name)
            return self._trigger

    def close(self) -> None:
        """Take no further connections; the ones that are open end with their clients."""
        for listener in self._listeners:
            listener.close()

    # --- one connection

    def _proxied(self, service: str, uri: str, read: Callable[[str, bytes], Request]) -> str:
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
            line = _Connection(self, client, server, read)
            _start(line.pass_up)
            _start(line.pass_down)

    def note(self, request: Request) -> Trigger | None:
        """List a request, and return the trigger if it is the one that fires it."""
        with self._lock:
            self.requests.append(request)
            trigger = self._trigger
            if trigger is None or trigger.fired_by or not request.is_write:
                return None
            counted = [each for each in self.writes if trigger.name in {"", each.name}]
            if trigger.name not in {"", request.name} or len(counted) != trigger.number:
                return None
            trigger.fired_by = request
            return trigger


class _Connection:
    """A client's connection and its service's."""

    def __init__(
        self,
        proxies: FaultProxies,
        client: socket.socket,
        server: socket.socket,
        read: Callable[[bytes], Request],
    ) -> None:
        self._proxies = proxies
        self._client = client
        self._server = server
        self._read = read
        self._is_asked = False
        self._trigger: Trigger | None = None

    def pass_up(self) -> None:
        """Pass on what the client sends."""
        with self._closed_at_the_end():
            while chunk := self._client.recv(CHUNK_BYTES):
                if not self._is_asked:
                    self._is_asked = True
                    self._trigger = self._proxies.note(self._read(chunk))
                    if not self._may_go_on(Phase.REQUEST):
                        return
                self._server.sendall(chunk)

    def pass_down(self) -> None:
        """Pass on what the service answers."""
        with self._closed_at_the_end():
            while chunk := self._server.recv(CHUNK_BYTES):
                self._is_asked = False
                if not self._may_go_on(Phase.RESPONSE):
                    return
                self._trigger = None
                self._client.sendall(chunk)

    def _may_go_on(self, phase: Phase) -> bool:
        return self._trigger is None or self._trigger.phase is not phase or self._trigger.action()

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
    is_merge = MERGE.match(first, MONGODB_NAME_AT) is not None
    return Request(service, name, is_merge or name in MONGODB_WRITES)


def _redis_request(service: str, first: bytes) -> Request:
    found = _REDIS_NAME.match(first)
    name = found[1].decode("ascii").upper() if found else "?"
    return Request(service, name, name not in REDIS_READS)


def _http_request(service: str, first: bytes) -> Request:
    line = first.split(b"\r\n", 1)[0].decode("ascii", "replace")
    return Request(service, line.rsplit(" ", 1)[0], bool(HTTP_WRITES.match(line)))
