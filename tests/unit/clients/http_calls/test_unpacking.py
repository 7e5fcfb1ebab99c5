"""Bodies in every packing that is met, in whatever pieces, and never further than the reader takes."""

import gzip
import importlib
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.http_calls.unpacking import UnpackingError, unpacking_of

Pack = Callable[[bytes], bytes]


def bare(content: bytes) -> bytes:
    """Pack without zlib's frame, as many servers understand deflate."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


PACKINGS: dict[str, tuple[str, Pack]] = {
    "gzip": ("gzip", lambda content: gzip.compress(content, mtime=0)),
    "gzip in two members": (
        "X-GZIP",
        lambda content: gzip.compress(content[:3]) + gzip.compress(content[3:]),
    ),
    "deflate": ("deflate", zlib.compress),
    "deflate without a frame": (" Deflate ", bare),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "zstd in two frames": ("zstd", lambda content: zstd.compress(content[:3]) + zstd.compress(content[3:])),
}
PACKED = pytest.mark.parametrize(("encoding", "pack"), PACKINGS.values(), ids=PACKINGS)


def unpack(encoding: str, sent: bytes, piece: int, limit: int = 10_000_000) -> tuple[bytes, bool]:
    """Return what a body sent in pieces holds, and whether it may end there."""
    found, body = unpacking_of(encoding), b""
    assert found
    for start in range(0, len(sent), piece):
        body += found.unpack(sent[start : start + piece], limit - len(body))
    return body, found.is_complete


@PACKED
@given(content=st.binary(max_size=200), piece=st.integers(1, 64))
def test_a_body_is_read_in_whatever_pieces(encoding: str, pack: Pack, content: bytes, piece: int) -> None:
    """What was packed comes out, and the end is known."""
    assert unpack(encoding, pack(content), piece) == (content, True)


@PACKED
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_body_without_its_end_is_no_whole_one(encoding: str, pack: Pack, piece: int) -> None:
    """A broken connection does not make a shorter answer of it."""
    assert unpack(encoding, pack(b"x" * 100)[:-1], piece)[1] is False


@PACKED
def test_a_small_body_that_unpacks_to_a_large_one_takes_no_memory(encoding: str, pack: Pack) -> None:
    """A thousandfold growth in one piece is stopped near the limit."""
    bomb = pack(b"x" * 20_000_000)
    tracemalloc.start()
    try:
        found = unpacking_of(encoding)
        assert found
        assert 1001 <= len(found.unpack(bomb, 1001)) <= 50_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_packed_otherwise_is_refused(encoding: str) -> None:
    """In words, not by the library's own error."""
    with pytest.raises(UnpackingError, match="cannot be unpacked"):
        unpack(encoding, b"\xff not packed at all", 100)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity "])
def test_a_plain_body_needs_nothing(encoding: str) -> None:
    """Whatever it calls itself."""
    assert unpacking_of(encoding) is None


@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip", "aws-chunked"])
def test_another_packing_is_refused(encoding: str) -> None:
    """In words of our own."""
    with pytest.raises(UnpackingError, match="not known"):
        unpack(encoding, b"x", 1)


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_a_room_without_the_package_says_so(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Only the worker's image has them."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UnpackingError, match=f"{encoding}, for which a package is missing"):
        unpack(encoding, b"x", 1)
