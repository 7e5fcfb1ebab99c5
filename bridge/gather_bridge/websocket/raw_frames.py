"""A client's connection, below ASGI: whole frames written as bytes, and clients that only take or only send.

uvicorn encodes each message for each client. A server's frames are the same for all, so they are made once
and written past that; opening, pings and closing stay uvicorn's.
"""

import asyncio
import socket as sockets
from typing import Any, Final, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from gather_bridge.errors import ClientGone, SubscriberTooSlow
from gather_bridge.live.batch import Batch
from gather_bridge.live.frames import CloseCode

ABORT_AFTER_S: Final = 5.0
"""After the session has ended: time for the close frame to get through."""
WRITE_BUFFER_BYTES: Final = 8 * 1024
"""Above that a client has to read before it gets more."""
KERNEL_BUFFER_BYTES: Final = 64 * 1024
"""The kernel's own default grows to 4 MiB for a client that does not read, and a pod pays for it."""
MESSAGES_AT_ONCE: Final = 100
MESSAGES_PER_S: Final = 2.0
"""Listeners need not send anything; some libraries send pings of their own, so a few are passed over."""
BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
EXTENSION: Final = "gather.wire"


class MessageRate:
    """Allows `MESSAGES_AT_ONCE`, and so many a second besides."""

    __slots__ = ("_at_s", "_left")

    def __init__(self, now_s: float) -> None:
        self._at_s = now_s
        self._left: float = MESSAGES_AT_ONCE

    def is_allowed(self, now_s: float) -> bool:
        """Count one message."""
        self._left = min(MESSAGES_AT_ONCE, self._left + (now_s - self._at_s) * MESSAGES_PER_S) - 1
        self._at_s = now_s
        return self._left >= 0


class WireProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with bounds on what a client may send, and on how long it may read nothing."""

    rate: MessageRate
    is_flooded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what may wait in this process and in the kernel."""
        super().connection_made(transport)
        self.rate = MessageRate(self.loop.time())
        self.transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        limit_kernel_buffer(self.transport)

    def data_received(self, data: bytes) -> None:
        """Refuse a handshake that the parser does not take; uvicorn would leave the connection open."""
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(BAD_REQUEST)
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Hand the connection to the session."""
        super().handle_connect(event)
        if not self.close_sent:
            cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = Wire(self)

    def handle_ping(self) -> None:
        """Answer, unless the client reads no answers."""
        if self._is_counted() and self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Count it."""
        if self._is_counted():
            super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        """Count it."""
        if self._is_counted():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count it."""
        if self._is_counted():
            super().handle_bytes(event)

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """End the connection soon after the session, even if the client reads nothing.

        uvicorn closes a transport and leaves it to the kernel to flush what is still to be sent. With a
        client that never reads, this never ends: its memory and its file descriptor would stay.
        """
        super().on_task_complete(task)
        self.loop.call_later(ABORT_AFTER_S, self.transport.abort)

    def _is_counted(self) -> bool:
        """Count a message; close the connection if there are too many."""
        if self.is_flooded or self.close_sent:
            return False
        if self.rate.is_allowed(self.loop.time()):
            return True
        self.is_flooded = True
        self.conn.fail(CloseCode.POLICY, "too many messages: listeners need not send anything")
        self.handle_parser_exception()
        return False


class Wire:
    """What a session writes to."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._protocol = protocol

    @property
    def is_flooded(self) -> bool:
        """Return whether it was closed for what the client sent."""
        return self._protocol.is_flooded

    def make_way(self) -> None:
        """Let the close frame be written, however much the client has not read."""
        self._protocol.writable.set()

    async def send(self, batch: Batch, timeout_s: float) -> None:
        """Write the frames; raises SubscriberTooSlow if the client does not take them, ClientGone."""
        protocol = self._protocol
        chunks = batch.chunks
        for number, chunk in enumerate(chunks):
            if protocol.disconnected or protocol.close_sent or protocol.transport.is_closing():
                raise ClientGone
            protocol.transport.write(chunk)
            if not protocol.writable.is_set():
                try:
                    async with asyncio.timeout(timeout_s):
                        await protocol.writable.wait()
                except TimeoutError:
                    raise SubscriberTooSlow from None
            elif number + 1 < len(chunks):
                await asyncio.sleep(0)


def wire_of(socket: WebSocket) -> Wire:
    """Return what a session of this socket writes to."""
    wire: Wire = socket.scope["extensions"][EXTENSION]
    return wire


def limit_kernel_buffer(transport: asyncio.BaseTransport) -> None:
    """Bound what the kernel keeps for a client that does not read."""
    connection: sockets.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, KERNEL_BUFFER_BYTES)
