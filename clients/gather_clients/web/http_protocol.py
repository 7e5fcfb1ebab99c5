"""uvicorn's HTTP/1.1 with a limit on waiting, and with the standard body for malformed requests.

uvicorn waits without limit for a request's head, and answers a malformed one with a text of its own.
"""

import asyncio
import time
import uuid
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from gather_clients.limits.gcra import LimitState, header_fields
from gather_contracts.brain import ErrorBody, ErrorCode

UNANSWERED: Final = frozenset({h11.IDLE, h11.SEND_RESPONSE})
BAD_REQUEST: Final = ErrorBody(error=ErrorCode.VALIDATION_FAILED, message="Invalid HTTP request")


class BoundedProtocol(H11Protocol):
    """One connection; a head, or the rest of an answered request, must come within the keep-alive time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._overdue: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Keep the timer while no request is under way: slow bytes win no time."""
        if self._refused:
            return
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        is_answered = cycle is None or cycle.response_complete
        if is_answered and not self.transport.is_closing():
            self._start_timer()
        else:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the body is always the same
        """Answer a malformed request, or one whose head is over 64 KiB.

        Closing at once would reset the connection under a caller that still sends, and the answer would be
        lost; so the rest is read and dropped. A request under way must learn of the end, though.
        """
        if self.conn.our_state not in UNANSWERED:
            self.transport.close()
            return
        is_under_way = self.conn.our_state is h11.SEND_RESPONSE
        content = BAD_REQUEST.model_dump_json(exclude_none=True).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(content))),
            ("x-request-id", uuid.uuid4().hex),
        ]
        if (limit := self.limit_shown()) is not None:
            headers += header_fields(limit, time.time()).items()
        head = h11.Response(
            status_code=400, headers=[*headers, ("connection", "close")], reason=b"Bad Request"
        )
        self.transport.write(self.conn.send(head) + self.conn.send(h11.Data(content)))
        self.conn.send(h11.EndOfMessage())
        self._refused = True
        if is_under_way:
            self.transport.close()
        else:
            self.transport.write_eof()

    def limit_shown(self) -> LimitState | None:
        """Return what the answer to a malformed request says of limits: nothing, where there are none."""
        return None

    def _start_timer(self) -> None:
        if self._overdue is None:
            self._overdue = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _stop_timer(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
