"""A bridge in this process, on a free port, in front of the session's real Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from websockets.asyncio.client import ClientConnection, connect

from gather_bridge.bridge import Bridge
from gather_bridge.routes import build_app
from gather_bridge.server import build_server
from gather_bridge.settings import Settings
from gather_bridge.task_runs.run_calls import TaskRuns, open_task_runs
from gather_clients.issued_secrets import secret_hash
from tests.support.doors.doors_api import NAMESPACE, DoorsApi, doors_api
from tests.support.doors.settings_by_name import settings_by_name
from tests.support.events.webhook_receiver import Receiver, receiving, write_certificate
from tests.support.kubernetes.control_plane import ControlPlane

TOKEN = "a-token-for-every-project"  # noqa: S105 - of these tests alone
RECEIVE_TIMEOUT_S = 30


class Client:
    """One WebSocket client: frames as objects."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def frame(self) -> dict[str, Any]:
        """Return the next frame."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            body: dict[str, Any] = json.loads(await self.connection.recv())
        return body

    async def event(self) -> dict[str, Any]:
        """Return the next frame that is no heartbeat, within `RECEIVE_TIMEOUT_S`."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            while (body := await self.frame())["type"] == "heartbeat":
                pass
        return body

    async def offsets(self, count: int) -> list[int]:
        """Return the offsets of the next events."""
        return [(await self.event())["offset"] for _ in range(count)]


class Serving:
    """A running bridge."""

    def __init__(self, bridge: Bridge, port: int) -> None:
        self.bridge = bridge
        self.port = port

    @property
    def metrics(self) -> str:
        """What it measures, in Prometheus' text format."""
        return generate_latest(self.bridge.metrics.registry).decode()

    async def get(self, path: str) -> httpx.Response:
        """Return the answer to a plain request."""
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    @asynccontextmanager
    async def client(
        self, project_id: str, query: str = "", token: str | None = TOKEN, **options: Any
    ) -> AsyncIterator[Client]:
        """Connect to a project's events for as long as the block lasts."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"ws://127.0.0.1:{self.port}/api/v1/projects/{project_id}/events{query}"
        options = {"ping_interval": None, "compression": None, "proxy": None, **options}
        async with connect(url, additional_headers=headers, **options) as connection:
            yield Client(connection)

    async def until_metric(self, line: str) -> None:
        """Wait until the metrics hold a line that begins so."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            while f"\n{line}" not in self.metrics:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def counted(self, series: str) -> float:
        """Return how far a counter, which begins at 0, has come."""
        return next(
            float(line.removeprefix(series)) for line in self.metrics.splitlines() if line.startswith(series)
        )

    async def until_counted(self, series: str) -> None:
        """Wait until a counter is above 0."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            while not self.counted(series):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)

    async def until_live(self, *, is_live: bool = True) -> None:
        """Wait until the reader hears Redis, or no longer does."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            while self.bridge.reader.is_live is not is_live:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)


ServeBridge = Callable[..., AbstractAsyncContextManager[Serving]]


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    """A tokens file with one token for every project."""
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps([{"name": "t", "sha256": secret_hash(TOKEN), "projects": ["*"]}]), "utf-8")
    return path


@pytest.fixture
def serve_bridge(redis_url: str, tokens_file: Path) -> ServeBridge:
    """Return a context manager that serves a bridge with the settings that it is given."""

    @asynccontextmanager
    async def serve(**changed: Any) -> AsyncIterator[Serving]:
        values = {
            "redis_url": redis_url,
            "tokens_file": tokens_file,
            "webhook_secret": "a-secret-of-some-length",
            "host": "127.0.0.1",
            "port": 0,
            **changed,
        }
        settings = settings_by_name(Settings, values)
        bridge = Bridge(settings)
        server: Any = build_server(build_app(bridge), bridge)
        task = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(RECEIVE_TIMEOUT_S):
                while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
                    await asyncio.sleep(0.01)
            serving = Serving(bridge, int(server.servers[0].sockets[0].getsockname()[1]))
            await serving.until_live()
            yield serving
        finally:
            server.should_exit = True
            await task

    return serve


@pytest.fixture
async def serving(serve_bridge: ServeBridge) -> AsyncIterator[Serving]:
    """A bridge with the usual settings."""
    async with serve_bridge() as bridge:
        yield bridge


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the receiver of webhooks, with its key."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    write_certificate(path)
    return path


@pytest.fixture
async def receiver(certificate: Path) -> AsyncIterator[Receiver]:
    """An HTTPS server on a free port of the loopback interface."""
    async with receiving(certificate) as made:
        yield made


@pytest.fixture(scope="session")
def kubernetes(plane: ControlPlane) -> DoorsApi:
    """The session's API server, as the doors have it."""
    return doors_api(plane)


@pytest.fixture
async def task_runs(kubernetes: DoorsApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskRuns]:
    """The calls of a door's user, about no GatherRun yet."""
    kubernetes.clear()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    errors = Counter("errors", "Of calls.", ["call", "error"], registry=CollectorRegistry())
    runs = await open_task_runs(NAMESPACE, 5, errors)
    yield runs
    await runs.close()
