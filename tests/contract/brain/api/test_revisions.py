"""The same id written again: which write stays, whole, and who learns of it."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from gather_clients.brain_client import BrainClient
from gather_contracts.brain import NodeIn
from tests.support.brain_nodes import node, page, write

Search = Callable[..., Awaitable[list[dict[str, Any]]]]


async def test_the_highest_revision_stays_whole_whoever_writes_last(
    brain: Any, http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """Content, hash, vector, department and properties are of one write, and every writer learns of which."""
    people = ("Ada", "Tomas", "Ingrid", "The skipper", "A boy", "The priest", "Nobody", "Her brother")
    texts = [f"{name} hides the ledger under the stairs before the storm." for name in people]
    revisions = [int(n) for n in secrets.SystemRandom().sample(range(1, 1000), len(texts))]
    best = max(range(len(texts)), key=revisions.__getitem__)

    async def send(turn: int) -> int:
        sent = NodeIn(
            id="one", type="GatherItem", content=texts[turn], project_id=project,
            properties={"department": f"d{turn}", "turn": turn}, revision=revisions[turn],
        )  # fmt: skip
        async with BrainClient(brain.url, brain.service_key) as client:
            (written,) = (await client.create_nodes([sent])).nodes
        assert written.revision >= revisions[turn]
        return written.revision

    for _ in range(3):
        heard = await asyncio.gather(*map(send, range(len(texts))))
        assert heard[best] == revisions[best]
    (found,) = (await page(http, project, include="content"))["nodes"]
    assert found["content"] == texts[best]
    assert found["contentHash"] == hashlib.sha256(texts[best].encode()).hexdigest()
    assert found["properties"] == {"department": f"d{best}", "turn": best}
    assert found["revision"] == revisions[best]
    other = "Somebody keeps a book below the steps."
    response = await http.post(
        "/api/v1/search/similarity", json={"projectId": project, "pairs": [{"a": other, "b": texts[best]}]}
    )
    (match,) = await search(other, threshold=0)
    assert match["similarity"] == pytest.approx(response.json()["similarities"][0], abs=1e-4)


async def test_an_edit_replaces_with_one_revision_more_and_late_writers_change_nothing(
    http: httpx.AsyncClient, project: str, search: Search
) -> None:
    """As a sync does it: what the list says, plus one."""
    await write(http, node(project, "n", "Ada keeps the lamp.", revision=1))
    (listed,) = (await page(http, project))["nodes"]
    edited = node(project, "n", "Tomas mends the radio.", revision=listed["revision"] + 1)
    assert (await write(http, edited))["nodes"][0]["revision"] == 2
    late = await write(http, node(project, "n", "Ada keeps the lamp.", revision=1))
    assert (late["created"], late["nodes"][0]["revision"]) == (0, 2)
    (now,) = (await page(http, project, include="content"))["nodes"]
    assert (now["content"], now["createdAt"]) == ("Tomas mends the radio.", listed["createdAt"])
    assert now["contentHash"] != listed["contentHash"]
    assert await search("Ada keeps the lamp.") == []
    assert [each["nodeId"] for each in await search("Tomas mends the radio.")] == ["n"]
