"""The node's way to one address outside: a proxy on this machine's end of the link, while a block lasts.

The node has no route to the internet. Workers reach a real model through this; it connects to that model's
host and port and to no other. What goes to an https endpoint is encrypted from worker to model and cannot be
read here.
"""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

HEAD_MAX = 16 * 1024
CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 600.0
"""As long as a worker waits for an answer at most."""
CONNECTIONS_MAX = 16
"""A worker keeps at most four."""
CHUNK = 64 * 1024
PORTS = {"http": 80, "https": 443}
INTERIM = (b"100", b"102", b"103")
LASTING = (b"connection:", b"proxy-connection:", b"keep-alive:")


@dataclass(frozen=True, slots=True)
class WayOut:
    """An endpoint as pods reach it: its address, and the proxy that leads there; none if empty."""

    url: str
    proxy: str = ""


def is_loopback(host: str) -> bool:
    """Return whether a host is the machine itself, which to a pod is the pod."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def seen_by_pods(url: str, machine: str) -> str:
    """Return the endpoint's address with this machine's own name replaced by the one that pods know."""
    parts = urlsplit(url)
    if not is_loopback(parts.hostname or ""):
        return url
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{machine}{port}"))


def destination(head: bytes) -> tuple[str, int, bytes]:
    """Return host, port and what is sent on of a request to a proxy (RFC 9110 9.3.6, RFC 9112 3.2.2).

    Of CONNECT nothing is sent on. Another request goes on in the form for a server, and as the last of its
    connection, since the next one would have to be read too. Raises ValueError if it is no such request.
    """
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.decode("ascii").split(" ")
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        return parts.hostname or "", parts.port or PORTS["https"], b""
    parts = urlsplit(target)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(target)
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    first = f"{method} {path} {version}".encode()
    return parts.hostname, parts.port or PORTS["http"], last_of_connection(first + b"\r\n" + rest)


def last_of_connection(head: bytes) -> bytes:
    """Return a message's head, with its blank line, that ends its connection (RFC 9112 9.6).

    Many servers close after "Connection: close" without saying so in their answer. A client that is not
    informed would send its next request on the closed connection.
    """
    first, *fields = head.split(b"\r\n")
    kept = [f for f in fields if f and not f.lower().startswith(LASTING)]
    return b"\r\n".join([first, *kept, b"Connection: close"]) + b"\r\n\r\n"


@contextmanager
def way_out(url: str, machine: str) -> Iterator[WayOut]:
    """Yield how pods reach `url` through a proxy that listens on this machine's address `machine`."""
    parts = urlsplit(url)
    target = (parts.hostname or "", parts.port or PORTS[parts.scheme])
    shown = seen_by_pods(url, machine)
    allowed = ((urlsplit(shown).hostname or "").lower(), target[1])
    with socket.create_server((machine, 0)) as server:
        gate = _Gate(target, allowed)
        threading.Thread(target=gate.serve, args=(server,), daemon=True).start()
        try:
            yield WayOut(shown, f"http://{machine}:{server.getsockname()[1]}")
        finally:
            # Wakes the thread that waits in accept, which closing alone would not.
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


class _Gate:
    """Takes connections and leads those that want the one destination to it."""

    def __init__(self, target: tuple[str, int], allowed: tuple[str, int]) -> None:
        self._target = target
        self._allowed = allowed
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)

    def serve(self, server: socket.socket) -> None:
        """Accept until the server is shut down."""
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            if not self._places.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                client.settimeout(IDLE_TIMEOUT_S)
                self._pass_on(client)
        finally:
            self._places.release()

    def _pass_on(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        try:
            host, port, request = destination(head)
        except ValueError:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        if (host.lower(), port) != self._allowed:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            server = socket.create_connection(self._target, CONNECT_TIMEOUT_S)
        except OSError:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with server:
            server.settimeout(IDLE_TIMEOUT_S)
            back = threading.Thread(
                target=_pass_answer if request else _pump, args=(server, client), daemon=True
            )
            if not request:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            server.sendall(request + rest)
            back.start()
            _pump(client, server)
            back.join()


def _read_head(source: socket.socket, received: bytes = b"") -> tuple[bytes, bytes]:
    """Return a message's head without its blank line, and what came behind it; no head if it is too long."""
    while b"\r\n\r\n" not in received and len(received) < HEAD_MAX:
        chunk = source.recv(CHUNK)
        if not chunk:
            break
        received += chunk
    head, blank, rest = received.partition(b"\r\n\r\n")
    return (head, rest) if blank else (b"", b"")


def _pass_answer(server: socket.socket, client: socket.socket) -> None:
    """Pass an answer on as the last of its connection, behind its interim ones (RFC 9110 15.2)."""
    with contextlib.suppress(OSError):
        head, rest = _read_head(server)
        while head[9:12] in INTERIM:
            client.sendall(head + b"\r\n\r\n")
            head, rest = _read_head(server, rest)
        if head:
            client.sendall(last_of_connection(head) + rest)
    _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until the source ends, then say so to the target."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
