"""A change of embedding model on a real Neo4j and real brains, while requests are served."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import neo4j
import numpy as np
import pytest

from dev.service_process import ServiceProcess, script
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainUnavailable
from gather_contracts.brain import DuplicatesRequest, NodeIn

NODES = int(os.environ.get("GATHER_REEMBED_NODES", "592"))
PROJECTS = tuple(secrets.token_hex(12) for _ in range(2))
SHARES = 8
"""The second project has every eighth node; the first has more than 500, so that the index is asked there."""
BATCH = 50
GRACE = ("--grace", "10")
END_S = 180
PAUSE_S = 0.1
"""Between two requests of one task: the traffic must not take the machine from what is tested."""
WORDS = ("lamp", "ferry", "ledger", "wind", "harbour", "skipper", "night", "rope", "gull", "salt", "oath")


def content_of(number: int, version: int = 0) -> str:
    """Return a text that shares some words with others and is near to itself alone."""
    words = " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
    own = " ".join(f"{letter}{number}" for letter in "abcdefgh")
    return f"{words} {own} v{version}"


def project_of(number: int) -> str:
    """Return the project that a node is in."""
    return PROJECTS[number % SHARES == 0]


def node_of(number: int, version: int = 0) -> NodeIn:
    """Return a node; a later version replaces an earlier one."""
    return NodeIn(
        id=f"n{number:06d}",
        type="GatherItem",
        content=content_of(number, version),
        project_id=project_of(number),
        revision=version,
        properties={"department": "story"},
    )


@pytest.fixture
def start(
    own_neo4j: ServiceProcess,
    embedding_endpoint: str,
    start_brain: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., AbstractContextManager[Any]]:
    """Start a brain with a model of the test endpoint and, maybe, settings for a next one."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("GATHER_BRAIN_EMBEDDING_API_KEY", "GATHER_BRAIN_NEXT_EMBEDDING_API_KEY"):
        (folder / name).write_text("embedding-key\n")

    def start_one(model: str, **more: str) -> AbstractContextManager[Any]:
        return start_brain(
            NEO4J_URI=own_neo4j.uri,
            GATHER_SECRETS_DIR=str(folder),
            GATHER_BRAIN_EMBEDDING_PROVIDER="openai",
            GATHER_BRAIN_EMBEDDING_BASE_URL=f"{embedding_endpoint}/v1",
            GATHER_BRAIN_EMBEDDING_MODEL=model,
            **more,
        )

    return start_one


def next_model(endpoint: str, model: str) -> dict[str, str]:
    """Return the settings of a next model of the test endpoint."""
    return {
        "GATHER_BRAIN_NEXT_EMBEDDING_PROVIDER": "openai",
        "GATHER_BRAIN_NEXT_EMBEDDING_BASE_URL": f"{endpoint}/v1",
        "GATHER_BRAIN_NEXT_EMBEDDING_MODEL": model,
    }


def reembed(brain: Any, *arguments: str) -> subprocess.Popen[str]:
    """Start `gather-brain reembed` as an operator would with kubectl exec."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", script("gather-brain"), "reembed", *arguments],
        env=brain.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, str]:
    """Wait for the command and return the plan that it prints."""
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 0, err
    return dict(line.split("\t") for line in out.splitlines())


def cypher(store: ServiceProcess, query: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Look at Neo4j past the brain."""
    with neo4j.GraphDatabase.driver(store.uri, notifications_min_severity="OFF") as driver:
        return [record.data() for record in driver.execute_query(query, parameters).records]


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition."""
    ends_at = time.monotonic() + END_S
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.1)


def metrics(brain: Any) -> str:
    """Return what Prometheus would see."""
    return str(brain.metrics)


def progress(brain: Any) -> tuple[int, int]:
    """Return how many nodes the next model has embedded, and of how many, as the server's metrics say."""
    found = dict(re.findall(r"^(reembed_nodes_\w+) (\S+)$", metrics(brain), re.MULTILINE))
    return int(float(found["reembed_nodes_done"])), int(float(found["reembed_nodes_total"]))


