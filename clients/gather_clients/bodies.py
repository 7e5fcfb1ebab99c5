"""Reading a response's body up to a limit, packed or not: what answers may be no server of ours."""

import zlib
from typing import Final

import httpx

ACCEPT_ENCODING: Final = {"Accept-Encoding": "gzip"}
"""Send this with a request whose answer `read_body` reads: what it can unpack in bounded memory."""
GZIP: Final = 16 + zlib.MAX_WBITS


class BodyTooLong(Exception):  # noqa: N818 - named for what it says of the body
    """The body is longer than the caller takes, packed or unpacked."""


async def read_body(response: httpx.Response, limit_bytes: int) -> bytes:
    """Return the body of a response, best of one that was opened as a stream.

    httpx itself unpacks each piece whole, which can be a thousand times its size.

    Raises:
        BodyTooLong: there are more than `limit_bytes`.
        httpx.DecodingError: it is packed wrongly, or in a way that was not asked for.
        httpx.TransportError: the connection broke.
    """
    if response.is_stream_consumed:  # it was read before, and unpacked
        if len(response.content) > limit_bytes:
            raise BodyTooLong(f"more than {limit_bytes} bytes")
        return response.content
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise httpx.DecodingError("packed in a way that was not asked for", request=response.request)
    unpacking = zlib.decompressobj(GZIP) if "gzip" in encoding else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        try:
            body += unpacking.decompress(chunk, limit_bytes + 1 - len(body)) if unpacking else chunk
        except zlib.error as error:
            raise httpx.DecodingError("cannot be unpacked", request=response.request) from error
        if max(received, len(body)) > limit_bytes:
            raise BodyTooLong(f"more than {limit_bytes} bytes")
    if unpacking and received and not unpacking.eof:
        raise httpx.DecodingError("ends in the middle", request=response.request)
    return bytes(body)
