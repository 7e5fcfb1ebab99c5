"""A way to a service that can be shut: for its clients that is as if the service's process were gone."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from dev.service_process import HOST

CHUNK_BYTES = 65_536


class Gate:
    """Leads to a service; while it is shut, connections are cut and new ones refused.

    Shutting it costs nothing, where the service's process would load its models again.
    """

    def __init__(self, uri: str) -> None:
        address = urlsplit(uri).netloc
        host, port = address.rsplit(":", 1)
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((HOST, 0))
        self._port: int = self._listener.getsockname()[1]
        self.uri = uri.replace(address, f"{HOST}:{self._port}")
        """Where the service is found."""
        self._accept_from(self._listener)

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Keep it shut while the block lasts."""
        self.close()
        # A socket that does not listen yet refuses connections, and keeps the port from others.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self._port))
        try:
            yield
        finally:
            listener.listen()
            self._listener = listener
            self._accept_from(listener)

    def close(self) -> None:
        """Shut it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait for connections
        self._listener.close()
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept_from(self, listener: socket.socket) -> None:
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

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
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()


@contextmanager
def gate(uri: str) -> Iterator[Gate]:
    """Have a gate before the service while the block lasts."""
    made = Gate(uri)
    try:
        yield made
    finally:
        made.close()
