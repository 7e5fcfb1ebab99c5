"""The services around a worker: the demo model once a session, a project for each test."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from dev.service_process import ServiceProcess
from tests.support.network.gate import Gate, gate
from tests.support.worker_harness import Services, WorkerHarness, demo_model_service, run_document
from tests.support.workers.process_forks import ProcessForks
from tests.support.workers.worker_forks import worker_forks


@pytest.fixture
def brain_gate(brain_store: ServiceProcess) -> Iterator[Gate]:
    """A way to the session's brain, for tests that shut it: `with brain_gate.absent(): ...`."""
    with gate(brain_store.uri) as made:
        yield made


@pytest.fixture(scope="session")
def forks() -> Iterator[ProcessForks]:
    """What workers are copies of."""
    with worker_forks() as made:
        yield made


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The session's demo model."""
    with demo_model_service(tmp_path_factory.mktemp("model")).running() as model:
        yield model


@pytest.fixture
async def redis_without(redis_url: str) -> AsyncIterator[Callable[[str, str], Awaitable[Redis]]]:
    """Open the database and drop the keys of a prefix, and their list: `redis_without(prefix, index)`."""
    async with Redis.from_url(redis_url) as client:

        async def emptied(prefix: str, index: str) -> Redis:
            await client.unlink(index, *[key async for key in client.scan_iter(match=f"{prefix}*")])
            return client

        yield emptied


@pytest.fixture
def behave(model_store: ServiceProcess) -> Iterator[Callable[..., None]]:
    """Make the demo model misbehave: `behave(fault="rate_limit", count=2)`; it behaves again afterwards."""

    def order(**behaviour: Any) -> None:
        httpx.post(f"{model_store.uri}/demo/behaviour", json=behaviour, timeout=30).raise_for_status()

    yield order
    httpx.delete(f"{model_store.uri}/demo/behaviour", timeout=30).raise_for_status()


@pytest.fixture(scope="session")
def services(
    mongodb_uri: str, redis_url: str, neo4j_uri: str, brain_store: ServiceProcess, model_store: ServiceProcess
) -> Services:
    """Where everything is."""
    return Services(mongodb_uri, redis_url, neo4j_uri, brain_store.uri, model_store.uri)


@pytest.fixture
def new_harness(
    services: Services, forks: ProcessForks, tmp_path: Path
) -> Iterator[Callable[..., WorkerHarness]]:
    """Make harnesses for runs of projects of their own; keyword arguments go into the run's spec."""
    harnesses: list[WorkerHarness] = []

    def make(**spec: Any) -> WorkerHarness:
        folder = tmp_path / f"harness-{len(harnesses)}"
        folder.mkdir()
        document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()), **spec)
        harnesses.append(WorkerHarness(services, folder, document, forks=forks))
        return harnesses[-1]

    yield make
    for harness in harnesses:
        harness.stop()


@pytest.fixture
def harness(new_harness: Callable[..., WorkerHarness]) -> WorkerHarness:
    """One run of a project of its own."""
    return new_harness()
