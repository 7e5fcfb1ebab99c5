"""Ways to services that can be made slow or cut: TCP proxies on an event loop of their own.

Everybody reaches a service by its way for as long as the campaign lasts, so that slowness comes and goes
under connections that are open, and nobody has to be told another address.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from dev.service_process import HOST
from gather_clients.background_tasks import end_tasks

CHUNK_BYTES = 65_536
START_TIMEOUT_S = 30


class Way:
    """Leads to one service; each of its answers takes `delay_s` longer."""

    def __init__(self, uri: str) -> None:
        address = urlsplit(uri).netloc.rpartition("@")[2]
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._address = address
        self._lines: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_cut = False
        self.delay_s = 0.0
        self.port = 0

    def of(self, uri: str) -> str:
        """Return a URI of the service with the way's address in it."""
        return uri.replace(self._address, f"{HOST}:{self.port}")

    @contextmanager
    def absent(self) -> Iterator[None]:
        """End all connections, and each new one, while the block lasts."""
        assert self._loop, "it is not open"
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._cut)
        try:
            yield
        finally:
            self._is_cut = False

    def _cut(self) -> None:
        for line in self._lines:
            line.cancel()

    async def open(self) -> asyncio.Server:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        this = asyncio.current_task()
        assert this
        self._lines.add(this)
        try:
            # A cut ends this task; asyncio would print a cancelled one as an error of its own (3.11).
            with suppress(asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            self._lines.discard(this)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, asks = await asyncio.open_connection(*self._target)
        except OSError:
            return
        line = _Line(self)
        directions = (line.pass_up(reader, asks), line.pass_down(answers, writer))
        tasks = [asyncio.create_task(each) for each in directions]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(tasks)
            asks.close()


class _Line:
    """One connection: what is sent after an answer is a new request."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._is_asked = False

    async def pass_up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                self._is_asked = True
                sink.write(chunk)
                await sink.drain()

    async def pass_down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                if self._is_asked and self._way.delay_s:
                    await asyncio.sleep(self._way.delay_s)
                self._is_asked = False
                sink.write(chunk)
                await sink.drain()


@contextmanager
def ways_to(**uris: str) -> Iterator[dict[str, Way]]:
    """Have a way to each service while the block lasts."""
    ways = {name: Way(uri) for name, uri in uris.items()}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def open_all() -> list[asyncio.Server]:
        return [await way.open() for way in ways.values()]

    async def close_all(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await end_tasks(others)

    servers = asyncio.run_coroutine_threadsafe(open_all(), loop).result(START_TIMEOUT_S)
    try:
        yield ways
    finally:
        asyncio.run_coroutine_threadsafe(close_all(servers), loop).result(START_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
