"""Reading a response's body up to a limit, packed or not: what answers may be no server of ours."""

from typing import Final

import httpx

from gather_clients.http_calls.unpacking import UnpackingError, unpacking_of

ACCEPT_ENCODING: Final = {"Accept-Encoding": "gzip"}
"""Send this with a request whose answer `read_body` reads. Other forms it unpacks too, if they come."""


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
    body, received = bytearray(), 0
    try:
        unpacking = unpacking_of(response.headers.get("Content-Encoding", ""))
        async for chunk in response.aiter_raw():
            received += len(chunk)
            body += unpacking.unpack(chunk, limit_bytes + 1 - len(body)) if unpacking else chunk
            if max(received, len(body)) > limit_bytes:
                raise BodyTooLong(f"more than {limit_bytes} bytes")
    except UnpackingError as error:
        raise httpx.DecodingError(str(error), request=response.request) from error
    if unpacking and not unpacking.is_complete:
        raise httpx.DecodingError("ends in the middle", request=response.request)
    return bytes(body)
