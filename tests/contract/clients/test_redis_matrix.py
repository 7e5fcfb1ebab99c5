"""The event log on Redis as it is met: each either works, or the error names the setting. Real servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from dev.service_process import HOST, ServiceProcess, free_port
from gather_clients.configuration import ConfigurationError
from gather_clients.event_log import EventLog, EventLogUnavailable
from gather_clients.events.epochs import leads_to
from gather_clients.redis_calls import refuse_cluster
from gather_clients.redis_place import RedisPlace
from gather_contracts import names
from gather_contracts.events import Deduplicating
from tests.support.events import redis_servers
from tests.support.events.redis_servers import SERVICE, ask, port_of, redis_server, replicate, stopped

PROJECT = "c" * 24
EVENT = Deduplicating(project_id=PROJECT, run="film", run_uid="u-1", department="story")
RIGHTS = ("+@all", "~automated-gather:*", "&automated-gather:*")

Run = Callable[..., ServiceProcess]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a server with options, or one that is described; each ends with the test."""
    with ExitStack() as stack:

        def start(
            *options: str, described: ServiceProcess | None = None, credentials: str = ""
        ) -> ServiceProcess:
            folder = tmp_path / str(free_port())
            server = described or redis_server(folder, "--save", "", *options, credentials=credentials)
            stack.callback(server.kill)
            server.start()
            return server

        yield start


@asynccontextmanager
async def opened(where: str | RedisPlace, timeout_s: float = 2) -> AsyncIterator[EventLog]:
    log = EventLog(where, timeout_s, is_compared=True)  # as the bridge has it
    try:
        yield log
    finally:
        await log.close()


async def refused(log: EventLog, words: str) -> None:
    """The append fails, and its error says so."""
    with pytest.raises(EventLogUnavailable, match=words):
        await log.append(EVENT)


async def eventually(log: EventLog, key: str) -> int | None:
    """Append as soon as it is possible; return the offset."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await log.append(EVENT, key)
            except EventLogUnavailable:
                await asyncio.sleep(0.05)


class Name:
    """A name that leads to one server and later to another; connections stay where they are."""

    def __init__(self, server: ServiceProcess) -> None:
        self.leads_to = server
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Yield the address of the name."""
        listening = await asyncio.start_server(self._forward, HOST, 0)
        async with listening:
            yield f"redis://{HOST}:{listening.sockets[0].getsockname()[1]}/0"
            for writer in self._writers:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, port_of(self.leads_to))
        self._writers += [writer, back]

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, back), pump(there, writer))


async def test_a_demoted_primary_is_left_at_once(run: Run) -> None:
    """READONLY: the same call connects by name again, and reaches the new primary."""
    old, new = run(), run()
    name = Name(old)
    async with name.served() as url, opened(url) as log:
        assert await log.append(EVENT) == 1
        before, _ = await log.position(PROJECT)
        replicate(new, old)
        ask(new, "REPLICAOF", "NO", "ONE")
        ask(old, "REPLICAOF", HOST, port_of(new))
        name.leads_to = new
        assert await log.append(EVENT) == 2
        after, _ = await log.position(PROJECT)
        assert (before != after, leads_to(before, 1, after)) == (True, True)


async def test_a_subscriber_of_a_demoted_primary_begins_again(run: Run) -> None:
    """It would hear nothing of what the new one is told, as long as the connection stands."""
    old, new = run(), run()
    async with opened(old.uri) as log, log.subscribed() as events:
        ask(old, "REPLICAOF", HOST, port_of(new))
        async with asyncio.timeout(30):
            with pytest.raises(EventLogUnavailable, match="read-only replica"):
                await anext(events)


async def test_sentinels_name_the_primary_before_and_after_a_failover(run: Run, tmp_path: Path) -> None:
    """The first one is killed; offsets go on."""
    primary, replica = run(), run()
    replicate(replica, primary)
    sentinel = run(described=redis_servers.sentinel_server(tmp_path / "sentinel", primary))
    redis_servers.until(lambda: ask(sentinel, "SENTINEL", "REPLICAS", SERVICE))
    none = free_port()  # one of two Sentinels may be gone
    async with opened(f"redis+sentinel://{HOST}:{none},{HOST}:{port_of(sentinel)}/{SERVICE}/0") as log:
        assert await log.append(EVENT) == 1
        ask(primary, "WAIT", 1, 5000)
        primary.kill()
        assert await eventually(log, "after") == 2


async def test_a_hung_redis_is_noticed_by_who_only_listens(run: Run) -> None:
    """Its connections stand, so that silence alone says nothing."""
    server = run()
    async with opened(server.uri, 0.5) as log, log.subscribed() as events:
        with stopped(server):
            async with asyncio.timeout(30):
                with pytest.raises(EventLogUnavailable):
                    await anext(events)


async def test_a_full_redis_takes_nothing_and_goes_on_without_a_gap(run: Run) -> None:
    """Maxmemory with noeviction."""
    server = run("--maxmemory-policy", "noeviction")
    async with opened(server.uri) as log:
        await log.append(EVENT)
        ask(server, "CONFIG", "SET", "maxmemory", "1")
        await refused(log, r"REDIS_URL: this Redis is full \(maxmemory\)")
        with pytest.raises(EventLogUnavailable, match="full"):
            await log.check()
        ask(server, "CONFIG", "SET", "maxmemory", "0")
        assert await log.append(EVENT) == 2


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
async def test_an_evicted_log_is_another_epoch(run: Run, policy: str) -> None:
    """Never a log with a hole."""
    server = run("--maxmemory-policy", policy)
    async with opened(server.uri) as log:
        await log.append(EVENT)
        before, _ = await log.position(PROJECT)
        ask(server, "CONFIG", "SET", "maxmemory", "1")
        redis_servers.until(lambda: _is_evicted(server))
        ask(server, "CONFIG", "SET", "maxmemory", "0")
        await log.append(EVENT)
        after, offset = await log.position(PROJECT)
        assert (offset, leads_to(before, 1, after)) == (1, False)