@dataclass
class Traffic:
    """Writers and a searcher that never stop, and what they have seen."""

    new: BrainClient
    old: BrainClient
    versions: dict[int, int] = field(default_factory=dict)
    searched: int = 0
    written_by_old: int = 0
    refused_by_old: int = 0
    missed: list[int] = field(default_factory=list)

    async def write(self) -> None:
        """Write new nodes and new versions, at each server in turn; one that refuses has written nothing."""
        number = NODES
        while True:
            earlier = number * 7 % NODES // SHARES * SHARES + number % SHARES
            versions = {each: self.versions.get(each, -1) + 1 for each in (number, earlier)}
            nodes = [node_of(each, version) for each, version in versions.items()]
            for each in versions:
                self.versions.pop(each, None)
            if number // 2 % 2 == 0 or not await self._written_by_old(nodes):
                await self.new.create_nodes(nodes, deadline_s=END_S)
            self.versions.update(versions)
            number += 1
            await asyncio.sleep(PAUSE_S)

    async def _written_by_old(self, nodes: list[NodeIn]) -> bool:
        try:
            await self.old.create_nodes(nodes, deadline_s=0.5)
        except BrainUnavailable:
            self.refused_by_old += 1
            return False
        self.written_by_old += 1
        return True

    async def search(self) -> None:
        """Search for what has been written, by its own text; what was found once is found always."""
        while True:
            number, version = secrets.choice(list(self.versions.items()))
            request = DuplicatesRequest(
                content=content_of(number, version), project_id=project_of(number), threshold=0.9
            )
            found = await self.new.find_duplicates(request, deadline_s=END_S)
            self.searched += 1
            if self.versions.get(number) == version and not any(
                each.node_id == f"n{number:06d}" and each.similarity == 1 for each in found.duplicates
            ):
                self.missed.append(number)
            await asyncio.sleep(PAUSE_S)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Write and search for as long as the block lasts; a failure of either is a failure here."""
        tasks = [asyncio.create_task(work) for work in (self.write(), self.search())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2, results


async def slow_down(endpoint: str, answers: int) -> None:
    """Let the endpoint take its time for so many answers, so that a change can be met in the middle."""
    async with httpx.AsyncClient() as client:
        await client.post(f"{endpoint}/faults", json=[{"delay_s": 0.2}] * answers)


async def fill(client: BrainClient, count: int) -> dict[int, int]:
    """Write nodes in both projects."""
    for project in PROJECTS:
        numbers = [number for number in range(count) if project_of(number) == project]
        for start_at in range(0, len(numbers), BATCH):
            await client.create_nodes([node_of(each) for each in numbers[start_at : start_at + BATCH]])
    return dict.fromkeys(range(count), 0)


async def vectors(endpoint: str, model: str, texts: list[str]) -> np.ndarray[Any, Any]:
    """Return what the endpoint makes of texts, of length 1."""
    async with httpx.AsyncClient(headers={"Authorization": "Bearer embedding-key"}, timeout=60) as client:
        answer = await client.post(f"{endpoint}/v1/embeddings", json={"model": model, "input": texts})
    rows = np.array([row["embedding"] for row in answer.json()["data"][::-1]])
    normal: np.ndarray[Any, Any] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normal


@pytest.mark.parametrize(
    "is_neo4j_killed",
    [False, pytest.param(True, marks=pytest.mark.long)],
    ids=["the command is killed", "Neo4j too"],
)
async def test_a_change_of_model_loses_nothing_though_all_is_killed_in_the_middle(
    own_neo4j: ServiceProcess,
    embedding_endpoint: str,
    start: Callable[..., AbstractContextManager[Any]],
    *,
    is_neo4j_killed: bool,
) -> None:
    """Two servers, one of which does not know the next model; the command and Neo4j are killed meanwhile."""
    first, second = "hashed-words-48", "hashed-words-96"
    with ExitStack() as stack:
        brain = stack.enter_context(start(first, **next_model(embedding_endpoint, second)))
        old = stack.enter_context(start(first))
        async with (
            BrainClient(brain.url, brain.service_key) as new_client,
            BrainClient(old.url, old.service_key) as old_client,
        ):
            traffic = Traffic(new_client, old_client, await fill(new_client, NODES))
            async with traffic.flowing():
                await slow_down(embedding_endpoint, answers=1000)
                killed = reembed(brain, *GRACE)
                await until(lambda: progress(brain)[0] > 0)
                os.kill(killed.pid, signal.SIGKILL)
                killed.communicate()
                done, total = progress(brain)
                assert 0 < done < total
                resumed = reembed(brain, *GRACE)
                await until(lambda: progress(brain)[0] > done)
                if is_neo4j_killed:
                    own_neo4j.kill()
                    own_neo4j.start()
                await slow_down(embedding_endpoint, answers=0)
                plan = await asyncio.to_thread(ended, resumed)
                searched = traffic.searched
                await until(lambda: traffic.searched > searched + 20)
            assert traffic.missed == []
            assert min(traffic.written_by_old, traffic.refused_by_old, traffic.searched) > 0
            await _all_nodes_are_changed(own_neo4j, embedding_endpoint, second, traffic.versions)
            _old_server_names_the_remedy(old)
        assert (plan["phase"], plan["model"]) == ("steady", f"{second} (96 dimensions)")
        _server_searches_by(brain, second)
        _only_the_model_s_own_vectors_are_searched(own_neo4j, brain)


async def _all_nodes_are_changed(
    store: ServiceProcess, endpoint: str, model: str, versions: dict[int, int]
) -> None:
    """Every node has its own content's vector of the new model, and none of the old."""
    rows = cypher(
        store,
        """MATCH (n:Node)
           RETURN n.id AS id, n.content AS content, n.embedding AS old, n.embeddingModel AS oldModel,
                  n.embeddingB AS vector, n.embeddingModelB AS model""",
    )
    assert {row["id"]: row["content"] for row in rows}.items() >= {
        f"n{number:06d}": content_of(number, version) for number, version in versions.items()
    }.items()
    assert {(row["old"], row["oldModel"], row["model"]) for row in rows} == {(None, None, model)}
    expected = await vectors(endpoint, model, [row["content"] for row in rows])
    np.testing.assert_allclose(np.array([row["vector"] for row in rows]), expected, atol=1e-5)


