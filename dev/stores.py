"""MongoDB, Redis and Neo4j as throw-away processes on free ports: for contract tests and for trying out.

Each lives in a temporary folder, and can be stopped and started again with its data for tests of faults.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import neo4j
import pymongo
import redis
from neo4j.exceptions import DriverError, Neo4jError
from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import RedisError

from dev.artefacts.store_binaries import StoreArtefacts
from dev.commands import output_of
from dev.service_process import HOST, PROBE_TIMEOUT_S, Command, ServiceProcess, free_port

REPLICA_SET = "gather"
NEO4J_HEAP = "512m"
NEO4J_OPENS = (
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.nio", "java.io", "sun.nio.ch")),
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)
"""What Neo4j's own launcher passes to Java."""
VECTOR_MODULE = "jdk.incubator.vector"
"""With it Lucene, which holds Neo4j's vector indexes, compares vectors several numbers at a time."""
SHORT_LIVED_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Code is compiled once and plainly: what is compiled better would be worth its time after some minutes."""


def mongodb_answers(uri: str) -> bool:
    """Return whether MongoDB at `uri` answers a ping."""
    timeout_ms = PROBE_TIMEOUT_S * 1000
    with pymongo.MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=timeout_ms) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


def mongodb_is_primary(uri: str) -> bool:
    """Return whether MongoDB at `uri` is the primary of a replica set of its own, which is made here."""
    if not mongodb_answers(uri):
        return False
    with pymongo.MongoClient[dict[str, object]](uri) as client:
        hello = client.admin.command("hello")
        if "setName" not in hello:
            members = [{"_id": 0, "host": urlsplit(uri).netloc}]
            with suppress(OperationFailure):  # it is under way
                client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        return bool(hello["isWritablePrimary"])


def redis_answers(uri: str) -> bool:
    """Return whether Redis at `uri` answers a ping."""
    with redis.Redis.from_url(uri, socket_timeout=PROBE_TIMEOUT_S) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def neo4j_answers(uri: str) -> bool:
    """Return whether Neo4j at `uri` answers a query, which it does some time after it listens."""
    driver = neo4j.GraphDatabase.driver(uri, auth=None, connection_timeout=PROBE_TIMEOUT_S)
    with driver, driver.session(database="neo4j") as session:
        try:
            session.run("RETURN 1").consume()  # unlike execute_query, this does not try for half a minute
        except (DriverError, Neo4jError, OSError):
            return False
    return True


def mongodb_store(programs: StoreArtefacts, folder: Path, *, is_replicated: bool = False) -> ServiceProcess:
    """Describe a MongoDB without authentication in `folder`.

    A replicated one is a replica set of one member, which has transactions, and can be made to fail by the
    command `configureFailPoint`.
    """
    port = free_port()
    data = folder / "data"
    data.mkdir()
    place: Command = ["--dbpath", data, "--unixSocketPrefix", folder, "--bind_ip", HOST, "--port", str(port)]
    memory: Command = ["--wiredTigerCacheSizeGB", "0.25"]
    quiet: Command = ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    replicated: Command = ["--replSet", REPLICA_SET, "--setParameter", "enableTestCommands=1"]
    uri = f"mongodb://{HOST}:{port}/?directConnection=true"
    command = [programs.mongod(), *place, *memory, *quiet, *(replicated if is_replicated else ())]
    answers = mongodb_is_primary if is_replicated else mongodb_answers
    return ServiceProcess("MongoDB", uri, folder, command, answers)


def redis_store(programs: StoreArtefacts, folder: Path) -> ServiceProcess:
    """Describe a Redis in `folder` that keeps every write (append-only file)."""
    port = free_port()
    place: Command = ["--port", str(port), "--bind", HOST, "--dir", folder]
    command: Command = [programs.redis_server(), *place, "--save", "", "--appendonly", "yes"]
    return ServiceProcess("Redis", f"redis://{HOST}:{port}/0", folder, command, redis_answers)


def neo4j_configuration(listen: str) -> str:
    """Return a neo4j.conf for a small, unauthenticated Neo4j that speaks Bolt at `listen` and no HTTP."""
    settings = {
        "server.bolt.listen_address": listen,
        "server.bolt.advertised_address": listen,
        "server.http.enabled": "false",
        "dbms.security.auth_enabled": "false",
        "dbms.usage_report.enabled": "false",
        "server.fleet_discovery.enabled": "false",
        "dbms.fleet_manager.enabled": "false",
        "server.memory.pagecache.size": "64m",
        # Else every stop takes 10 s longer.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


@cache
def vector_options(java: Path) -> tuple[str, ...]:
    """Return the option that brings the vector module, which small Javas leave out."""
    listed = output_of([java, "--list-modules"])
    has_it = any(line.startswith(f"{VECTOR_MODULE}@") for line in listed.splitlines())
    return (f"--add-modules={VECTOR_MODULE}",) if has_it else ()


def neo4j_store(
    programs: StoreArtefacts, folder: Path, *, heap: str = NEO4J_HEAP, is_short_lived: bool = False
) -> ServiceProcess:
    """Describe a Neo4j without authentication in `folder`; `heap` is Java's, as its option takes it.

    A short-lived one starts with little over half the work, and searches more slowly ever after.
    """
    listen = f"{HOST}:{free_port()}"
    configuration = folder / "conf"
    configuration.mkdir()
    (configuration / "neo4j.conf").write_text(neo4j_configuration(listen), encoding="utf-8")
    program = programs.java()
    # The vector module is slower than none where code is compiled plainly.
    speed = SHORT_LIVED_JAVA if is_short_lived else vector_options(program)
    options = [f"-Xmx{heap}", *NEO4J_OPENS, *speed]
    java: Command = [program, *options, "-cp", f"{programs.neo4j_jars()}/*"]
    place: Command = [f"--home-dir={folder}", f"--config-dir={configuration}", "--console-mode"]
    return ServiceProcess(
        "Neo4j", f"bolt://{listen}", folder, [*java, "org.neo4j.server.Neo4jCommunity", *place], neo4j_answers
    )


KINDS: dict[str, Callable[..., ServiceProcess]] = {
    "mongodb": mongodb_store,
    "redis": redis_store,
    "neo4j": neo4j_store,
}


@contextmanager
def running(kind: str, programs: StoreArtefacts | None = None, **options: bool) -> Iterator[ServiceProcess]:
    """Run a store of a `KINDS` kind for as long as the block lasts; its data goes with it.

    `options` are those that only this kind has.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"gather-{kind}-"))
    try:
        store = KINDS[kind](programs or StoreArtefacts.from_environment(), folder, **options)
        store.start()
        try:
            yield store
        finally:
            store.kill()  # the data is not needed
    finally:
        shutil.rmtree(folder, ignore_errors=True)
