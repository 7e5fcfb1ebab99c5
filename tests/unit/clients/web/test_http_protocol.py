"""A connection that sends nothing useful is ended; one that waits for its answer is not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from gather_clients.web.http_protocol import BoundedProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT_S = 30


class Application:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def application() -> Application:
    """The test's application."""
    return Application()


@pytest.fixture
async def address(application: Application) -> AsyncIterator[tuple[str, int]]:
    """Where the protocol listens, with a keep-alive time of one second, the shortest that uvicorn has."""
    config = uvicorn.Config(application, timeout_keep_alive=1, log_config=None, http=BoundedProtocol)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()
    server.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"nonsense\r\n\r\n"], ids=["nothing", "half a head", "nonsense"]
)
async def test_a_connection_without_a_request_is_ended(address: tuple[str, int], sent: bytes) -> None:
    """Although the client does not close it."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    async with asyncio.timeout(WAIT_S):
        read = await reader.read()
    assert read.startswith(b"HTTP/1.1 400 ") is (sent == b"nonsense\r\n\r\n")
    writer.close()


async def test_slow_bytes_of_a_head_do_not_extend_the_timer(address: tuple[str, int]) -> None:
    """Else each byte would postpone the end."""
    reader, writer = await asyncio.open_connection(*address)

    async def trickle() -> None:
        while True:
            writer.write(b"G")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        async with asyncio.timeout(WAIT_S):
            await reader.readexactly(1)
    trickling.cancel()
    writer.close()


async def test_a_request_under_way_is_not_cut_off(address: tuple[str, int], application: Application) -> None:
    """Only its own time-outs end it: here it takes longer than the keep-alive time."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(REQUEST)
    idle, idle_writer = await asyncio.open_connection(*address)
    async with asyncio.timeout(WAIT_S):  # the keep-alive time is over
        await idle.read()
    idle_writer.close()
    application.may_answer.set()
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 204 ")
    writer.write(REQUEST)
    async with asyncio.timeout(WAIT_S):
        rest = await reader.readuntil(b"HTTP/1.1 204 ")
    assert rest
    writer.close()
