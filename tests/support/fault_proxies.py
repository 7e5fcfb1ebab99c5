"""Proxies between a worker and its services: they list its requests and inject a fault at a chosen one.

Each passes bytes on as they come. A request is what a client sends after it was last answered, which is how
MongoDB's driver, redis-py and both HTTP clients use a connection; its name is read from its first bytes. So
every write of a real worker process is found without a change to the worker, and the worker can be killed
before the service sees a request, or before the worker sees its response.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gather_contracts import names
from tests.support.network.tcp_relay import Pass, Relay, Send, pass_on
from tests.support.worker_harness import Services

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
        self._relays: list[Relay] = []
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
        for relay in self._relays:
            relay.close()

    def _proxied(self, service: str, uri: str, read: Callable[[str, bytes], Request]) -> str:
        """Listen for a service and return its URI with the proxy's address."""

        def passes() -> tuple[Pass, Pass]:
            line = _Line(self, lambda first: read(service, first))
            return line.pass_up, line.pass_down

        self._relays.append(Relay(uri, passes))
        return self._relays[-1].uri

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


class _Line:
    """One connection of a client."""

    def __init__(self, proxies: FaultProxies, read: Callable[[bytes], Request]) -> None:
        self._proxies = proxies
        self._read = read
        self._is_asked = False
        self._trigger: Trigger | None = None

    def pass_up(self, chunk: bytes, send: Send) -> bool:
        """Pass on what the client sends."""
        if not self._is_asked:
            self._is_asked = True
            self._trigger = self._proxies.note(self._read(chunk))
            if not self._may_go_on(Phase.REQUEST):
                return False
        return pass_on(chunk, send)

    def pass_down(self, chunk: bytes, send: Send) -> bool:
        """Pass on what the service answers."""
        self._is_asked = False
        if not self._may_go_on(Phase.RESPONSE):
            return False
        self._trigger = None
        return pass_on(chunk, send)

    def _may_go_on(self, phase: Phase) -> bool:
        return self._trigger is None or self._trigger.phase is not phase or self._trigger.action()


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
