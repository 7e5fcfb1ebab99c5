"""A TCP relay between a service and its clients: connections can be heard, held up and cut."""

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from dev.service_process import HOST

CHUNK_BYTES = 65_536

Send = Callable[[bytes], None]
Pass = Callable[[bytes, Send], bool]
"""Gets each chunk, and what passes it on; returns whether the connection goes on, and may take its time."""


def pass_on(chunk: bytes, send: Send) -> bool:
    """Pass each chunk on."""
    send(chunk)
    return True


def both_pass() -> tuple[Pass, Pass]:
    """Return what leaves a connection as it is."""
    return pass_on, pass_on


class Relay:
    """Leads to the service at `uri`, on threads of its own.

    `passes` is called for each connection and returns what passes on what the client sends, and what the
    service answers. `port` stays the same.
    """

    def __init__(self, uri: str, passes: Callable[[], tuple[Pass, Pass]] = both_pass) -> None:
        self._address = urlsplit(uri).netloc.rpartition("@")[2]
        host, port = self._address.rsplit(":", 1)
        self._target = (host, int(port))
        self._passes = passes
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        listener = socket.create_server((HOST, 0))
        self.port: int = listener.getsockname()[1]
        self.uri = uri.replace(self._address, f"{HOST}:{self.port}")
        """Where the service is found."""
        self.accept_from(listener)

    def accept_from(self, listener: socket.socket) -> None:
        """Take connections from this listening socket."""
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Take no further connections; those that are open stay."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait for connections
        self._listener.close()

    def cut(self) -> None:
        """End the connections that are open."""
        with self._lock:
            for end in self._open:
                _shut(end)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                if listener.fileno() < 0:  # shut meanwhile
                    client.close()
                    server.close()
                    return
                self._open |= {client, server}
            up, down = self._passes()
            for line in ((client, server, up), (server, client, down)):
                threading.Thread(target=self._carry, args=line, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, passes: Pass) -> None:
        with contextlib.suppress(OSError):
            while (chunk := source.recv(CHUNK_BYTES)) and passes(chunk, sink.sendall):
                pass
        for end in (source, sink):
            _shut(end)
        with self._lock:
            self._open.discard(source)
        source.close()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
