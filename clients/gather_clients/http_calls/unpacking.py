"""Unpacking a body piece by piece, never further than its reader takes.

What a server sends need not be what it was asked for: some pack always, others send what a cache has. Brotli
and Zstandard are unpacked where their packages are installed, which is where models are asked.
"""

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

GZIP: Final = 16 + zlib.MAX_WBITS
RAW: Final = -zlib.MAX_WBITS
WINDOW_LOG_MAX: Final = 23
"""8 MiB, the most that a body may want of its reader. Source: RFC 9659."""


class UnpackingError(Exception):
    """The body is packed wrongly, or in a way that cannot be unpacked here."""


class Unpacking(Protocol):
    """One body on its way."""

    @property
    def is_complete(self) -> bool:
        """Whether the body may end here."""

    def unpack(self, piece: bytes, limit_bytes: int) -> bytes:
        """Return what this piece holds; `limit_bytes`, 1 or more, bounds it up to one inner buffer.

        What is left behind that limit is lost. Raises UnpackingError.
        """


def unpacking_of(encoding: str) -> Unpacking | None:
    """Return what unpacks a body by its Content-Encoding, None if it is not packed."""
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Members(lambda _: zlib.decompressobj(GZIP), zlib.error, b"\x1f\x8b")
        case "deflate":
            return _Members(_deflate, zlib.error)
        case "zstd":
            zstd = _installed("compression.zstd", "backports.zstd")
            return _zstandard(zstd) if zstd else _Unknown("packed by zstd, for which a package is missing")
        case "br":
            brotli = _installed("brotli")
            return _Brotli(brotli) if brotli else _Unknown("packed by br, for which a package is missing")
    return _Unknown("packed in a way that is not known")


class _Unknown:
    """A packing that cannot be undone here."""

    is_complete = False

    def __init__(self, words: str) -> None:
        self._words = words

    def unpack(self, piece: bytes, limit_bytes: int) -> bytes:  # noqa: ARG002
        raise UnpackingError(self._words)


class _Members:
    """Members one after the other, each with an end of its own; the form shows in the first two bytes."""

    def __init__(
        self, opens: Callable[[bytes], Any], failure: type[Exception], further: bytes | None = None
    ) -> None:
        """`further` begins a member after another; what begins otherwise behind an end is left out."""
        self._opens = opens
        self._failure = failure
        self._further = further
        self._start = b""
        self._member: Any = None

    @property
    def is_complete(self) -> bool:
        return bool(self._member.eof) if self._member else not self._start

    def unpack(self, piece: bytes, limit_bytes: int) -> bytes:
        data, self._start, unpacked = self._start + piece, b"", b""
        while data and len(unpacked) < limit_bytes:
            if self._member is None or self._member.eof:
                if len(data) < 2:  # noqa: PLR2004
                    self._start = data
                    break
                if self._member and data[:2] != self._further:
                    break
                self._member = self._opens(data[:2])
            try:
                unpacked += self._member.decompress(data, limit_bytes - len(unpacked))
            except self._failure as error:
                raise UnpackingError("cannot be unpacked") from error
            data = self._member.unused_data if self._member.eof else b""
        return unpacked


def _deflate(start: bytes) -> Any:
    """Return what unpacks zlib's form, which is the standard's, or the bare one, which many send."""
    is_zlib = start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start, "big") % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if is_zlib else RAW)


def _zstandard(zstd: Any) -> Unpacking:
    options = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
    return _Members(lambda _: zstd.ZstdDecompressor(options=options), zstd.ZstdError, b"\x28\xb5")


class _Brotli:
    """Brotli's one stream."""

    def __init__(self, brotli: Any) -> None:
        self._brotli = brotli
        self._stream = brotli.Decompressor()
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        return not self._has_begun or bool(self._stream.is_finished())

    def unpack(self, piece: bytes, limit_bytes: int) -> bytes:
        if self._stream.is_finished():
            return b""
        self._has_begun = True
        try:
            return bytes(self._stream.process(piece, output_buffer_limit=limit_bytes))
        except self._brotli.error as error:
            raise UnpackingError("cannot be unpacked") from error


def _installed(*names: str) -> Any:
    """Return the first of these modules that is installed, None if none is."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
