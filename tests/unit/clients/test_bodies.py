"""Bodies of responses, read up to a limit."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest

from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body

LIMIT = 1000


async def read(body: bytes, encoding: str = "", piece: int = 100) -> bytes:
    """Return what is read of a response with this body, sent in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return httpx.Response(200, headers={"Content-Encoding": encoding}, content=pieces())

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer), headers=ACCEPT_ENCODING) as client,
        client.stream("GET", "http://service/") as response,
    ):
        return await read_body(response, LIMIT)


@pytest.mark.parametrize("body", [b"", b"x", b"x" * LIMIT])
@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "X-GZIP"])
@pytest.mark.parametrize("piece", [1, 100_000])
async def test_a_body_within_the_limit_is_read(body: bytes, encoding: str, piece: int) -> None:
    """Packed or not, in whatever pieces it comes."""
    sent = gzip.compress(body) if "gzip" in encoding.lower() else body
    assert await read(sent, encoding, piece) == body


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        pytest.param(b"x" * (LIMIT + 1), "", id="plain"),
        pytest.param(gzip.compress(b"x" * (LIMIT + 1)), "gzip", id="packed"),
        pytest.param(gzip.compress(b"", mtime=0) + b"x" * LIMIT, "gzip", id="after the packed part"),
    ],
)
async def test_a_longer_body_is_refused(sent: bytes, encoding: str) -> None:
    """Whichever of its two lengths is beyond the limit."""
    with pytest.raises(BodyTooLong, match="more than 1000 bytes"):
        await read(sent, encoding)


async def test_a_small_body_that_unpacks_to_a_large_one_takes_no_memory() -> None:
    """A thousandfold growth in one piece is stopped at the limit."""
    bomb = gzip.compress(b"x" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLong):
            await read(bomb, "gzip", piece=len(bomb))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        pytest.param(b"no gzip", "gzip", id="not packed"),
        pytest.param(gzip.compress(b"x" * 100)[:-4], "gzip", id="cut off"),
        pytest.param(b"x", "compress", id="not known"),
        pytest.param(b"x", "gzip, gzip", id="packed twice"),
    ],
)
async def test_a_body_packed_in_another_way_is_refused(sent: bytes, encoding: str) -> None:
    """As httpx says it, so that callers need no case of its own."""
    with pytest.raises(httpx.DecodingError):
        await read(sent, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "compress"])
@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_json_that_only_says_that_it_is_packed_is_read(encoding: str, piece: int) -> None:
    """Some gateways unpack a body and leave the header."""
    body = b'{"choices": [{"message": {"content": "The keeper counts the lamps."}}]}'
    assert await read(body, encoding, piece) == body


async def test_a_body_that_was_read_before_is_bounded_too() -> None:
    """As of a response that was not opened as a stream."""
    assert await read_body(httpx.Response(200, content=b"x" * LIMIT), LIMIT) == b"x" * LIMIT
    with pytest.raises(BodyTooLong):
        await read_body(httpx.Response(200, content=b"x" * (LIMIT + 1)), LIMIT)
