"""The real MongoDB, Redis and Neo4j of the contract tests: one of each a session, started on demand."""

import gc
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymongo
import pytest
from redis.asyncio import Redis

from dev.artefacts.store_binaries import StoreArtefacts
from dev.progress import Reporter
from dev.rooms import brain_service
from dev.service_process import ServiceProcess
from dev.stores import mongodb_store as store_service
from dev.stores import running
from gather_clients.event_log import EventLog
from tests.support.application.check_world import PASSWORD
from tests.support.doors.doors_api import DOOR
from tests.support.kubernetes.control_plane import ControlPlane, api_plane
from tests.support.network.connections import Connections

LONG_FILES = (
    "brain/embeddings/test_reembed.py",
    "worker/faults/test_faults.py",
    "worker/faults/test_chaos.py",
    "worker/test_run.py",
    "bridge/page/test_run_page.py",
    "worker/consumer/test_season.py",
    "brain/isolation/test_concurrency.py",
    "worker/faults/test_celery.py",
    "worker/test_edges.py",
    "brain/api/test_operation.py",
    "brain/test_bench.py",
    "worker/test_bench.py",
    "brain/api/test_limits.py",
    "worker/faults/test_crashes.py",
    "worker/faults/test_deleted_notes.py",
    "brain/api/test_schemathesis.py",
    "worker/llm/test_injections.py",
    "worker/test_duplicates.py",
)
"""Each takes 20 s and more. They come first, the longest before all, so that no process of `make contract`
is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; within a file nothing moves."""
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what all tests together have imported: some call it after each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def store_artefacts() -> StoreArtefacts:
    """The programs and files, out of the cache."""
    return StoreArtefacts.from_environment()


@pytest.fixture(scope="session")
def mongodb_store(store_artefacts: StoreArtefacts) -> Iterator[ServiceProcess]:
    """The session's MongoDB, for tests that stop it: `with mongodb_store.absent(): ...`."""
    with running("mongodb", store_artefacts) as store:
        yield store


@pytest.fixture(scope="session")
def mongodb_with_users(
    store_artefacts: StoreArtefacts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    """A MongoDB that wants a password, as its administrator sees it."""
    store = store_service(store_artefacts, tmp_path_factory.mktemp("mongodb"))
    with replace(store, command=[*store.command, "--auth"]).running():
        with pymongo.MongoClient[dict[str, Any]](store.uri) as client:
            client.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
        place = store.uri.split("/")[2]
        with pymongo.MongoClient[dict[str, Any]](f"mongodb://admin:{PASSWORD}@{place}") as client:
            for user, role in (
                ("gather", "readWriteAnyDatabase"),
                ("reader", "readAnyDatabase"),
                ("nobody", None),
            ):
                client.admin.command("createUser", user, pwd=PASSWORD, roles=[role] if role else [])
            yield client


@pytest.fixture(scope="session")
def replica_set_store(store_artefacts: StoreArtefacts) -> Iterator[ServiceProcess]:
    """The session's MongoDB with transactions: a replica set of one member."""
    with running("mongodb", store_artefacts, is_replicated=True) as store:
        yield store


@pytest.fixture(scope="session")
def redis_store(store_artefacts: StoreArtefacts) -> Iterator[ServiceProcess]:
    """The session's Redis, for tests that stop it: `with redis_store.absent(): ...`."""
    with running("redis", store_artefacts) as store:
        yield store


@pytest.fixture(scope="session")
def neo4j_store(store_artefacts: StoreArtefacts) -> Iterator[ServiceProcess]:
    """The session's Neo4j, for tests that stop it: `with neo4j_store.absent(): ...`."""
    with running("neo4j", store_artefacts, is_short_lived=True) as store:
        yield store


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The session's API server; its users `door` and `viewer` have no right of their own."""
    users, strangers = ("operator",), (DOOR, "viewer")
    with api_plane(tmp_path_factory.mktemp("plane"), Reporter(), users, strangers) as made:
        yield made


@pytest.fixture(scope="session")
def mongodb_uri(mongodb_store: ServiceProcess) -> str:
    """Where the session's MongoDB listens; no authentication."""
    return mongodb_store.uri


@pytest.fixture(
    scope="session", params=["mongodb_store", "replica_set_store"], ids=["single server", "replica set"]
)
def either_mongodb_store(request: pytest.FixtureRequest) -> ServiceProcess:
    """A MongoDB without transactions, and one with them."""
    store: ServiceProcess = request.getfixturevalue(request.param)
    return store


@pytest.fixture(scope="session")
def either_mongodb_uri(either_mongodb_store: ServiceProcess) -> str:
    """Where it listens; no authentication."""
    return either_mongodb_store.uri


@pytest.fixture
def has_transactions(either_mongodb_uri: str) -> bool:
    """Whether this MongoDB has them."""
    with pymongo.MongoClient[dict[str, object]](either_mongodb_uri) as client:
        return "setName" in client.admin.command("hello")


@pytest.fixture(scope="session")
def redis_url(redis_store: ServiceProcess) -> str:
    """Where the session's Redis listens; no authentication."""
    return redis_store.uri


@pytest.fixture(scope="session")
def neo4j_uri(neo4j_store: ServiceProcess) -> str:
    """Where the session's Neo4j speaks Bolt; no authentication."""
    return neo4j_store.uri


@pytest.fixture(scope="session")
def embedding_model_dir(store_artefacts: StoreArtefacts) -> Path:
    """The folder of the default embedding model: model.onnx, tokenizer.json, config.json."""
    return store_artefacts.embedding_model()


@pytest.fixture(scope="session")
def brain_store(
    neo4j_uri: str, embedding_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """The session's brain, which starting again costs more than most tests."""
    with brain_service(tmp_path_factory.mktemp("brain"), neo4j_uri, embedding_model_dir).running() as brain:
        yield brain


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[EventLog]:
    """A client of the event log, as a worker has one."""
    made = EventLog(redis_url)
    yield made
    await made.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """The session's Redis, to look at what brains keep in it."""
    async with Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def connections(tmp_path: Path) -> Connections:
    """Records what one process connects to."""
    return Connections(tmp_path / "connections")


@pytest.fixture
def project() -> str:
    """A project of the test's own."""
    return secrets.token_hex(12)