def _is_evicted(server: ServiceProcess) -> bool:
    """Have the server make room, which it does at a write, and return whether the log is gone."""
    with contextlib.suppress(OutOfMemoryError):
        ask(server, "SET", "room", "1")
    return not ask(server, "EXISTS", names.event_log(PROJECT))


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        pytest.param("-publish", "publish", id="no PUBLISH"),
        pytest.param("-xadd", "xadd", id="no XADD"),
        pytest.param("-info", "info", id="no INFO"),
        pytest.param("-evalsha", "evalsha", id="no scripts"),
        pytest.param("resetchannels", "channel", id="no channels"),
        pytest.param("resetkeys", "key", id="no keys"),
    ],
)
async def test_a_missing_permission_is_named(run: Run, lacking: str, words: str) -> None:
    """And with it the setting whose user lacks it."""
    server = run()
    ask(server, "ACL", "SETUSER", "gather", "on", ">pw", *RIGHTS, lacking)
    async with opened(server.uri.replace("//", "//gather:pw@")) as log:
        await refused(log, f"(?i)REDIS_URL: its user lacks a permission .*{words}")
        ask(server, "ACL", "SETUSER", "gather", *RIGHTS)
        assert await log.append(EVENT) is not None


async def test_the_documented_permissions_suffice(run: Run) -> None:
    """To append, to read and to listen."""
    server = run()
    ask(server, "ACL", "SETUSER", "gather", "on", ">pw", *RIGHTS)
    async with opened(server.uri.replace("//", "//gather:pw@")) as log, log.subscribed() as events:
        await log.append(EVENT)
        assert (await anext(events)).offset == (await log.position(PROJECT))[1] == 1


async def test_a_connection_asks_only_for_what_is_used(run: Run) -> None:
    """Not for notices of maintenance, after which the library would wait for 10 s."""
    server = run()

    async def by_hand(command: str) -> str:
        """Ask without the library, whose clients would ask for these themselves."""
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.write(f"{command}\r\nQUIT\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    await by_hand("CONFIG RESETSTAT")
    async with opened(server.uri) as log, log.subscribed():
        await log.append(EVENT)
    said = await by_hand("INFO commandstats errorstats")
    assert "cmdstat_hello" in said
    assert "cmdstat_client" not in said
    assert "errorstat_ERR" not in said  # an older server does not know what is asked


async def test_a_changed_password_is_read_again_from_its_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong one is said so; as soon as the Secret has the new one, it goes on."""
    server = run("--requirepass", "old", credentials=":old@")
    file = tmp_path / "REDIS_URL"
    file.write_text(server.uri)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    async with opened(RedisPlace(server.uri, variable="REDIS_URL")) as log:
        assert await log.append(EVENT) == 1
        ask(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        ask(server, "CONFIG", "SET", "requirepass", "new")
        await refused(log, "REDIS_URL: Redis refuses its user or password")
        file.write_text(server.uri.replace("old", "new"))
        assert await log.append(EVENT) == 2
        server.uri = file.read_text()


async def test_tls_trusts_the_authority_of_the_file_and_no_other(run: Run, tmp_path: Path) -> None:
    """And says which setting names it."""
    own = redis_servers.certificate(tmp_path / "own.pem")
    other = redis_servers.certificate(tmp_path / "other.pem")
    server = run(described=redis_servers.tls_server(tmp_path / "tls", own))
    url = server.uri.partition("?")[0]
    async with opened(RedisPlace(url, own)) as log, opened(RedisPlace(url, other)) as distrusting:
        assert await log.append(EVENT) == 1
        await refused(distrusting, "GATHER_REDIS_CA_FILE: the certificate is not trusted")


async def test_a_cluster_is_refused_by_name(run: Run) -> None:
    """A project's keys lie in several of its slots."""
    server = run("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    ask(server, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    redis_servers.until(lambda: redis_servers.info(server, "cluster")["cluster_enabled"])
    with pytest.raises(ConfigurationError, match="REDIS_URL: this is a Redis Cluster"):
        await refuse_cluster(RedisPlace(server.uri), 2)
    async with opened(server.uri) as log:
        await refused(log, "REDIS_URL: this is a Redis Cluster")
    await refuse_cluster(RedisPlace(f"redis://{HOST}:{free_port()}"), 2)  # what is gone may come back


@pytest.mark.parametrize("apart", ["database", "prefix"])
async def test_two_releases_on_one_redis_are_apart(run: Run, apart: str) -> None:
    """Also where they have the same project, although channels are the same in all databases."""
    server = run()
    places = {
        "database": [RedisPlace(server.uri), RedisPlace(server.uri[:-1] + "3")],
        "prefix": [RedisPlace(server.uri, key_prefix=prefix) for prefix in ("a:", "b:")],
    }[apart]
    async with opened(places[0]) as one, opened(places[1]) as other, other.subscribed() as events:
        for _ in range(3):
            assert await one.append(EVENT, "key") in {1, None}
        assert await other.position(PROJECT) == ("", 0)
        assert await other.append(EVENT, "key") == 1
        heard = await anext(events)
        assert heard.epoch == (await other.position(PROJECT))[0]
    if apart == "prefix":
        keys = ask(server, "KEYS", "*")
        assert isinstance(keys, list)
        assert {key[:2] for key in keys} == {b"a:", b"b:"}
