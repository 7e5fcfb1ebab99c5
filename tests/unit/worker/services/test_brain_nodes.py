"""The brain's nodes of notes: what is asked, and what is waited for."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from gather_clients.backoff import Backoff
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainInvalid, BrainNotFound, BrainUnauthorized
from gather_contracts.brain import NodeIn
from gather_worker.attempt import Attempt
from gather_worker.errors import BrainUnusable
from gather_worker.services import brain_nodes
from gather_worker.services.brain_nodes import BrainNodes

PROJECT = "a" * 24
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain_nodes, "BACKOFF", Backoff(0.001, 0.001))
    monkeypatch.setattr(brain_nodes, "CALL_DEADLINE_S", 0.1)  # little room for the client's own waits


def nodes_of(answer: Answer) -> BrainNodes:
    """Return a brain that answers so."""
    transport = httpx.MockTransport(answer)
    client = BrainClient("http://brain.test", "key", transport=transport)
    return BrainNodes(client, Attempt(30), PROJECT)


def node(name: str) -> NodeIn:
    return NodeIn(id=name, type="GatherItem", content="The keeper.", project_id=PROJECT)


def written(request: httpx.Request) -> httpx.Response:
    ids = [each["id"] for each in json.loads(request.content)["nodes"]]
    timing = {"embedding_time_ms": 0, "neo4j_write_time_ms": 0, "total_time_ms": 0}
    return httpx.Response(200, json={"created": len(ids), "nodeIds": ids, "nodes": [], "timing": timing})


def error(status: int, code: str, **details: Any) -> httpx.Response:
    return httpx.Response(status, json={"error": code, "message": code, "details": details})


async def listed(brain: BrainNodes) -> list[str]:
    return [each.id async for page in brain.pages() for each in page]


async def test_only_notes_are_listed_and_a_project_without_nodes_is_an_empty_one() -> None:
    """Other types are others' business; 404 says that there is nothing yet."""
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return error(404, "not_found")

    assert await listed(nodes_of(answer)) == []
    assert [url.params["type"] for url in asked] == ["GatherItem"]


async def test_a_limit_is_waited_for_however_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on as long as the brain says when; an unavailable brain is given up after a while."""
    monkeypatch.setattr(brain_nodes, "PATIENCE_S", 0.01)
    limits = 8

    def limited(request: httpx.Request) -> httpx.Response:
        nonlocal limits
        limits -= 1
        if limits:
            return httpx.Response(429, headers={"Retry-After": "0"}, json={})
        return written(request)

    assert await nodes_of(limited).write([node("a")]) == ()
    with pytest.raises(BrainUnusable):
        await nodes_of(lambda _: httpx.Response(503)).write([node("a")])


async def test_nodes_that_the_brain_refuses_are_named_and_the_others_written() -> None:
    """One bad note costs itself alone."""
    sent: list[Sequence[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["nodes"]]
        sent.append(ids)
        if "bad" in ids:
            return error(
                400, "batch_validation_failed", invalid_nodes=[{"index": ids.index("bad"), "reason": "no"}]
            )
        return written(request)

    refused = await nodes_of(answer).write([node("a"), node("bad"), node("c")])
    assert list(refused) == ["bad"]
    assert sent == [["a", "bad", "c"], ["a", "c"]]


@pytest.mark.parametrize(
    ("response", "raised"),
    [
        (error(401, "unauthorized"), BrainUnauthorized),
        (error(404, "not_found"), BrainNotFound),
        (error(400, "validation_failed"), BrainInvalid),
    ],
)
async def test_what_will_be_refused_every_time_is_not_sent_again(
    response: httpx.Response, raised: type[Exception]
) -> None:
    """The caller says what must be changed."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return response

    with pytest.raises(raised):
        await nodes_of(answer).write([node("a")])
    assert len(asked) == 1
