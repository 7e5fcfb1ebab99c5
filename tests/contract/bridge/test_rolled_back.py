"""A log that went back and grew again: who had seen what is gone reloads, all others go on. Real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import redis

from dev.service_process import ServiceProcess, free_port
from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_contracts.events import Deduplicating
from tests.contract.bridge.conftest import ServeBridge
from tests.support.events.redis_servers import ask, redis_server, replicate

PROJECT = "b" * 24
KEPT, SEEN, GROWN = 10, 12, 15


@asynccontextmanager
async def appending(server: ServiceProcess) -> AsyncIterator[EventLog]:
    log = EventLog(server.uri)
    try:
        yield log
    finally:
        await log.close()


async def append(log: EventLog, last: int) -> None:
    """Append until the log ends at `last`."""
    _, offset = await log.position(PROJECT)
    for _ in range(offset, last):
        await log.append(Deduplicating(project_id=PROJECT, run="film", run_uid="u-1", department="story"))


async def grown(server: ServiceProcess) -> ServiceProcess:
    """Let another client append: the first one's memory must not be what tells."""
    async with appending(server) as log:
        await append(log, GROWN)
    return server


class Servers:
    """Starts servers in a folder, and ends them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._count = 0

    def start(self, *options: str) -> ServiceProcess:
        """Return a running server that writes to disk only when it is asked to."""
        self._count += 1
        server = redis_server(self._folder / str(self._count), "--save", "", *options)
        self._stack.callback(server.kill)
        server.start()
        return server


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Servers of the test's own."""
    with ExitStack() as stack:
        yield Servers(tmp_path, stack)


async def killed(servers: Servers) -> tuple[ServiceProcess, str]:
    """Kill a Redis that has written a dump at 10."""
    server = servers.start()
    async with appending(server) as log:
        await append(log, KEPT)
        ask(server, "SAVE")
        await append(log, SEEN)
        epoch, _ = await log.position(PROJECT)
    server.kill()
    server.start()
    return await grown(server), epoch


async def failed_over(servers: Servers) -> tuple[ServiceProcess, str]:
    """Promote a replica that has not heard the primary's last two events."""
    primary, replica = servers.start(), servers.start()
    async with appending(primary) as log:
        await append(log, KEPT)
        replicate(replica, primary)
        ask(replica, "REPLICAOF", "127.0.0.1", free_port())
        await append(log, SEEN)
        epoch, _ = await log.position(PROJECT)
    primary.kill()
    ask(replica, "REPLICAOF", "NO", "ONE")
    return await grown(replica), epoch


async def put_back(servers: Servers) -> tuple[ServiceProcess, str]:
    """Put older keys into a Redis that runs on; only an appender that has seen more can tell."""
    server = servers.start()
    keys = [names.event_log(PROJECT), names.event_log_meta(PROJECT)]
    async with appending(server) as log:
        await append(log, KEPT)
        with redis.Redis.from_url(server.uri) as client:
            dumps = [client.dump(key) for key in keys]
            await append(log, SEEN)
            epoch, _ = await log.position(PROJECT)
            for key, dump in zip(keys, dumps, strict=True):
                client.restore(key, 0, dump or b"", replace=True)
        await append(log, GROWN)
    return server, epoch


async def restarted(servers: Servers) -> tuple[ServiceProcess, str]:
    """Restart a Redis that has written all."""
    server = servers.start()
    async with appending(server) as log:
        await append(log, SEEN)
        epoch, _ = await log.position(PROJECT)
    ask(server, "SAVE")
    server.restart()
    return await grown(server), epoch


How = Callable[[Servers], Awaitable[tuple[ServiceProcess, str]]]


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        pytest.param(killed, KEPT, id="killed, restored from an older dump"),
        pytest.param(failed_over, KEPT, id="failover to a replica that lags"),
        pytest.param(put_back, -1, id="older keys put back while it runs"),
        pytest.param(restarted, SEEN, id="restarted, nothing lost"),
    ],
)
async def test_every_client_gets_what_it_missed_or_reloads(
    how: How, kept: int, servers: Servers, serve_bridge: ServeBridge
) -> None:
    """Of each offset that a client can have seen: none is lost, doubled or wrongly recovered."""
    server, epoch = await how(servers)
    async with serve_bridge(redis_url=server.uri) as serving:
        for offset in range(SEEN + 1):
            async with serving.client(PROJECT, f"?offset={offset}&epoch={epoch}") as client:
                hello = await client.frame()
                assert (hello["recovered"], hello.get("reason")) == (
                    (True, None) if offset <= kept else (False, "epoch_changed")
                )
                if hello["recovered"]:
                    assert await client.offsets(GROWN - offset) == list(range(offset + 1, GROWN + 1))


async def test_a_connected_client_hears_that_what_it_has_is_gone(
    servers: Servers, serve_bridge: ServeBridge
) -> None:
    """It reloads, and then live events follow without a gap; one that is not touched sees no hello."""
    server = servers.start()
    async with serve_bridge(redis_url=server.uri) as serving, appending(server) as log:
        await append(log, KEPT)
        ask(server, "SAVE")
        async with serving.client(PROJECT) as early:
            assert (await early.frame())["offset"] == KEPT
            server.restart()
            await append(log, KEPT + 1)
            assert await early.offsets(1) == [KEPT + 1]
            await append(log, SEEN)
            assert await early.offsets(1) == [SEEN]
            server.kill()
            server.start()
            await append(log, GROWN)
            hello = await early.event()
            assert (hello["type"], hello["recovered"], hello["reason"]) == ("hello", False, "epoch_changed")
            last = hello["offset"]
            assert await early.offsets(GROWN - last) == list(range(last + 1, GROWN + 1))
