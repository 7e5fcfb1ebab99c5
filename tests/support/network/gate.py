"""A way to a service that can be shut: for its clients that is as if the service's process were gone."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dev.service_process import HOST
from tests.support.network.tcp_relay import Relay


class Gate(Relay):
    """Leads to a service; while it is shut, connections are cut and new ones refused.

    Shutting it costs nothing, where the service's process would load its models again.
    """

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Keep it shut while the block lasts."""
        self.shut()
        # A socket that does not listen yet refuses connections, and keeps the port from others.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        try:
            yield
        finally:
            listener.listen()
            self.accept_from(listener)

    def shut(self) -> None:
        """Shut it."""
        self.close()
        self.cut()


@contextmanager
def gate(uri: str) -> Iterator[Gate]:
    """Have a gate before the service while the block lasts."""
    made = Gate(uri)
    try:
        yield made
    finally:
        made.shut()
