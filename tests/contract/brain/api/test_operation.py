"""How the brain lives: starting, losing Neo4j, metrics, logs, stopping; and the client on top of it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.service_process import ServiceProcess
from gather_brain.limits.policy import ENDPOINTS
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainError, BrainNotFound
from gather_contracts.brain import (
    BatchRequest,
    CoverageItem,
    CoverageRequest,
    DuplicatesBatchRequest,
    DuplicatesRequest,
    NodeIn,
    SimilarityPair,
    SimilarityRequest,
)
from tests.support.network.made_up_requests import send_made_up


def node_in(project: str, number: int) -> NodeIn:
    """A node with an id of its own."""
    return NodeIn(
        id=f"n{number}",
        type="GatherItem",
        content=f"Night {number}: Ada writes the wind into the ledger.",
        project_id=project,
        properties={"department": "story", "qualityScore": 70},
    )


async def test_the_client_speaks_with_the_brain(client: BrainClient, project: str) -> None:
    """What the worker does in one iteration."""
    with pytest.raises(BrainNotFound):
        await client.department_context(project, "character", ["story"])
    written = await client.create_nodes([node_in(project, 1), node_in(project, 2)])
    assert (written.created, written.node_ids) == (2, ["n1", "n2"])
    near = await client.find_duplicates(
        DuplicatesRequest(content="Night 1: Ada writes the wind into the ledger.", project_id=project)
    )
    assert near.duplicates[0].node_id == "n1"
    batch = await client.find_duplicates_batch(
        DuplicatesBatchRequest(
            contents=["ferry", "Night 2: Ada writes the wind into the ledger."], project_id=project
        )
    )
    assert [len(result.duplicates) > 0 for result in batch.results] == [False, True]
    compared = await client.compare(
        SimilarityRequest(pairs=[SimilarityPair(a="ferry", b="Ferry.")], project_id=project)
    )
    assert compared.similarities == [1.0]
    context = await client.department_context(project, "character", ["story"])
    assert context.context["story"].node_count == 2
    coverage = await client.analyze_coverage(
        CoverageRequest(
            project_id=project,
            department="story",
            gather_items=[CoverageItem(id="n1", content="Pacing: the first act breathes slowly.")],
            department_description="handles pacing, plot",
        )
    )
    assert coverage.coverage_score > 0
    assert await client.is_ready()


async def test_concurrent_batches_with_the_same_ids_write_once(client: BrainClient, project: str) -> None:
    """Two pods of one department, for a moment."""
    nodes = [node_in(project, number) for number in range(20)]
    answers = await asyncio.gather(
        *(client.create_nodes(nodes if turn % 2 else nodes[::-1]) for turn in range(6))
    )
    assert sum(answer.created for answer in answers) == 20
    context = await client.department_context(project, "x", ["story"])
    assert context.context["story"].node_count == 20


async def test_without_neo4j_requests_get_503_and_nothing_is_lost(
    brain: Any, http: httpx.AsyncClient, client: BrainClient, project: str, neo4j_store: ServiceProcess
) -> None:
    """503 with Retry-After in the meantime; the client waits and nothing is lost or doubled."""
    await client.create_nodes([node_in(project, 1)])
    with neo4j_store.absent():
        answer = await http.post("/api/v1/search/duplicates", json={"content": "x", "projectId": project})
        assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert "\ngather_brain_ready 0.0" in brain.metrics
        assert (await http.get("/healthz")).status_code == 200
        waiting = asyncio.create_task(
            client.create_nodes([node_in(project, 1), node_in(project, 2)], deadline_s=600)
        )
        await asyncio.sleep(0)
    # 0: the first write was taken, its answer lost with a server that had just come up, and it came again.
    assert (await waiting).created <= 1
    context = await client.department_context(project, "x", ["story"])
    assert context.context["story"].node_count == 2
    assert (await http.get("/readyz")).json()["status"] == "ready"
    assert "\ngather_brain_ready 1.0" in brain.metrics


def test_a_brain_that_has_not_reached_neo4j_yet_is_starting(starting_brain: Any) -> None:
    """Starting and unavailable call for different patience."""
    headers = {"Authorization": f"Bearer {starting_brain.service_key}"}
    ready = httpx.get(f"{starting_brain.url}/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "starting")
    answer = httpx.post(
        f"{starting_brain.url}/api/v1/search/duplicates",
        json={"content": "x", "projectId": "0" * 24},
        headers=headers,
    )
    assert answer.status_code == 503
    unknown = httpx.get(
        f"{starting_brain.url}/api/v1/context/department", headers={"Authorization": "Bearer x"}
    )
    assert unknown.status_code == 401


def test_a_brain_without_a_model_names_what_is_missing(brain: Any, tmp_path: Any) -> None:
    """A wrong mount is not a crash with a trace."""
    failed = subprocess.run(
        [str(Path(sys.executable).with_name("gather-brain")), "serve"],
        env={**brain.environment, "GATHER_BRAIN_MODEL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 64
    assert "embedding model" in failed.stderr


async def test_metrics_have_the_required_names(
    brain: Any, http: httpx.AsyncClient, client: BrainClient, project: str
) -> None:
    """Histograms, and labels that callers cannot multiply: neither by paths nor by methods of their own."""
    await client.create_nodes([node_in(project, 1)])
    for number in range(3):
        await http.request(f"MINE{number}", f"/api/v1/some/path/of/mine/{number}")
        await http.request(f"MINE{number}", "/api/v1/nodes/batch")
    text = brain.metrics
    for sample in (
        'http_requests_total{endpoint="/api/v1/nodes/batch",method="POST",status="200"}',
        'http_request_duration_seconds_bucket{endpoint="/api/v1/nodes/batch",le="0.5",status="200"}',
        'http_requests_total{endpoint="/api/v1/nodes/batch",method="other",status="405"}',
        'http_requests_total{endpoint="other",method="other",status="404"}',
        'embedding_generation_duration_seconds_bucket{le="0.5",model="all-MiniLM-L6-v2-w8a8"}',
        'neo4j_query_duration_seconds_bucket{le="0.5",query_type="batch_insert"}',
        'rate_limit_exceeded_total{endpoint="/api/v1/search/duplicates"}',
    ):
        assert sample in text
    assert "mine" not in text.lower()
    assert (await http.get("/metrics")).status_code == 404


async def test_batches_of_up_to_ten_nodes_have_times_of_their_own(
    brain: Any, client: BrainClient, project: str
) -> None:
    """Their promised time is shorter; refused ones are none."""

    def count() -> float:
        (found,) = re.findall(r"\ngather_brain_small_batch_duration_seconds_count (\S+)\n", brain.metrics)
        return float(found)

    before = count()
    for nodes in (1, 10, 11):
        await client.create_nodes([node_in(project, number) for number in range(nodes)])
    with pytest.raises(BrainError):
        await client.create_nodes([node_in(project, 1), node_in(project, 1)])
    assert count() - before == 2


async def test_made_up_requests_add_no_line_to_a_brains_metrics(brain: Any) -> None:
    """Two thousand of them, with a valid key and with made-up ones."""
    url = httpx.URL(brain.url)
    assert url.port is not None
    paths = tuple(dict.fromkeys(path for _, path in ENDPOINTS))
    headers = f"Authorization: Bearer {brain.service_key}\r\n"
    await send_made_up(url.port, 100, paths, headers)
    before = brain.metrics
    statuses = await send_made_up(url.port, 2000, paths, headers)
    assert sum(statuses.values()) == 2000
    assert set(statuses) >= {"401", "404", "405"}
    after = brain.metrics
    assert len(after.splitlines()) == len(before.splitlines())
    assert "made" not in after


async def test_logs_are_json_with_the_requests_id_and_without_content_or_keys(
    brain: Any, http: httpx.AsyncClient, project: str
) -> None:
    """A log is read by people who may not read the projects."""
    body = {"content": "a text nobody may read", "projectId": project}
    answer = await http.post("/api/v1/search/duplicates", json=body, headers={"X-Request-Id": "my-request-1"})
    assert answer.headers["X-Request-Id"] == "my-request-1"
    written = brain.log.read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    (line,) = [
        line for line in lines if line.get("request_id") == "my-request-1" and line["message"] == "request"
    ]
    assert (line["endpoint"], line["status"], line["key_id"]) == (
        "/api/v1/search/duplicates",
        404,
        "file:worker",
    )
    assert "nobody may read" not in written
    assert brain.service_key not in written


async def test_the_documentation_needs_no_key(brain: Any) -> None:
    """Readers come before they have one."""
    async with httpx.AsyncClient(base_url=brain.url) as anyone:
        document = (await anyone.get("/api/v1/openapi.json")).json()
        assert (await anyone.get("/api/v1/docs")).status_code == 200
    assert {
        "/api/v1/nodes/batch",
        "/api/v1/search/duplicates",
        "/api/v1/context/department",
        "/api/v1/analyze/coverage",
    } <= set(document["paths"])
    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "401", "404", "503"} <= set(operation["responses"])
            assert "422" not in operation["responses"]


def test_sigterm_ends_the_brain_soon(starting_brain: Any) -> None:
    """A rollout must not wait for the grace period to pass."""
    os.kill(starting_brain.pid, signal.SIGTERM)
    wait_for_log(starting_brain, "Finished server process")


def wait_for_log(brain: Any, text: str) -> None:
    """Return when the brain has said it."""
    deadline = time.monotonic() + 60
    while text not in brain.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_sigterm_turns_readiness_off_and_finishes_what_is_under_way(
    start_brain: Callable[..., AbstractContextManager[Any]], project: str
) -> None:
    """First no Service sends any more, then the door closes, and last the one under way has its answer."""
    with start_brain(GATHER_BRAIN_DRAIN_S="60") as brain:
        body = BatchRequest(nodes=[node_in(project, 1)]).model_dump_json(by_alias=True).encode()
        head = (
            "POST /api/v1/nodes/batch HTTP/1.1\r\nHost: brain\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {brain.service_key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        url = httpx.URL(brain.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head.encode() + body[:20])
        await writer.drain()
        async with httpx.AsyncClient(base_url=brain.url, timeout=30) as client:
            os.kill(brain.pid, signal.SIGTERM)
            while (await client.get("/readyz")).status_code == 200:
                pass
            assert (await client.get("/readyz")).json()["status"] == "stopping"
            headers = {"Authorization": f"Bearer {brain.service_key}"}
            search = {"content": "x", "projectId": project}
            still = await client.post("/api/v1/search/duplicates", json=search, headers=headers)
            assert still.status_code == 404
        os.kill(brain.pid, signal.SIGTERM)
        await asyncio.to_thread(wait_for_log, brain, "Shutting down")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(url.host, url.port)
        writer.write(body[20:])
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"created":1' in answer
        writer.close()
        await asyncio.to_thread(wait_for_log, brain, "Finished server process")
