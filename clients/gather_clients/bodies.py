"""Reading a response's body up to a limit, packed or not: what answers may be no server of ours."""

import asyncio
import contextlib
from typing import Final

import httpx

from gather_clients.http_calls.unpacking import UnpackingError, unpacking_of

ACCEPT_ENCODING: Final = {"Accept-Encoding": "gzip"}
"""Send this with a request whose answer `read_body` reads. Other forms it unpacks too, if they come."""

JSON_BEGINS: Final = (b"{", b"[")
"""Of a body that only says that it is packed: something on its way unpacked it, and left the header."""


class BodyTooLong(Exception):  # noqa: N818 - named for what it says of the body
    """The body is longer than the caller takes, packed or unpacked."""


async def read_body(response: httpx.Response, limit_bytes: int) -> bytes:
    """Return the body of a response, best of one that was opened as a stream.

    httpx itself unpacks each piece whole, which can be a thousand times its size.

    Raises:
        BodyTooLong: there are more than `limit_bytes`.
        httpx.DecodingError: it is packed wrongly, or in a way that cannot be unpacked here.
        httpx.TransportError: the connection broke.
    """
    if response.is_stream_consumed:  # it was read before, and unpacked
        if len(response.content) > limit_bytes:
            raise BodyTooLong(f"more than {limit_bytes} bytes")
        return response.content
    try:
        body = _Body(response.headers.get("Content-Encoding", ""), limit_bytes)
        async for chunk in response.aiter_raw():
            body.add(chunk)
        return body.whole()
    except UnpackingError as error:
        raise httpx.DecodingError(str(error), request=response.request) from error


async def read_beginning(response: httpx.Response, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the beginning of a body, as far as it comes in the time: an error says there what it is.

    A body that is broken, packed wrongly or too long is no error here.
    """
    with contextlib.suppress(UnpackingError):
        body = _Body(response.headers.get("Content-Encoding", ""), limit_bytes)
        with contextlib.suppress(
            BodyTooLong, UnpackingError, httpx.HTTPError, httpx.StreamError, TimeoutError
        ):
            async with asyncio.timeout(timeout_s):
                async for chunk in response.aiter_raw():
                    body.add(chunk)
        return body.beginning()
    return b""


class _Body:
    """A body on its way; keeps what came beside what was unpacked, if it may be JSON that is not packed."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        self._unpacking = unpacking_of(encoding)
        self._limit = limit_bytes
        self._received = 0
        self._plain = bytearray()
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take the next piece; raises BodyTooLong and UnpackingError."""
        if self._plain or (not self._received and chunk.startswith(JSON_BEGINS)):
            self._plain += chunk
        self._received += len(chunk)
        try:
            self._body += self._unpacked(chunk)
        except UnpackingError:
            if not self._plain:
                raise
            self._unpacking, self._body = None, self._plain
        if max(self._received, len(self._body)) > self._limit:
            raise BodyTooLong(f"more than {self._limit} bytes")

    def _unpacked(self, chunk: bytes) -> bytes:
        if self._unpacking is None:
            return chunk if self._body is not self._plain else b""
        return self._unpacking.unpack(chunk, self._limit + 1 - len(self._body))

    def whole(self) -> bytes:
        """Return the body; raises UnpackingError if its end is missing."""
        if self._unpacking is None or self._unpacking.is_complete:
            return bytes(self._body)
        if not self._plain:
            raise UnpackingError("ends in the middle")
        return bytes(self._plain)

    def beginning(self) -> bytes:
        """Return what has come so far, up to the limit."""
        return bytes(self._body[: self._limit])
