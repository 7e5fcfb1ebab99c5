"""Connections that take and give nothing: the bridge answers others, and lets go of them in time."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from gather_bridge.websocket import raw_frames as wire
from gather_clients.event_log import EventLog
from gather_contracts.events import Deduplicating

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
TIMEOUT_S = 30
ONE_READ_BYTES = 256 * 1024
"""So much asyncio reads at once; what it asks for is answered at once."""
UPGRADE = (
    "GET /api/v1/projects/{project}/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    f"Connection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
    "Authorization: Bearer a-token-for-every-project\r\n\r\n"
)


class Raw:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until_cut(self, trickle: bytes = b"") -> bytes:
        """Return what was answered until the connection was cut; sends a byte of `trickle` now and then."""
        answered = asyncio.create_task(self._answer())
        async with asyncio.timeout(TIMEOUT_S):
            for byte in trickle * 10_000 if trickle else b"":
                if answered.done():
                    break
                self.writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
            return await answered

    async def _answer(self) -> bytes:
        found = b""
        try:
            while data := await self.reader.read(65_536):
                found += data
        except ConnectionError:
            pass
        return found


@asynccontextmanager
async def connected(serving: Any) -> AsyncIterator[Raw]:
    raw = Raw(*await asyncio.open_connection("127.0.0.1", serving.port))
    try:
        yield raw
    finally:
        raw.writer.transport.abort()
        with suppress(ConnectionError):
            await raw.writer.wait_closed()


@asynccontextmanager
async def websocket(serving: Any, project: str) -> AsyncIterator[Raw]:
    """Have a connection after its handshake."""
    async with connected(serving) as raw:
        raw.writer.write(UPGRADE.format(project=project).encode())
        await raw.reader.readuntil(b"\r\n\r\n")
        yield raw


def masked(first: int, payload: bytes) -> bytes:
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


async def test_idle_connections_cost_no_probe_and_no_client(
    serve_bridge: ServeBridge, log: EventLog, project: str
) -> None:
    """More of them than all limits together; those that are too many are let go, the oldest first."""
    async with serve_bridge(max_sockets=50) as serving, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(connected(serving)) for _ in range(400)]
        assert (await serving.get("/healthz")).status_code == 200
        async with serving.client(project) as client:
            await client.event()
        assert await idle[0].until_cut() == b""
        assert serving.counted('gather_bridge_connections_dropped_total{why="crowded"}')


@pytest.mark.parametrize(
    ("first", "trickle"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"GET / HT", b"", id="half a line"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", b"a", id="a header that never ends"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n", b"X: y\r\n", id="headers that never end"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HT", b"a", id="a slow second request"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", b"a", id="a slow body"),
    ],
)  # fmt: skip
async def test_whoever_sends_no_whole_request_in_time_is_cut(
    serve_bridge: ServeBridge, first: bytes, trickle: bytes
) -> None:
    """However busy it looks: the time is counted from the opening, or from the last answer."""
    async with serve_bridge(handshake_timeout_s=0.3) as serving, connected(serving) as raw:
        raw.writer.write(first)
        await raw.until_cut(trickle)
        await serving.until_metric('gather_bridge_connections_dropped_total{why="late"} 1.0')


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000, id="a huge header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, id="many headers"),
        pytest.param(
            (UPGRADE.format(project="a" * 24)[:-2] + "X: y\r\n" * 500 + "\r\n").encode(),
            id="a crowded upgrade",
        ),
    ],
)
async def test_what_is_no_request_is_refused_at_once(serving: Any, sent: bytes) -> None:
    """The connection does not stay."""
    async with connected(serving) as raw:
        raw.writer.write(sent)
        assert b" 101 " not in (await raw.until_cut())[:16]


async def test_a_client_that_pings_and_reads_nothing_costs_no_memory(
    serve_bridge: ServeBridge, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pongs are left out while it has others to read; RFC 6455 section 5.5.3 allows that."""
    monkeypatch.setattr(wire, "MESSAGES_AT_ONCE", 10**9)
    buffered: list[int] = []
    original = wire.WireProtocol.handle_ping

    def handle_ping(protocol: wire.WireProtocol) -> None:
        original(protocol)
        buffered.append(protocol.transport.get_write_buffer_size())

    monkeypatch.setattr(wire.WireProtocol, "handle_ping", handle_ping)
    async with serve_bridge() as serving, websocket(serving, project) as raw:
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(TIMEOUT_S):
            while len(buffered) < 20_000:
                raw.writer.write(masked(0x89, b"p" * 125) * 500)
                await raw.writer.drain()
                await asyncio.sleep(0)
        assert 0 < max(buffered) <= wire.WRITE_BUFFER_BYTES + ONE_READ_BYTES


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(masked(0x89, b"p"), masked(0x89, b"p"), id="pings"),
        pytest.param(masked(0x01, b""), masked(0x00, b""), id="empty fragments"),
        pytest.param(masked(0x82, b"x"), masked(0x82, b"x"), id="messages"),
    ],
)
async def test_a_client_that_sends_without_end_is_closed(
    serving: Any, project: str, first: bytes, then: bytes
) -> None:
    """Whatever kind of frame it is."""
    async with websocket(serving, project) as raw:
        raw.writer.write(first + then * 200)
        assert struct.pack("!H", 1008) in await raw.until_cut()
    await serving.until_metric('gather_bridge_sockets_closed_total{why="policy"} 1.0')


async def test_a_client_that_pings_now_and_then_stays(
    serving: Any, log: EventLog, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More often than may come at once, in its whole life."""
    monkeypatch.setattr(wire, "MESSAGES_PER_S", 1e6)
    async with serving.client(project) as client:
        await client.event()
        for _ in range(150):
            await client.connection.send("ping")
            await (await client.connection.ping())
        await log.append(Deduplicating(project_id=project, run="film", department="story"))
        assert await client.offsets(1) == [1]
