"""Brains as processes of their own, on the real Neo4j with the real model."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import neo4j
import pytest

from dev.paths import ROOT
from dev.rooms import BRAIN_KEY, UNLIMITED, brain_service
from dev.service_process import HOST, ServiceProcess, free_port, http_answers, script
from gather_brain.auth.api_keys import new_key
from gather_clients.brain_client import BrainClient
from gather_clients.issued_secrets import secret_hash
from tests.support.network.connections import Connections, addresses_in

TENANT_PROJECTS = 3000
Search = Callable[..., Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True)
class Brain:
    """A running brain; `service_key` may use every project."""

    process: ServiceProcess
    service_key: str = BRAIN_KEY

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.process.uri

    @property
    def metrics(self) -> str:
        """What it measures, in Prometheus' text format."""
        port = self.process.environment["GATHER_BRAIN_METRICS_PORT"]
        return httpx.get(f"http://{HOST}:{port}/metrics", timeout=10).text

    @property
    def log(self) -> Path:
        """What it has said."""
        return self.process.log

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need to find the same Neo4j."""
        return {"PATH": os.environ["PATH"], **self.process.environment}

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def keys(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `gather-brain keys ...` as an operator would with kubectl exec."""
        return subprocess.run(
            [script("gather-brain"), "keys", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def project_key(self, *projects: str) -> str:
        """Create a key for the projects and return it."""
        options = [option for project in projects for option in ("--project", project)]
        options += [option for name in UNLIMITED for option in ("--limit", f"{name}=100000/100000")]
        return self.keys("create", "--name", "test", *options).stdout.strip()


@contextmanager
def _running(
    neo4j_uri: str, model_dir: Path, folder: Path, settings: Mapping[str, str], ready_path: str = "/readyz"
) -> Iterator[Brain]:
    with brain_service(folder, neo4j_uri, model_dir, settings, ready_path).running() as process:
        yield Brain(process)


@pytest.fixture(scope="session")
def brain(brain_store: ServiceProcess) -> Brain:
    """The session's brain."""
    return Brain(brain_store)


@pytest.fixture(scope="session")
def start_brain(
    neo4j_uri: str, embedding_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[Brain]]:
    """Start further brains on the session's Neo4j, with settings of their own, each for a block.

    Each connects to nothing but what its settings name: no embedding runtime and no driver calls its makers.
    """

    @contextmanager
    def start(**settings: str) -> Iterator[Brain]:
        folder = tmp_path_factory.mktemp("brain")
        service = brain_service(folder, neo4j_uri, embedding_model_dir, settings)
        connections = Connections(folder / "connections")
        with replace(service, command=connections.recorded(service.command)).running() as process:
            pid = process.pid
            yield Brain(process)
        seen = connections.of(pid)
        assert (
            addresses_in([service.environment["NEO4J_URI"]])
            <= seen
            <= addresses_in(service.environment.values())
        )

    return start


@pytest.fixture
def starting_brain(embedding_model_dir: Path, tmp_path: Path) -> Iterator[Brain]:
    """A brain whose Neo4j is not there yet."""
    nowhere = f"bolt://{HOST}:{free_port()}"
    with _running(nowhere, embedding_model_dir, tmp_path, {}, ready_path="/healthz") as running:
        yield running


@pytest.fixture
def lives(brain: Brain) -> Iterator[None]:
    """After the test the same process answers, and nothing went wrong inside it."""
    seen = brain.log.stat().st_size
    yield
    assert httpx.get(f"{brain.url}/healthz").status_code == 200
    with brain.log.open("rb") as log:
        log.seek(seen)
        written = log.read().decode()
    assert "Traceback" not in written
    assert '"ERROR"' not in written


@pytest.fixture
async def http(brain: Brain) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP with the service key: what is on the wire is the test's business."""
    headers = {"Authorization": f"Bearer {brain.service_key}"}
    async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def search(http: httpx.AsyncClient, project: str) -> Search:
    """Search the project for duplicates of a text; keyword arguments go into the body."""

    async def found(content: str, **more: Any) -> list[dict[str, Any]]:
        body = {"projectId": project, "content": content, **more}
        response = await http.post("/api/v1/search/duplicates", json=body)
        assert response.status_code == 200, response.text
        duplicates: list[dict[str, Any]] = response.json()["duplicates"]
        return duplicates

    return found


@pytest.fixture(scope="session")
def driver(neo4j_uri: str) -> Iterator[neo4j.Driver]:
    """Neo4j itself, to see what is in it."""
    with neo4j.GraphDatabase.driver(neo4j_uri, auth=None) as made:
        yield made


@pytest.fixture
async def client(brain: Brain) -> AsyncIterator[BrainClient]:
    """The client that workers use."""
    async with BrainClient(brain.url, brain.service_key) as made:
        yield made


@pytest.fixture(scope="session")
def story() -> dict[str, list[dict[str, str]] | str]:
    """Thirty hand-written notes on six aspects of a story, and some on other trades."""
    found: dict[str, list[dict[str, str]] | str] = json.loads(
        (ROOT / "tests/data/story_notes.json").read_text(encoding="utf-8")
    )
    return found


@pytest.fixture(scope="session")
def embedding_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a test server that speaks OpenAI's embeddings API."""
    port = free_port()
    command = [sys.executable, str(ROOT / "tests/support/embedding_server.py"), str(port)]
    folder = tmp_path_factory.mktemp("embeddings")
    answers = partial(http_answers, path="/seen")
    with ServiceProcess("Embeddings", f"http://{HOST}:{port}", folder, command, answers).running() as server:
        yield server.uri


@dataclass
class Tenant:
    """A tenant: its key, a project of its own, more of them one after the other, and its canary.

    The canary is a word that stands in all of its texts and must never be heard by anybody else.
    """

    name: str
    key: str
    project: str
    canary: str
    projects: tuple[str, ...]
    used: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """What it sends with each request."""
        return {"Authorization": f"Bearer {self.key}"}

    def new_project(self) -> str:
        """Return the next of its projects that nobody has written to."""
        self.used.append(self.projects[len(self.used)])
        return self.used[-1]


Operation = tuple[str, str, dict[str, Any]]
"""Method, path under /api/v1, and what else httpx sends."""


@dataclass(frozen=True)
class World:
    """A brain with two tenants, and how often it was asked what."""

    brain: Brain
    tenants: tuple[Tenant, Tenant]
    operations: Mapping[str, Callable[[str], Operation]]
    requests: Counter[str] = field(default_factory=Counter)

    def other(self, tenant: Tenant) -> Tenant:
        """The tenant that `tenant` must hear nothing of."""
        return self.tenants[tenant is self.tenants[0]]


def _operations() -> dict[str, Callable[[str], Operation]]:
    """One request of each operation, by the project that it names."""

    def post(path: str, **body: Any) -> Callable[[str], Operation]:
        return lambda project: ("POST", path, {"json": body | {"projectId": project}})

    node = {"id": "shared-0", "type": "GatherItem", "content": "overwritten"}
    query = {"department": "music", "previousDepartments[]": ["story", "visual"]}
    return {
        "write": lambda project: (
            "POST",
            "/nodes/batch",
            {"json": {"nodes": [node | {"projectId": project}]}},
        ),
        "search": post("/search/duplicates", content="the lamp", threshold=0),
        "several": post("/search/duplicates/batch", contents=["the", "lamp"], threshold=0),
        "compare": post("/search/similarity", pairs=[{"a": "the lamp", "b": "a lamp"}]),
        "context": lambda project: ("GET", "/context/department", {"params": query | {"projectId": project}}),
        "list": lambda project: (
            "GET",
            "/nodes",
            {"params": {"projectId": project, "include": "content", "limit": 500}},
        ),
        "get": lambda project: ("GET", "/nodes/shared-0", {"params": {"projectId": project}}),
        "delete": lambda project: (
            "DELETE",
            "/nodes",
            {"params": {"projectId": project, "ids": ["shared-0", "shared-1"]}},
        ),
        "erase": lambda project: ("DELETE", f"/projects/{project}", {"params": {"confirm": project}}),
        "coverage": post("/analyze/coverage", department="story", gatherItems=[{"content": "the lamp"}]),
    }


@pytest.fixture(scope="session")
def world(
    start_brain: Callable[..., AbstractContextManager[Brain]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A brain whose only keys are those of two tenants."""

    def tenant(name: str) -> Tenant:
        projects = tuple(secrets.token_hex(12) for _ in range(TENANT_PROJECTS))
        return Tenant(name, new_key(), projects[0], f"zanaria{secrets.token_hex(6)}", projects[1:])

    tenants = (tenant("one"), tenant("other"))
    entries = [
        {"name": each.name, "sha256": secret_hash(each.key), "limits": UNLIMITED}
        | {"projects": [each.project, *each.projects]}
        for each in tenants
    ]
    path = tmp_path_factory.mktemp("keys") / "tenants.json"
    path.write_text(json.dumps(entries))
    with start_brain(GATHER_BRAIN_KEYS_FILE=str(path)) as running:
        yield World(running, tenants, _operations())