def _server_searches_by(brain: Any, model: str) -> None:
    ready = httpx.get(f"{brain.url}/readyz").json()
    assert (ready["status"], ready["model"]) == ("ready", model)
    assert 'reembed_phase{phase="steady"} 1.0' in metrics(brain)


def _old_server_names_the_remedy(old: Any) -> None:
    ready = httpx.get(f"{old.url}/readyz")
    assert ready.status_code == 503
    assert "gather-brain reembed" in ready.json()["reason"]
    body = {"content": "lamp", "projectId": PROJECTS[0]}
    headers = {"Authorization": f"Bearer {old.service_key}"}
    answer = httpx.post(f"{old.url}/api/v1/search/duplicates", json=body, headers=headers)
    assert answer.status_code == 503


def _only_the_model_s_own_vectors_are_searched(store: ServiceProcess, brain: Any) -> None:
    """A vector of another model in the same slot is like none, in the index and in the exact query."""
    headers = {"Authorization": f"Bearer {brain.service_key}"}
    small = secrets.token_hex(12)
    node = {"type": "GatherItem", "id": "n000002", "content": content_of(2), "projectId": small}
    httpx.post(f"{brain.url}/api/v1/nodes/batch", json={"nodes": [node]}, headers=headers).raise_for_status()
    for project in (PROJECTS[0], small):
        cypher(
            store,
            "MATCH (n:Node {projectId: $project, id: 'n000002'}) SET n.embeddingModelB = 'another'",
            project=project,
        )
        (row,) = cypher(
            store, "MATCH (n:Node {projectId: $p, id: 'n000002'}) RETURN n.content AS content", p=project
        )
        body = {"content": row["content"], "projectId": project, "threshold": 0.99}
        answer = httpx.post(f"{brain.url}/api/v1/search/duplicates", json=body, headers=headers)
        assert answer.json()["duplicates"] == []


@pytest.mark.long
async def test_the_other_slot_serves_the_next_change_after_one_that_was_aborted(
    own_neo4j: ServiceProcess,
    embedding_model_dir: Path,
    embedding_endpoint: str,
    tmp_path: Path,
    start: Callable[..., AbstractContextManager[Any]],
) -> None:
    """From an endpoint to a model folder, with other dimensions in an index that was there before."""
    folder = tmp_path / "renamed"
    folder.mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        (folder / name).symlink_to(embedding_model_dir / name)
    config = json.loads((embedding_model_dir / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "name": "renamed-minilm"}))
    with start("hashed-words-48", **next_model(embedding_endpoint, "hashed-words-96")) as brain:
        assert ended(reembed(brain, *GRACE))["phase"] == "steady"
    with start("hashed-words-96", GATHER_BRAIN_NEXT_MODEL_DIR=str(folder)) as brain:
        async with BrainClient(brain.url, brain.service_key) as client:
            await fill(client, 40)
            begun = reembed(brain, *GRACE)
            await until(lambda: 'reembed_phase{phase="filling"} 1.0' in metrics(brain))
            os.kill(begun.pid, signal.SIGKILL)
            begun.communicate()
            assert ended(reembed(brain, "--status"))["phase"] == "filling"
            assert ended(reembed(brain, "--abort"))["phase"] == "steady"
            assert _models_of_nodes(own_neo4j) == {("hashed-words-96", 96): 40}
            plan = await asyncio.to_thread(ended, reembed(brain, *GRACE))
            assert (plan["phase"], plan["model"]) == ("steady", "renamed-minilm (384 dimensions)")
            assert _models_of_nodes(own_neo4j) == {("renamed-minilm", 384): 40}
            await client.create_nodes([node_of(4, 1000), node_of(6, 1000)])
            near = await client.find_duplicates(
                DuplicatesRequest(content=content_of(4, 1000), project_id=project_of(4), threshold=0.5)
            )
            assert near.duplicates[0].node_id == "n000004"


async def test_what_something_broken_off_has_left_is_dropped(
    own_neo4j: ServiceProcess, start: Callable[..., AbstractContextManager[Any]]
) -> None:
    """By a brain's start a constraint's index without it; by the command the index of an empty slot."""
    cypher(own_neo4j, "CREATE INDEX node_identity FOR (n:Node) ON (n.projectId, n.id)")
    with start("hashed-words-48") as brain:
        cypher(own_neo4j, "CREATE VECTOR INDEX node_embedding_b FOR (n:Node) ON n.embeddingB")
        assert (await asyncio.to_thread(ended, reembed(brain)))["phase"] == "steady"
    found = cypher(own_neo4j, "SHOW VECTOR INDEXES YIELD name RETURN name")
    assert [row["name"] for row in found] == ["node_embedding"]
    found = cypher(own_neo4j, "SHOW CONSTRAINTS YIELD name RETURN name")
    assert "node_identity" in [row["name"] for row in found]


def _models_of_nodes(store: ServiceProcess) -> dict[tuple[str, int], int]:
    """Count the nodes by the model and the dimensions of each vector that they have."""
    rows = cypher(
        store,
        """MATCH (n:Node)
           UNWIND [[n.embeddingModel, n.embedding], [n.embeddingModelB, n.embeddingB]] AS slot
           WITH slot WHERE slot[1] IS NOT NULL
           RETURN slot[0] AS model, size(slot[1]) AS dimensions, count(*) AS nodes""",
    )
    return {(row["model"], row["dimensions"]): row["nodes"] for row in rows}
